"""A declaration as it comes in (DeclarationForm) and as it goes out (the views)."""

from marshmallow import fields

from services.registration.domain.declaration import Declaration
from services.registration.media.form_data import FormData
from services.registration.schemas.address import AddressForm
from services.registration.schemas.agency import AgencyView
from services.registration.schemas.upload import UPLOAD_ID, UPLOADED
from shared.forms import (
    Accepted,
    Choice,
    Code,
    Flag,
    Form,
    Mail,
    Mobile,
    Name,
    Nested,
    PlainText,
    UtcTime,
    View,
)
from shared.language.values import AGENCY_CODE, INSURANCE_CODE, Condition, DeclarationKind, Language, Status

# What the history of a declaration may say: its states, and what happened between them
HISTORY = (
    *("submitted", "received", "returned", "photo_replaced"),
    *(Status.APPROVED, Status.REJECTED, Status.EXPIRED, Status.WITHDRAWN),
    *("account_activated", "card_issued"),
)


class IdDocumentForm(Form):
    """The paper shown to the officer; its number is checked against its type by the rules."""

    type = Choice(("cccd", "cmnd", "passport"), required=True)
    number = Code(r"[0-9A-Z]{6,12}", "not_an_id_number", required=True, example="079185000017")


class PhotosForm(Form):
    """The three pictures, uploaded before (S35)."""

    portrait = Code(UPLOAD_ID, "not_an_upload_id", required=True, example=UPLOADED)
    id_front = Code(UPLOAD_ID, "not_an_upload_id", required=True, example=f"{UPLOADED[:-1]}2")
    id_back = Code(UPLOAD_ID, "not_an_upload_id", required=True, example=f"{UPLOADED[:-1]}3")


class DeclarationForm(Form):
    """A declaration of kind `register` (S33-S49)."""

    kind = Choice((DeclarationKind.REGISTER,), required=True)
    insurance_code = Code(INSURANCE_CODE.pattern, "not_an_insurance_code", required=True, example="7900000017")
    full_name = Name(required=True, example="Trần Thị Mẫu")
    id_document = Nested(IdDocumentForm, required=True)
    address = Nested(AddressForm, required=True)
    phone = Mobile(required=True)
    email = Mail(load_default=None, allow_none=True)
    email_copy = Flag(required=True, about="Whether Form 01 is sent by e-mail, too.", example=True)
    agency_code = Code(AGENCY_CODE.pattern, "not_an_agency_code", required=True, example="07921")
    photos = Nested(PhotosForm, required=True)
    terms_accepted = Accepted(required=True)
    commitment = Accepted(required=True)


class LanguageForm(Form):
    language = Choice(Language, load_default=Language.VIETNAMESE.value)


class HistoryView(View):
    """One step of a declaration."""

    at = UtcTime(required=True)
    what = Choice(HISTORY, required=True)


class SubmittedView(View):
    """What the applicant gets at once: how to find the declaration again, and by when to go."""

    number = PlainText(required=True, example="2026-0000123")
    tracking_code = PlainText(required=True, example="4EZYX8MXQF")
    kind = Choice(DeclarationKind, required=True)
    status = Choice(Status, required=True)
    condition = Choice(Condition, required=True)
    submitted_at = UtcTime(required=True)
    expires_at = UtcTime(required=True, example="2026-08-13T02:15:00.000Z")
    agency = fields.Nested(AgencyView, required=True)


class DeclarationView(View):
    """Where a declaration stands."""

    number = PlainText(required=True, example="2026-0000123")
    kind = Choice(DeclarationKind, required=True)
    status = Choice(Status, required=True)
    condition = Choice(Condition, required=True, allow_none=True)
    agency = fields.Nested(AgencyView, required=True)
    submitted_at = UtcTime(required=True)
    expires_at = UtcTime(required=True, example="2026-08-13T02:15:00.000Z")
    history = fields.List(fields.Nested(HistoryView), required=True)
    decided_at = UtcTime()
    reason = PlainText(example="Thiếu chữ ký trên tờ khai.")


def form_data(declaration: Declaration) -> FormData:
    """Return what Form 01 shows of a declaration that still has its personal data."""
    assert declaration.applicant is not None and declaration.insurance_code is not None
    applicant = declaration.applicant
    return FormData(
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
