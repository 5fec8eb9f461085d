"""Every event survives its way over the wire, from and to other versions of itself."""

import dataclasses
import types
import typing
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import MsgspecError, ValidationError

from shared.language.events import EVENTS
from shared.messaging import topology
from shared.messaging.codec import UnknownEvent, decode, encode
from tests.support.events import AT, declaration_approved, declaration_submitted
from tests.support.people import ADDRESS

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SUBMITTED = declaration_submitted(photos={"portrait": "uploads/1.jpg"}, form_key="forms/declaration-1.pdf")


def values_of(hint):
    """Return a strategy for the values of a field, from its type."""
    if dataclasses.is_dataclass(hint):
        return facts_of(hint)
    if isinstance(hint, types.UnionType):
        return st.one_of(*map(values_of, typing.get_args(hint)))
    if typing.get_origin(hint) is dict:
        return st.dictionaries(TEXTS, TEXTS, max_size=3)
    known = {
        str: TEXTS,
        int: st.integers(-(2**53), 2**53),
        bool: st.booleans(),
        datetime: st.datetimes(timezones=st.just(UTC)),
        type(None): st.none(),
    }
    return known[hint]


def facts_of(kind):
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(kind)})


def body(event):
    return orjson.loads(encode(event))


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
@given(data=st.data())
def test_every_event_arrives_as_it_was_announced(kind, data):
    event = data.draw(facts_of(kind))
    assert decode(kind.name, encode(event)) == event


def test_a_moment_of_another_zone_is_the_same_moment():
    vietnam = timezone(timedelta(hours=7))
    event = declaration_approved(at=AT.astimezone(vietnam))
    assert decode(event.name, encode(event)) == declaration_approved()


def test_a_time_without_a_zone_is_in_utc():
    other = body(declaration_approved())
    other["at"] = AT.replace(tzinfo=None).isoformat()
    assert decode("declaration_approved", orjson.dumps(other)) == declaration_approved()


def test_vietnamese_characters_travel_as_they_are():
    assert "Trần Thị Mẫu" in encode(SUBMITTED)


def test_a_field_this_version_does_not_know_is_ignored():
    newer = body(SUBMITTED)
    newer["priority"] = "high"
    newer["agency"]["map"] = [10.8, 106.6]
    assert decode("declaration_submitted", orjson.dumps(newer)) == SUBMITTED


def test_a_field_an_older_version_did_not_send_takes_its_default():
    older = body(SUBMITTED)
    del older["form_key"], older["address"]["ward_code"], older["contact"]["language"], older["contact"]["email"]
    event = decode("declaration_submitted", orjson.dumps(older))
    assert event.form_key is None
    assert event.address == ADDRESS
    assert (event.contact.language, event.contact.email) == ("vi", None)


@pytest.mark.parametrize("missing", ["at", "declaration_id", "photos", "contact"])
def test_an_event_without_what_it_must_say_is_refused(missing):
    incomplete = {name: value for name, value in body(SUBMITTED).items() if name != missing}
    with pytest.raises(ValidationError) as refusal:
        decode("declaration_submitted", orjson.dumps(incomplete))
    assert str(refusal.value) == f"Object missing required field `{missing}`"


@pytest.mark.parametrize("text", [b"", b"{", b"null", b"[]", b'"x"', b"\xff", b'{"at": 5}'])
def test_what_is_no_event_is_refused(text):
    with pytest.raises(MsgspecError):
        decode("declaration_submitted", text)


def test_an_event_of_a_newer_version_is_unknown():
    with pytest.raises(UnknownEvent, match="declaration_lost"):
        decode("declaration_lost", b"{}")


def test_an_event_is_about_its_first_field():
    assert SUBMITTED.subject == "declaration-1"


def test_the_name_on_the_wire_is_the_name_of_the_class():
    assert (SUBMITTED.name, SUBMITTED.speaker) == ("declaration_submitted", "registration")


@pytest.mark.parametrize(
    ("headers", "attempts"),
    [
        ({}, 0),
        ({topology.ATTEMPT: 2}, 2),
        ({topology.ATTEMPT: "2"}, 2),
        ({topology.OLD_ATTEMPT: 1}, 1),
        ({topology.ATTEMPT: "many"}, 0),
        ({topology.ATTEMPT: None}, 0),
        ({topology.ATTEMPT: [1]}, 0),
        ({topology.ATTEMPT: {"a": 1}}, 0),
        ({topology.ATTEMPT: -3}, 0),
    ],
)
def test_attempts_that_are_no_number_count_as_none(headers, attempts):
    """Somebody else may have written them; a listener that stopped over it would hear nothing for half a minute."""
    assert topology.attempt_of(headers) == attempts
