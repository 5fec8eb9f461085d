"""A declaration as it comes in (DeclarationForm) and as it goes out (the views)."""

from typing import Any

from marshmallow import fields

from services.registration.domain.kinds import KINDS, kinds_declared_with
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
    read,
)
from shared.language.values import AGENCY_CODE, INSURANCE_CODE, Condition, DeclarationKind, Language, Status

# What the history of a declaration may say: its states, and what happened between them
HISTORY = (
    *("submitted", "received", "returned", "photo_replaced"),
    *(Status.APPROVED, Status.REJECTED, Status.EXPIRED, Status.WITHDRAWN),
    *("account_activated", "card_issued"),
)


class IdDocumentForm(Form):
    """The document shown to the officer; the rules check its number against its type."""

    type = Choice(("cccd", "cmnd", "passport"), required=True)
    number = Code(r"[0-9A-Z]{6,12}", "not_an_id_number", required=True, example="079185000017")


class PhotosForm(Form):
    """The three pictures, uploaded before (S35)."""

    portrait = Code(UPLOAD_ID, "not_an_upload_id", required=True, example=UPLOADED)
    id_front = Code(UPLOAD_ID, "not_an_upload_id", required=True, example=f"{UPLOADED[:-1]}2")
    id_back = Code(UPLOAD_ID, "not_an_upload_id", required=True, example=f"{UPLOADED[:-1]}3")


class DeclarationForm(Form):
    """A declaration of kind `register` (S33-S49)."""

    kind = Choice(kinds_declared_with("DeclarationForm"), required=True)
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


FORMS: dict[str, type[Form]] = {"DeclarationForm": DeclarationForm}  # by the names in domain/kinds.py


def read_declaration(sent: Any) -> dict[str, Any]:
    """Check a declaration by the form of its kind, and return what it says.

    Raises:
        Invalid: naming the fields at fault.
    """
    return read(FORMS[form_of(sent)], sent)


def form_of(sent: Any) -> str:
    """Return the name of the form of the kind that is sent; a kind that cannot be submitted is refused by any form."""
    kind = sent.get("kind") if isinstance(sent, dict) else None
    row = KINDS[DeclarationKind(kind)] if kind in list(DeclarationKind) else None
    return row.form if row is not None and row.form is not None else "DeclarationForm"


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
    condition = Choice(Condition, required=True, allow_none=True)
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
