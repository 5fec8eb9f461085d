"""The invented people of the tests, and the declaration they send: nobody real has these names, numbers or papers."""

from dataclasses import dataclass
from typing import Any

from shared.language.values import Address, Agency, Contact, IdDocument
from vssid.people import DemoPerson, declaration_of

AGENCY = Agency(code="07921", name="Bảo hiểm xã hội Hóc Môn", address="1 Đường Ví Dụ")
AGENCY_CODE, OTHER_AGENCY_CODE = AGENCY.code, "07901"
ADDRESS = Address(province_code="79", province_name="Thành phố Hồ Chí Minh", street="12 Đường Mẫu")
CONTACT = Contact(phone="+84912345678", email="tran.thi.mau@vidu.example")
ID_DOCUMENT = IdDocument(type="cccd", number="079190000017")
INSURANCE_CODE = "7900000017"
FULL_NAME = "Trần Thị Mẫu"
PHOTOS = {
    "portrait": "00000000-0000-4000-8000-000000000001",
    "id_front": "00000000-0000-4000-8000-000000000002",
    "id_back": "00000000-0000-4000-8000-000000000003",
}
PURPOSES = tuple(PHOTOS)
FAMILY_NAMES = ("Nguyễn", "Trần", "Lê", "Phạm", "Đặng", "Hồ", "Vũ", "Đỗ")
MIDDLE_NAMES = ("Thử", "Mẫu", "Ví", "Dụ", "Giả", "Định")
GIVEN_NAMES = ("Một", "Hai", "Ba", "Tư", "Năm", "Sáu", "Bảy", "Tám", "Chín", "Mười")
KNOWN = range(1, 601)  # numbers of the people whom the register of an embedded system knows
UNKNOWN = range(900_000, 999_999)


@dataclass(frozen=True)
class Applicant(DemoPerson):
    """Somebody who declares."""

    def declaration(self, photos: dict[str, str], **changes: Any) -> dict[str, Any]:
        """Return the declaration this person sends; no copy of the form is asked for, which would be printed."""
        return declaration_form(self, **{"photos": photos, "email_copy": False, **changes})


SAMPLE = Applicant(INSURANCE_CODE, FULL_NAME, ID_DOCUMENT.number, "0912345678", "tran.thi.mau@vidu.example")


def applicant(number: int) -> Applicant:
    """Return the invented person of a number."""
    names = (
        FAMILY_NAMES[number % len(FAMILY_NAMES)],
        MIDDLE_NAMES[number // 7 % len(MIDDLE_NAMES)],
        MIDDLE_NAMES[number // 11 % len(MIDDLE_NAMES)],
        GIVEN_NAMES[number % len(GIVEN_NAMES)],
    )
    return Applicant(
        insurance_code=f"7900{number:06d}",
        full_name=" ".join(names),
        id_number=f"079185{number:06d}",
        phone=f"+84912{number:06d}",
        email=f"nguoi.thu.{number}@vidu.example",
    )


def register_csv() -> str:
    """Return the household register of an embedded system, as `vssid register import` reads it."""
    rows = (f"{one.insurance_code},{one.full_name},1985-08-15,female,{one.id_number}" for one in map(applicant, KNOWN))
    return "\n".join(["insurance_code,full_name,birth_date,gender,id_number", *rows])


def declaration_form(person: DemoPerson = SAMPLE, **changes: Any) -> dict[str, Any]:
    """Return the declaration a person sends; a test changes what it is about."""
    address = {"province_code": ADDRESS.province_code, "street": ADDRESS.street}
    return {**declaration_of(person, AGENCY_CODE, dict(PHOTOS)), "address": address, **changes}


@dataclass(frozen=True)
class OfficerAccount:
    """What an officer signs in with, and the agency whose declarations the officer sees."""

    username: str
    password: str
    agency_code: str
    role: str = "officer"


# None is the example of the API's document: what is generated from it tries that name until it is locked.
OFFICER = OfficerAccount("canbo.nhat", "mat-khau-can-bo-mot", AGENCY_CODE)
COLLEAGUE = OfficerAccount("canbo.hai", "mat-khau-can-bo-hai", AGENCY_CODE)
STRANGER = OfficerAccount("canbo.khac", "mat-khau-can-bo-khac", OTHER_AGENCY_CODE)
