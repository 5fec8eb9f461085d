"""docs/asyncapi.json: the events for machines."""

import inspect
from typing import Any

from marshmallow import Schema, fields

from shared.language.events import EVENTS
from shared.messaging import codec, topology
from vssid.documents.entrypoints import listeners


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document: a channel an event, and for each service that announces or consumes it an operation."""
    channels, operations, known = {}, {}, {}
    for name, kind in EVENTS.items():
        channels[name] = {
            "address": name,
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": {"name": topology.exchange_name("", kind.speaker), "type": "topic", "durable": True},
                }
            },
        }
        operations[f"{kind.speaker}.announces.{name}"] = {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
        known[name] = {
            "name": name,
            "title": kind.__name__,
            "summary": inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " "),
            "contentType": codec.CONTENT_TYPE,
            "headers": _headers_schema(),
            "payload": _event_schema(codec.schema_of(kind)),
        }
    for service, method, kind in listeners():
        operations[f"{service}.{method}"] = {"action": "receive", "channel": {"$ref": f"#/channels/{kind.name}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "VssID events", "version": "1"},
        "defaultContentType": codec.CONTENT_TYPE,
        "channels": channels,
        "operations": operations,
        "components": {"messages": known},
    }


def _headers_schema() -> dict[str, Any]:
    row = dict.fromkeys(("id", "type", "aggregatetype", "aggregateid", "request_id"), "")
    names = topology.headers_of({**row, "created_at": topology.NO_TIME})
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": list(names)}


def _event_schema(schema: Schema) -> dict[str, Any]:
    properties = {name: _event_field(one) for name, one in schema.fields.items()}
    required = [name for name, one in schema.fields.items() if one.required]
    return {"type": "object", "properties": properties, "required": required}


def _event_field(one: Any) -> dict[str, Any]:
    if isinstance(one, fields.Nested):
        described = _event_schema(one.schema)
    elif isinstance(one, fields.Dict):
        described = {"type": "object", "additionalProperties": {"type": "string"}}
    elif isinstance(one, fields.DateTime):
        described = {"type": "string", "format": "date-time"}
    else:
        described = {"type": "integer" if isinstance(one, fields.Integer) else "string"}
    if one.allow_none:
        described["type"] = [described["type"], "null"]
    return described
