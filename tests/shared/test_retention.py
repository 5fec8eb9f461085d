"""How long personal data are kept: what settings say, and until when an event that nobody could handle may lie."""

from datetime import timedelta

import pytest

from shared.language.events import EVENTS
from shared.language.retention import Retention, read_retention
from shared.messaging import codec, topology
from tests.support import events
from tests.support.events import AT

DAY = timedelta(days=1)
KEPT = Retention(90 * DAY, {"child": 30 * DAY})
UNTIL = dict.fromkeys(EVENTS, AT + 90 * DAY) | {
    "declaration_submitted": AT + 11 * DAY,
    "declaration_acknowledged": AT + 11 * DAY,
    "reminder_requested": AT + 11 * DAY,
    "declaration_expired": AT + DAY,
}


@pytest.mark.parametrize(
    ("text", "retention"),
    [
        ("90", Retention(90 * DAY)),
        ("0.5", Retention(DAY / 2)),
        (" 90 , child = 30,stop=1 ", Retention(90 * DAY, {"child": 30 * DAY, "stop": DAY})),
    ],
)
def test_days_are_read_for_all_kinds_and_for_those_that_differ(text, retention):
    assert read_retention(text) == retention


@pytest.mark.parametrize(
    "text", ["", "x", "0", "-1", "nan", "inf", "1e9", "90,child", "90,child=", "child=3", "90,child=1,child=2", "9=9"]
)
def test_what_is_no_retention_is_refused(text):
    with pytest.raises(ValueError):
        read_retention(text)


def test_a_kind_is_kept_as_long_as_it_says_and_the_others_as_usual():
    assert (KEPT.of("child"), KEPT.of("register")) == (30 * DAY, 90 * DAY)


def is_kept_until(until, headers, body):
    before = codec.is_overdue(headers, body, KEPT, until - timedelta(seconds=1))
    return (before, codec.is_overdue(headers, body, KEPT, until)) == (False, True)


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_kept_no_longer_than_the_declaration_keeps_its_person(name):
    if not hasattr(events, name):
        pytest.skip("an event without a person, of which there is no example")
    example = getattr(events, name)()
    assert is_kept_until(UNTIL[name], {topology.TYPE: name}, codec.encode(example))


def test_an_approval_is_kept_as_long_as_its_kind():
    approved = events.declaration_approved(kind="child")
    assert is_kept_until(AT + 30 * DAY, {topology.TYPE: approved.name}, codec.encode(approved))


@pytest.mark.parametrize("body", ["", "null", "not JSON", '{"declaration_id": "1"}'])
def test_what_cannot_be_read_is_kept_as_long_as_a_declaration_lives(body):
    for name in ("declaration_submitted", "an_event_of_another_version", "None"):
        for since in (topology.TIME, topology.FAILED_AT):
            assert is_kept_until(AT + 10 * DAY, {topology.TYPE: name, since: AT.isoformat()}, body)
        assert not codec.is_overdue({topology.TYPE: name}, body, KEPT, AT + 36_500 * DAY)
