"""docs/asyncapi.json: the events for machines."""

import inspect
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared import settings
from shared.language.events import EVENTS
from shared.messaging import codec, topology
from vssid.documents.entrypoints import listeners


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document: a channel an event, an operation an announcer or consumer."""
    channels, operations, known = {}, {}, {}
    payloads, parts = msgspec.json.schema_components(EVENTS.values(), ref_template="#/components/schemas/{name}")
    for part in parts.values():
        part["description"] = inspect.cleandoc(part["description"])  # Python 3.13 strips the margin, 3.11 does not
    for (name, kind), payload in zip(EVENTS.items(), payloads, strict=True):
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
            "correlationId": {"location": f"$message.header#/{topology.REQUEST_ID}"},
            "payload": payload,
        }
    for one in listeners():
        if not one.is_retired:
            channel = {"$ref": f"#/channels/{one.event.name}"}
            operations[f"{one.service}.{one.method}"] = {"action": "receive", "channel": channel}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "VssID events", "version": "1"},
        "defaultContentType": codec.CONTENT_TYPE,
        "channels": channels,
        "operations": operations,
        "components": {"messages": known, "schemas": parts},
    }


def _headers_schema() -> dict[str, Any]:
    row = dict.fromkeys(("id", "type", "aggregatetype", "aggregateid", "request_id"), "")
    names = topology.headers_of({**row, "created_at": datetime(2020, 11, 16, tzinfo=UTC)}, settings.read({}))
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": list(names)}
