"""A declaration as it comes in (DeclarationForm) and as it goes out (the views)."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields

from services.registration.domain.declaration import Declaration
from services.registration.media.form_data import FormData
from services.registration.schemas.address import AddressForm
from shared.forms import Accepted, Choice, Code, Flag, Form, Mail, Mobile, Name, Nested
from shared.language.values import AGENCY_CODE, INSURANCE_CODE, Agency, DeclarationKind, Language, Status

UPLOAD_ID = r"[0-9a-f-]{36}"


class IdDocumentForm(Form):
    """The paper shown at the desk; its number is checked against its type by the rules of the desk."""

    type = Choice(("cccd", "cmnd", "passport"), required=True)
    number = Code(r"[0-9A-Z]{6,12}", "not_an_id_number", required=True)


class PhotosForm(Form):
    """The three pictures, uploaded before (S35)."""

    portrait = Code(UPLOAD_ID, "not_an_upload_id", required=True)
    id_front = Code(UPLOAD_ID, "not_an_upload_id", required=True)
    id_back = Code(UPLOAD_ID, "not_an_upload_id", required=True)


class DeclarationForm(Form):
    """A declaration of kind `register` (S33-S49)."""

    kind = Choice((DeclarationKind.REGISTER,), required=True)
    insurance_code = Code(INSURANCE_CODE.pattern, "not_an_insurance_code", required=True)
    full_name = Name(required=True)
    id_document = Nested(IdDocumentForm, required=True)
    address = Nested(AddressForm, required=True)
    phone = Mobile(required=True)
    email = Mail(load_default=None, allow_none=True)
    email_copy = Flag(required=True)
    agency_code = Code(AGENCY_CODE.pattern, "not_an_agency_code", required=True)
    photos = Nested(PhotosForm, required=True)
    terms_accepted = Accepted(required=True)
    commitment = Accepted(required=True)


class LanguageForm(Form):
    language = Choice(Language, load_default=Language.VIETNAMESE.value)


class AgencyView(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)
    address = fields.String(allow_none=True)


class HistoryView(Schema):
    at = fields.AwareDateTime(required=True)
    what = fields.String(required=True)


class SubmittedView(Schema):
    """What the applicant gets at once: how to find the declaration again, and by when to go."""

    number = fields.String(required=True)
    tracking_code = fields.String(required=True)
    kind = fields.String(required=True)
    status = fields.String(required=True)
    condition = fields.String(required=True)
    submitted_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    agency = fields.Nested(AgencyView, required=True)


class DeclarationView(Schema):
    """Where a declaration stands."""

    number = fields.String(required=True)
    kind = fields.String(required=True)
    status = fields.String(required=True)
    condition = fields.String(required=True, allow_none=True)
    agency = fields.Nested(AgencyView, required=True)
    submitted_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    decided_at = fields.AwareDateTime()
    reason = fields.String()
    history = fields.List(fields.Nested(HistoryView), required=True)


def submitted_view(declaration: Declaration, now: datetime) -> dict[str, Any]:
    return {
        "number": declaration.number,
        "tracking_code": declaration.tracking_code,
        "kind": declaration.kind,
        "status": declaration.status,
        "condition": declaration.condition(now),
        "submitted_at": stamp(declaration.submitted_at),
        "expires_at": stamp(declaration.expires_at),
        "agency": agency_view(declaration.agency),
    }


def declaration_view(declaration: Declaration, now: datetime) -> dict[str, Any]:
    pending = declaration.status == Status.PENDING
    view = {
        "number": declaration.number,
        "kind": declaration.kind,
        "status": declaration.status,
        "condition": declaration.condition(now) if pending else None,
        "agency": agency_view(declaration.agency),
        "submitted_at": stamp(declaration.submitted_at),
        "expires_at": stamp(declaration.expires_at),
        "history": [
            {"at": stamp(datetime.fromisoformat(entry["at"])), "what": entry["what"]} for entry in declaration.history
        ],
    }
    if declaration.decided_at is not None:
        view["decided_at"] = stamp(declaration.decided_at)
    if declaration.reason is not None:
        view["reason"] = declaration.reason
    return view


def agency_view(agency: Agency) -> dict[str, Any]:
    return {"code": agency.code, "name": agency.name, "address": agency.address}


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


def stamp(moment: datetime) -> str:
    """Return a moment in RFC 3339, UTC, to the second's thousandth."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
