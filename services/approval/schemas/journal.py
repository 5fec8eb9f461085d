"""What auditors ask of the journal, and what they are shown."""

from collections.abc import Sequence
from typing import Any

from marshmallow import fields, post_load

from services.approval.domain.journal import Act, Entry
from services.approval.schemas.review import NUMBER, OFFICER, midnight
from shared.forms import Choice, Code, Count, Day, Form, PlainText, Text, UtcTime, View, Whole


class JournalSearchForm(Form):
    """Whose rows, about which declaration, of which days, and the page."""

    number = Text(20, load_default=None, example=NUMBER)
    officer = Text(60, load_default=None, example=OFFICER)
    from_ = Day(data_key="from", load_default=None, about="On this day of Vietnam or later.")
    to = Day(load_default=None, about="On this day of Vietnam or earlier.")
    limit = Count(1, 100, load_default=50, example=50)
    cursor = Code(r"[1-9][0-9]{0,17}", "not_a_cursor", load_default=None, about="`next_cursor` of the page before.")

    @post_load
    def bounded(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        data["from"] = midnight(data.pop("from_"))
        data["to"] = midnight(data["to"], days=1)
        data["cursor"] = int(data["cursor"]) if data["cursor"] else None
        return data


class JournalItem(View):
    """A row of the journal: what an officer saw or did."""

    sequence = Whole(about="Rows are counted without gaps.", required=True, example=1)
    at = UtcTime(required=True)
    act = Choice(Act, required=True)
    officer = PlainText(required=True, example=OFFICER)
    declaration_id = PlainText(required=True, example="8d0c0f9e-6a1b-4a55-9a58-2f6a4f0a7c11")
    number = PlainText(required=True, example=NUMBER)
    detail = PlainText(
        about="The purpose of a photo, the code of a refusal, the criteria of a search and the numbers it showed.",
        required=True,
        example="portrait",
    )
    address = PlainText(about="Where the officer called from.", required=True, example="192.0.2.7")
    session_id = PlainText(about="As in the list of sessions.", required=True, example="3c469e9d6c5875d3")
    request_id = PlainText(required=True, example="7b0f7c3a9e5d4b6f8a1c2d3e4f5a6b7c")


class JournalList(View):
    """A page of the journal, newest first."""

    items = fields.List(fields.Nested(JournalItem), required=True)
    next_cursor = PlainText(required=True, allow_none=True)


def journal_list(found: Sequence[Entry], limit: int) -> dict[str, Any]:
    page = found[:limit]
    return JournalList.of({"items": page, "next_cursor": str(page[-1].sequence) if len(found) > limit else None})
