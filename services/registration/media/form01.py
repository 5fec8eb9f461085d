"""What Form 01 says, the declaration on paper that is printed, signed and brought to the agency (S51-S53).

The order of the fields is F5 of docs/sources.md; the sentences are those of the web form (S47, S49), with its three
purposes (S30). `form01_pdf` lays it out; apart, so that what prints it (fpdf2, 19 MB) is loaded with the first form.
"""

from dataclasses import dataclass
from datetime import datetime

from services.registration.domain.declaration import Declaration
from shared.language.clock import VIETNAM
from shared.language.values import Address, Agency, DeclarationKind, IdDocument

NO_BREAK = "\N{NO-BREAK SPACE}"
TITLE = (
    "Đăng ký sử dụng, điều chỉnh thông tin và ngừng sử dụng",
    "phương thức giao dịch điện tử trong lĩnh vực bảo hiểm xã hội",
)
LEGAL_BASE = (
    "Theo Nghị định số 166/2016/NĐ-CP ngày 24 tháng 12 năm 2016 của Chính phủ, cá nhân tôi có đủ các "
    "điều kiện sử dụng phương thức giao dịch điện tử. Cá nhân tôi đăng ký, điều chỉnh thông tin hoặc ngừng "
    "sử dụng phương thức giao dịch điện tử trong lĩnh vực bảo hiểm xã hội với cơ quan Bảo hiểm xã hội "
    "như sau:"
)
COMMITMENT = (
    "Cá nhân tôi cam kết hoàn toàn chịu trách nhiệm trước pháp luật về tính chính xác, trung thực của "
    "nội dung nêu trên và thực hiện giao dịch điện tử trong lĩnh vực bảo hiểm xã hội theo đúng quy định "
    "của pháp luật."
)
BLANK_DATE = "ngày …… tháng …… năm ………"
ID_LABELS = {"cccd": "Số CCCD", "cmnd": "Số CMND", "passport": "Số hộ chiếu"}
ID_PAPERS = {"cccd": "thẻ căn cước công dân", "cmnd": "chứng minh nhân dân", "passport": "hộ chiếu"}

Row = tuple[str, str]


@dataclass(frozen=True)
class Form01Data:
    """What Form 01 shows.

    ``phone`` is in E.164, the times are aware. ``contact_name`` is the guardian where the person declared
    is a child; without it people are their own contact.
    """

    number: str
    tracking_code: str
    full_name: str
    insurance_code: str
    id_document: IdDocument
    address: Address
    phone: str
    agency: Agency
    submitted_at: datetime
    expires_at: datetime
    email: str | None = None
    kind: DeclarationKind = DeclarationKind.REGISTER
    contact_name: str | None = None


def print_form01(declaration: Form01Data) -> bytes:
    """Return Form 01 as PDF; what prints it is loaded with the first form."""
    from services.registration.media import form01_pdf

    return form01_pdf.print_form01(declaration)


def form01_data(declaration: Declaration) -> Form01Data:
    """Return what Form 01 shows of a declaration that still has its personal data."""
    assert declaration.applicant is not None and declaration.insurance_code is not None
    applicant = declaration.applicant
    return Form01Data(
        number=declaration.number,
        kind=DeclarationKind(declaration.kind),
        tracking_code=declaration.tracking_code,
        full_name=applicant.full_name,
        insurance_code=declaration.insurance_code,
        id_document=applicant.id_document,
        address=applicant.address,
        phone=applicant.contact.phone,
        email=applicant.contact.email,
        agency=declaration.agency,
        submitted_at=declaration.submitted_at,
        expires_at=declaration.expires_at,
    )


def head_rows(declaration: Form01Data) -> list[Row]:
    """Return what finds the declaration again, as (label, value)."""
    return [
        ("Số hồ sơ", declaration.number),
        ("Mã tra cứu", declaration.tracking_code),
        ("Thời điểm khai", _moment(declaration.submitted_at)),
        ("Nộp trước", _moment(declaration.expires_at)),
    ]


def person_rows(declaration: Form01Data) -> list[Row]:
    """Return what is declared about the person, as (label, value), in the order of the paper."""
    document = declaration.id_document
    return [
        ("1. Tên cá nhân", declaration.full_name),
        ("2. Mã số thuế/mã số BHXH", declaration.insurance_code),
        (f"3. {ID_LABELS.get(document.type, 'Số giấy tờ tùy thân')}", document.number),
        *_address_rows(declaration.address),
        ("5. Người liên hệ", declaration.contact_name or declaration.full_name),
        ("6. Địa chỉ thư điện tử", declaration.email or "Không có"),
        ("7. Điện thoại di động", _phone(declaration.phone)),
    ]


def purposes(declaration: Form01Data) -> list[tuple[str, bool]]:
    """Return the three purposes of the form, each with whether it is ticked."""
    registers = declaration.kind in (DeclarationKind.REGISTER, DeclarationKind.CHILD)
    since = date_in_words(declaration.submitted_at) if registers else BLANK_DATE
    return [
        (
            f"Đăng ký sử dụng phương thức giao dịch điện tử trong lĩnh vực bảo hiểm xã hội từ {since}",
            registers,
        ),
        ("Điều chỉnh thông tin đã đăng ký", declaration.kind is DeclarationKind.ADJUST),
        ("Ngừng sử dụng phương thức giao dịch điện tử", declaration.kind is DeclarationKind.STOP),
    ]


def agency_rows(declaration: Form01Data) -> list[Row]:
    """Return where the form is to be brought, as (label, value)."""
    agency = declaration.agency
    rows = [("9. Cơ quan BHXH tiếp nhận", f"{agency.code} - {agency.name}")]
    return [*rows, ("    Địa chỉ cơ quan", agency.address)] if agency.address else rows


def next_step(declaration: Form01Data) -> str:
    """Return what the person is to do with the paper."""
    paper = ID_PAPERS.get(declaration.id_document.type, "giấy tờ tùy thân")
    return (
        f"Ký, ghi rõ họ tên, rồi mang tờ khai này cùng {paper} bản gốc đến {declaration.agency.name} "
        f"trước ngày {_local(declaration.expires_at):%d/%m/%Y}. "
        "Quá hạn, thông tin tờ khai điện tử sẽ tự động bị xóa."
    )


def _address_rows(address: Address) -> list[Row]:
    rows = [
        ("4. Địa chỉ liên hệ: tỉnh/thành phố", _coded(address.province_code, address.province_name)),
        ("    Quận/huyện", address.district or ""),
        ("    Phường/xã", _coded(address.ward_code, address.ward_name)),
        ("    Số nhà, đường, tổ/xóm, thôn", address.street),
    ]
    return [(label, value) for label, value in rows if value]


def _coded(code: str | None, name: str | None) -> str:
    return " - ".join(part for part in (code, name) if part)


def _phone(phone: str) -> str:
    national = f"0{phone[3:]}" if phone.startswith("+84") else phone
    return f"{national[:4]} {national[4:7]} {national[7:]}" if len(national) == 10 else national


def _local(at: datetime) -> datetime:
    return at.astimezone(VIETNAM)


def _moment(at: datetime) -> str:
    return f"{_local(at):%H:%M, %d/%m/%Y}"


def date_in_words(at: datetime) -> str:
    """Return the date as papers write it: days under 10 and the first two months with a zero."""
    local = _local(at)
    month = f"{local.month:02}" if local.month < 3 else str(local.month)
    return NO_BREAK.join(("ngày", f"{local.day:02}", "tháng", month, "năm", str(local.year)))


def place_of_signing(address: Address) -> str:
    """Return the province, as papers write it before the date."""
    return address.province_name.removeprefix("Tỉnh ").removeprefix("Thành phố ")
