"""What officers ask, and what they are shown."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from marshmallow import fields, post_load

from services.approval.domain.register import Match
from services.approval.domain.review import (
    PASSWORD_REQUESTED,
    PASSWORD_UNDELIVERED,
    SPELLING_CONFIRMED,
    Review,
    Standing,
)
from shared.forms import (
    Choice,
    Code,
    Count,
    Day,
    Flag,
    Form,
    Paragraph,
    PlainText,
    Shown,
    Text,
    UtcTime,
    View,
    Whole,
)
from shared.language.clock import VIETNAM
from shared.language.errors import FieldError, Invalid
from shared.language.values import INSURANCE_CODE, Condition, DeclarationKind, Purpose, Status

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 1, 1)  # so that a time zone's hours do not leave the calendar
DECIDED = (Status.APPROVED, Status.REJECTED, Status.EXPIRED, Status.WITHDRAWN)
# What the history of a dossier may say: its states, and what happened between them
HISTORY = (
    "submitted",
    "received",
    "returned",
    "returned_by_another",
    "reminded",
    SPELLING_CONFIRMED,
    PASSWORD_UNDELIVERED,
    PASSWORD_REQUESTED,
    *(f"photo_replaced:{purpose}" for purpose in Purpose),
    *DECIDED,
)
NUMBER, CODE, NAME, OFFICER = "2026-0000123", "7900000017", "Trần Thị Mẫu", "canbo.mot"
LINK = "https://vssid.example/api/v1/photos/InVwbG9hZHMvYS5qcGci.aow1Kg.9mQ1cN0xq0Jq0mXhX4mC0t0Jq0k"


class ReviewSearchForm(Form):
    """The five criteria (S66), the kind, a name, and the page."""

    number = Text(20, load_default=None, example=NUMBER)
    insurance_code = Code(INSURANCE_CODE.pattern, "not_an_insurance_code", load_default=None, example=CODE)
    from_ = Day(data_key="from", load_default=None, about="Submitted on this day of Vietnam or later.")
    to = Day(load_default=None, about="Submitted on this day of Vietnam or earlier.")
    condition = Choice(Condition, load_default=None)
    status = Choice(Status, load_default=None)
    kind = Choice(DeclarationKind, load_default=None)
    password_undelivered = Choice(
        ("true", "false"), load_default=None, about="Whether the first password did not arrive, and nothing was done."
    )
    q = Text(100, load_default=None, about="Part of the name, with or without accents.", example="tran thi mau")
    limit = Count(1, 100, load_default=50, example=50)
    cursor = Text(200, load_default=None, about="`next_cursor` of the page before.")

    @post_load
    def bounded(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        data["from"] = midnight(data.pop("from_"))
        data["to"] = midnight(data["to"], days=1)
        data["cursor"] = read_cursor(data["cursor"])
        data["password_undelivered"] = {"true": True, "false": False}.get(data["password_undelivered"])
        return data


class ApprovalForm(Form):
    """What the officer saw and confirms."""

    identity_checked = Flag(load_default=False, about="Person and papers were compared.", example=True)
    tracking_code = Text(
        60,
        load_default=None,
        about="What the applicant shows: typed from SMS or mail, or as the QR of the form has it. Not asked"
        " for kinds that an account holder proved by a one-time code.",
        example="4EZYX8MXQF",
    )
    confirm = Flag(
        load_default=False,
        about="The changes of an `adjust` were looked at; or that the register spells the name with other accents.",
        example=False,
    )


class FirstPasswordForm(Form):
    """What the officer saw."""

    identity_checked = Flag(load_default=False, about="Person and papers were compared.", example=True)


class FirstPasswordView(View):
    """Where the new first password goes; null where the declared phone is forgotten here, and kept with the account."""

    sent_to = PlainText(required=True, allow_none=True, example="+84•••••123")


class RejectionForm(Form):
    """Why the declaration is not accepted (S75)."""

    reason = Paragraph(500, load_default="", allow_none=True, example="Thiếu chữ ký trên tờ khai.")


class ReviewItem(View):
    """A row of the queue. What is known of the insurance code beside is shown in the queue and in the dossier."""

    number = PlainText(required=True, example=NUMBER)
    kind = Choice(DeclarationKind, required=True)
    insurance_code = PlainText(required=True, allow_none=True, example=CODE)
    full_name = PlainText(required=True, allow_none=True, example=NAME)
    status = Choice(Status, required=True)
    condition = Choice(Condition, required=True, allow_none=True)
    submitted_at = UtcTime(required=True)
    expires_at = UtcTime(required=True, example="2026-08-13T02:15:00.000Z")
    assigned_to = PlainText(required=True, allow_none=True, example=OFFICER)
    others_pending = Whole(
        about="How many other pending registrations there are of the insurance code.", required=True, example=0
    )
    account_exists = Flag(about="Whether the insurance code has an account already.", required=True, example=False)
    password_undelivered = Flag(
        about="Whether the SMS with the first password did not arrive, and nothing was done about it yet.",
        required=True,
        example=False,
    )


class ReviewList(View):
    """A page of the queue."""

    items = fields.List(fields.Nested(ReviewItem), required=True)
    next_cursor = PlainText(required=True, allow_none=True)


class RegisterCheckView(View):
    """What the household register says of the code, the name and the ID number; an approval is refused by it."""

    result = Choice(Match, required=True)
    full_name = PlainText(about="The name that the register has, where its accents differ.", example="Trần Thị Mâu")
    id_number = PlainText(about="The ID number that the register has, to be compared by eye.", example="079185000017")


class ReviewHistoryView(View):
    """One step of a dossier, and the officer who took it; empty where it was nobody."""

    at = UtcTime(required=True)
    what = Choice(HISTORY, required=True)
    officer = PlainText(required=True, example=OFFICER)


class IdDocumentView(View):
    """The paper that says who the applicant is."""

    type = Choice(("cccd", "cmnd", "passport"), required=True)
    number = PlainText(required=True, example="079185000017")


class AddressView(View):
    """A contact address by today's provinces and wards; the district is free text, from an older paper."""

    province_code = PlainText(required=True, example="79")
    province_name = PlainText(required=True, example="Thành phố Hồ Chí Minh")
    street = PlainText(required=True, example="12/3 đường Thử Nghiệm, ấp Mẫu")
    ward_code = PlainText(required=True, allow_none=True, example="27559")
    ward_name = PlainText(required=True, allow_none=True, example="Xã Hóc Môn")
    district = PlainText(required=True, allow_none=True, example="Hóc Môn")


class ReviewView(ReviewItem):
    """A whole dossier. ``photos`` are links by purpose that work for five minutes, and not longer than the session."""

    declaration_id = PlainText(required=True, example="8d0c0f9e-6a1b-4a55-9a58-2f6a4f0a7c11")
    id_document = fields.Nested(IdDocumentView, required=True, allow_none=True)
    address = fields.Nested(AddressView, required=True, allow_none=True)
    phone = PlainText(required=True, allow_none=True, example="+84912345678")
    email = PlainText(required=True, allow_none=True, example="tran.thi.mau@vidu.example")
    photos = fields.Dict(
        keys=fields.String(),
        values=fields.String(metadata={"format": "uri"}),
        required=True,
        metadata={"examples": [{"portrait": LINK, "id_front": LINK, "id_back": LINK}]},
    )
    register_check = fields.Nested(RegisterCheckView, required=True, allow_none=True)
    decided_at = UtcTime(required=True, allow_none=True)
    decided_by = PlainText(required=True, allow_none=True, example=OFFICER)
    reason = PlainText(required=True, allow_none=True, example="Thiếu chữ ký trên tờ khai.")
    history = fields.List(fields.Nested(ReviewHistoryView), required=True)

    @classmethod
    def of(cls, thing: Review, now: datetime | None = None, **also: Any) -> dict[str, Any]:
        """Return the whole dossier; the pictures by what their links name, which the gateway signs."""
        dossier = thing.dossier
        personal = {**vars(dossier), **vars(dossier.contact)} if dossier else {}
        return super().of(thing, now, **{**personal, **also})


class ReminderView(View):
    """Where number and tracking code were sent."""

    sent_to = PlainText(required=True, example="+84•••••123")


class DecisionView(View):
    """What the officer decided."""

    status = Choice((Status.APPROVED, Status.REJECTED), required=True)


def review_list(
    found: Sequence[Review], standings: Mapping[str, Standing], limit: int, now: datetime
) -> dict[str, Any]:
    page = found[:limit]
    more = len(found) > len(page)
    items = [Shown(review, now, vars(standings.get(review.insurance_code or "", Standing()))) for review in page]
    return ReviewList.of({"items": items, "next_cursor": write_cursor(page[-1]) if more else None})


def write_cursor(last: Review) -> str:
    """Return the place after a review, opaque to callers."""
    return base64.urlsafe_b64encode(f"{last.submitted_at.isoformat()}|{last.number}".encode()).decode()


def read_cursor(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    try:
        moment, number = base64.urlsafe_b64decode(text).decode().split("|")
        if not number.isprintable():
            raise ValueError("not printable")
        return datetime.fromisoformat(moment).astimezone(UTC), number
    except (ValueError, OverflowError, binascii.Error):
        raise Invalid(errors=[FieldError("cursor", "not_a_cursor")]) from None


def midnight(day: date | None, days: int = 0) -> datetime | None:
    if day is None:
        return None
    return datetime.combine(min(max(day, FIRST_DAY), LAST_DAY) + timedelta(days=days), time(), VIETNAM)
