"""Invented people and the facts told about them; a test changes what it is about and leaves the rest."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.language.events import AccountActivated, DeclarationApproved
from shared.language.values import Address, Agency, Contact, IdDocument

AT = datetime(2026, 8, 3, 2, 0, tzinfo=UTC)  # a Monday morning in Vietnam
AGENCY = Agency(code="07921", name="Bảo hiểm xã hội Hóc Môn", address="1 Đường Ví Dụ")
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


def declaration_approved(**changes: Any) -> DeclarationApproved:
    facts: dict[str, Any] = {
        "declaration_id": "declaration-1",
        "number": "2026-0000001",
        "insurance_code": INSURANCE_CODE,
        "full_name": FULL_NAME,
        "birth_date": "1990-03-12",
        "gender": "female",
        "id_document": ID_DOCUMENT,
        "address": ADDRESS,
        "contact": CONTACT,
        "agency": AGENCY,
        "officer": "canbo.mau",
        "at": AT,
    }
    return DeclarationApproved(**facts | changes)


def account_activated(**changes: Any) -> AccountActivated:
    facts: dict[str, Any] = {
        "account_id": "account-1",
        "declaration_id": "declaration-1",
        "number": "2026-0000001",
        "insurance_code": INSURANCE_CODE,
        "full_name": FULL_NAME,
        "birth_date": "1990-03-12",
        "gender": "female",
        "contact": CONTACT,
        "agency": AGENCY,
        "sealed_password": "sealed",
        "password_expires_at": AT + timedelta(hours=72),
        "at": AT,
    }
    return AccountActivated(**facts | changes)


def declaration_form(**changes: Any) -> dict[str, Any]:
    """Return what an applicant sends; the three pictures are named by the ids of `PHOTOS`."""
    sent: dict[str, Any] = {
        "kind": "register",
        "insurance_code": INSURANCE_CODE,
        "full_name": FULL_NAME,
        "id_document": {"type": "cccd", "number": "079190000017"},
        "address": {"province_code": "79", "street": "12 Đường Mẫu"},
        "phone": "0912345678",
        "email": "tran.thi.mau@vidu.example",
        "email_copy": True,
        "agency_code": "07921",
        "photos": dict(PHOTOS),
        "terms_accepted": True,
        "commitment": True,
    }
    return sent | changes
