"""Event ⇄ wire: JSON by a marshmallow schema that is made from the event's dataclass."""

import dataclasses
import types
import typing
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import orjson
from marshmallow import EXCLUDE, Schema, fields, post_load

from shared.language.events import EVENTS, Event

CONTENT_TYPE = "application/json"
SCALARS: dict[Any, type[fields.Field[Any]]] = {
    str: fields.String,
    int: fields.Integer,
    float: fields.Float,
    bool: fields.Boolean,
    datetime: fields.AwareDateTime,
    date: fields.Date,
}


_schemas: dict[type, Schema] = {}


class UnknownEvent(Exception):
    """A message names an event that this version does not know."""


def schema_of(kind: type) -> Schema:
    """Return the schema of a dataclass. Unknown fields are passed over; a missing one takes its default."""
    if kind not in _schemas:
        _schemas[kind] = _made(kind)
    return _schemas[kind]


def _made(kind: Any) -> Schema:
    hints = typing.get_type_hints(kind)
    members: dict[str, Any] = {one.name: _field(hints[one.name], one) for one in dataclasses.fields(kind)}

    @post_load
    def build(self: Schema, data: dict[str, Any], **_: Any) -> Any:
        return kind(**data)

    members["build"] = build
    members["Meta"] = type("Meta", (), {"unknown": EXCLUDE, "ordered": True})
    return typing.cast(Schema, type(f"{kind.__name__}Schema", (Schema,), members)())


def _field(hint: Any, one: "dataclasses.Field[Any]") -> fields.Field[Any]:
    optional = typing.get_origin(hint) in (typing.Union, types.UnionType)
    if optional:
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    options: dict[str, Any] = {"required": required, "allow_none": optional}
    if dataclasses.is_dataclass(hint):
        return fields.Nested(type(schema_of(typing.cast(type, hint))), **options)
    if typing.get_origin(hint) is dict:
        return fields.Dict(keys=fields.String(), values=fields.String(), **options)
    if hint is datetime:
        options |= {"format": "iso", "default_timezone": UTC}
    return SCALARS[hint](**options)


def pack(event: Event) -> str:
    """Return the event's body as JSON text; orjson writes dataclasses and moments as the schema reads them."""
    return orjson.dumps(event).decode()


def built(kind: Any, plain: Any) -> Any:
    """Rebuild a dataclass from values we wrote ourselves; what came from elsewhere goes through its schema."""
    if plain is None or not dataclasses.is_dataclass(kind):
        return plain
    hints = _hints(typing.cast(type, kind))
    return typing.cast(Any, kind)(**{name: built(hints[name], value) for name, value in plain.items() if name in hints})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def unpack(name: str, body: str | bytes) -> Event:
    """Rebuild the event called ``name`` on the wire from its JSON body.

    Raises:
        UnknownEvent: no event has that name.
        marshmallow.ValidationError, ValueError: the body is not one.
    """
    if name not in EVENTS:
        raise UnknownEvent(f"no event is called {name!r}: was it published by a newer version?")
    return typing.cast(Event, schema_of(EVENTS[name]).load(orjson.loads(body)))
