"""Events as JSON, by msgspec: written and read by the event's own dataclass."""

import dataclasses
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from shared.language.events import EVENTS, Event
from shared.language.retention import Retention
from shared.messaging import topology

CONTENT_TYPE = "application/json"
UNREADABLE_LIFETIME = timedelta(days=10)  # of what cannot be read and may name a person: as long as S59 allows


class UnknownEvent(Exception):
    """A message names an event that this version does not know."""


def encode(event: Event) -> str:
    """Return the event's body as JSON text."""
    return msgspec.json.encode(event).decode()


def decode(name: str, body: str | bytes) -> Event:
    """Return the event called ``name`` on the wire from its JSON body.

    Unknown fields are ignored, a missing one takes its default, a time without a zone is in UTC.

    Raises:
        UnknownEvent: no event has that name.
        msgspec.MsgspecError: the body is not one.
    """
    if name not in EVENTS:
        raise UnknownEvent(f"no event is called {name!r}: was it published by a newer version?")
    return _in_utc(_decoder(name).decode(body))


def is_overdue(headers: Mapping[str, Any], body: str | bytes, retention: Retention, at: datetime) -> bool:
    """Say whether an event that nobody could handle may be kept no longer, for the person in it.

    One that does not say when it is from is kept.
    """
    until = _kept_until(headers, body, retention)
    return until is not None and until <= at


def _kept_until(headers: Mapping[str, Any], body: str | bytes, retention: Retention) -> datetime | None:
    try:
        return decode(topology.event_name(headers), body).kept_until(retention)
    except Exception:  # whatever is wrong with what somebody else may have written
        since = topology.attribute(headers, topology.TIME) or headers.get(topology.FAILED_AT)
        return datetime.fromisoformat(since) + UNREADABLE_LIFETIME if since else None


@cache
def _decoder(name: str) -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(EVENTS[name])


def _in_utc(event: Event) -> Event:
    without_zone = [name for name in _times(event.name) if getattr(event, name).tzinfo is None]
    if not without_zone:
        return event
    return dataclasses.replace(event, **{name: getattr(event, name).replace(tzinfo=UTC) for name in without_zone})


@cache
def _times(name: str) -> tuple[str, ...]:
    hints = typing.get_type_hints(EVENTS[name])
    return tuple(one.name for one in dataclasses.fields(EVENTS[name]) if hints[one.name] is datetime)
