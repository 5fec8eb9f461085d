"""What officers ask, and what they are shown."""

import base64
import binascii
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from marshmallow import Schema, fields, post_load

from services.approval.domain.register import Match
from services.approval.domain.review import Review
from shared.forms import Choice, Code, Count, Day, Flag, Form, Paragraph, Text, read
from shared.language.clock import VIETNAM
from shared.language.errors import FieldError, Invalid, Refused
from shared.language.values import Condition, DeclarationKind, Status

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 1, 1)  # a zone's hours do not lead out of the calendar


class SignInForm(Form):
    username = Text(60, required=True)
    password = Paragraph(200, required=True)


class ReviewSearchForm(Form):
    """The five criteria (S66), the kind, a name, and the page."""

    number = Text(20, load_default=None)
    insurance_code = Code(r"[0-9]{10}", "not_an_insurance_code", load_default=None)
    from_ = Day(data_key="from", load_default=None)
    to = Day(load_default=None)
    condition = Choice(Condition, load_default=None)
    status = Choice(Status, load_default=None)
    kind = Choice(DeclarationKind, load_default=None)
    q = Text(100, load_default=None)
    limit = Count(1, 100, load_default=50)
    cursor = Text(200, load_default=None)

    @post_load
    def bounded(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        data["from"] = _midnight(data.pop("from_"))
        data["to"] = _midnight(data["to"], days=1)
        data["cursor"] = read_cursor(data["cursor"])
        return data


class ApprovalForm(Form):
    identity_checked = Flag(load_default=False)
    confirm = Flag(load_default=False)


class RejectionForm(Form):
    reason = Paragraph(500, load_default="", allow_none=True)


class OfficerSessionView(Schema):
    token = fields.String(required=True)
    expires_at = fields.AwareDateTime(required=True)


class ReviewItem(Schema):
    """A line of the queue."""

    number = fields.String(required=True)
    kind = fields.String(required=True)
    insurance_code = fields.String(required=True, allow_none=True)
    full_name = fields.String(required=True, allow_none=True)
    status = fields.String(required=True)
    condition = fields.String(required=True, allow_none=True)
    submitted_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    assigned_to = fields.String(required=True, allow_none=True)


class ReviewList(Schema):
    items = fields.List(fields.Nested(ReviewItem), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class RegisterCheckView(Schema):
    """What the household register says of the code and the name; advice, the officer decides."""

    result = fields.String(required=True)


class ReviewHistoryView(Schema):
    at = fields.AwareDateTime(required=True)
    what = fields.String(required=True)
    officer = fields.String(required=True)


class ReviewView(ReviewItem):
    """A whole dossier. ``photos`` are links that work for five minutes."""

    declaration_id = fields.String(required=True)
    id_document = fields.Dict(allow_none=True)
    address = fields.Dict(allow_none=True)
    phone = fields.String(allow_none=True)
    email = fields.String(allow_none=True)
    photos = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    register_check = fields.Nested(RegisterCheckView, allow_none=True)
    decided_at = fields.AwareDateTime(allow_none=True)
    decided_by = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    history = fields.List(fields.Nested(ReviewHistoryView), required=True)


class DecisionView(Schema):
    status = fields.String(required=True)


def rejection_reason(form: Any) -> str:
    """Return the reason of a rejection.

    Raises:
        Refused: ``reason_required`` (S75).
    """
    reason = str(read(RejectionForm, form)["reason"] or "").strip()
    if not reason:
        raise Refused("reason_required", errors=[FieldError("reason", "required")])
    return reason


def review_item(review: Review, now: datetime) -> dict[str, Any]:
    return {
        "number": review.number,
        "kind": review.kind,
        "insurance_code": review.insurance_code,
        "full_name": review.full_name,
        "status": review.status,
        "condition": review.condition(now),
        "submitted_at": stamp(review.submitted_at),
        "expires_at": stamp(review.expires_at),
        "assigned_to": review.assigned_to,
    }


def review_view(review: Review, match: Match | None, now: datetime) -> dict[str, Any]:
    """Return the whole dossier; the pictures by their keys, which the gateway turns into links."""
    dossier = review.dossier
    return {
        **review_item(review, now),
        "declaration_id": review.declaration_id,
        "id_document": asdict(dossier.id_document) if dossier else None,
        "address": asdict(dossier.address) if dossier else None,
        "phone": dossier.contact.phone if dossier else None,
        "email": dossier.contact.email if dossier else None,
        "photos": dossier.photos if dossier else {},
        "register_check": {"result": match} if match else None,
        "decided_at": stamp(review.decided_at) if review.decided_at else None,
        "decided_by": review.decided_by,
        "reason": review.reason,
        "history": [{**entry, "at": stamp(datetime.fromisoformat(entry["at"]))} for entry in review.history],
    }


def review_list(found: Any, limit: int, now: datetime) -> dict[str, Any]:
    page = found[:limit]
    more = len(found) > len(page)
    return {
        "items": [review_item(review, now) for review in page],
        "next_cursor": write_cursor(page[-1]) if more else None,
    }


def write_cursor(last: Review) -> str:
    """Return the place after a review, opaque to callers."""
    return base64.urlsafe_b64encode(f"{last.submitted_at.isoformat()}|{last.number}".encode()).decode()


def read_cursor(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    try:
        moment, number = base64.urlsafe_b64decode(text).decode().split("|")
        if not number.isprintable():
            raise ValueError("no number of ours")
        return datetime.fromisoformat(moment).astimezone(UTC), number
    except (ValueError, OverflowError, binascii.Error):
        raise Invalid(errors=[FieldError("cursor", "not_a_cursor")]) from None


def stamp(moment: datetime) -> str:
    """Return a moment in RFC 3339, UTC, to the second's thousandth."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _midnight(day: date | None, days: int = 0) -> datetime | None:
    if day is None:
        return None
    return datetime.combine(min(max(day, FIRST_DAY), LAST_DAY) + timedelta(days=days), time(), VIETNAM)
