"""A view answers with what a thing has, what it is asked at a time, and what is given beside it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from marshmallow import fields

from shared.forms import Choice, PlainText, UtcTime, View

AT = datetime(2026, 8, 3, 2, 15, 0, 123456, tzinfo=UTC)
WRITTEN = "2026-08-03T02:15:00.123Z"


class StepView(View):
    at = UtcTime(required=True)
    what = PlainText(required=True)


class PlaceView(View):
    code = PlainText(required=True)
    note = PlainText(required=True, allow_none=True)


class ThingView(View):
    number = PlainText(required=True, attribute="serial")
    status = Choice(("open", "closed"), required=True)
    place = fields.Nested(PlaceView, required=True, allow_none=True)
    closed_at = UtcTime()
    steps = fields.List(fields.Nested(StepView), required=True)


@dataclass
class Place:
    code: str
    note: str | None = None


@dataclass
class Thing:
    serial: str = "1"
    status: str = "open"
    place: Place | None = None
    closed_at: datetime | None = None
    steps: list[dict[str, str]] = field(default_factory=list)


def test_a_view_renders_nested_things_lists_and_times():
    thing = Thing(place=Place("79"), closed_at=AT, steps=[{"at": AT.isoformat(), "what": "opened"}])
    expected = {
        "number": "1",
        "status": "open",
        "place": {"code": "79", "note": None},
        "closed_at": WRITTEN,
        "steps": [{"at": WRITTEN, "what": "opened"}],
    }
    assert ThingView.of(thing) == expected


def test_what_is_neither_required_nor_nullable_is_left_out_where_it_is_none():
    assert ThingView.of(Thing()) == {"number": "1", "status": "open", "place": None, "steps": []}


def test_a_value_may_be_given_beside_the_thing_and_a_dict_is_a_thing():
    given = {"serial": "2", "status": "open", "steps": []}
    assert ThingView.of(given, status="closed")["status"] == "closed"
    assert ThingView.of(given)["number"] == "2"


def test_a_method_is_asked_for_its_value_at_the_time_given():
    class Clocked(Thing):
        def closed_at(self, now):
            return now

    thing = Clocked()
    del thing.__dict__["closed_at"]
    assert ThingView.of(thing, AT)["closed_at"] == WRITTEN
