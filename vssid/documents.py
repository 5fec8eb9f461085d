"""The documents generated from the code: events.md, asyncapi.json, openapi.json, the README's table of settings.

A test compares them.
"""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from services import SERVICES
from services.gateway.phrases import CODES
from shared import forms
from shared.framework.consumers import EventConsumer
from shared.framework.http import Route
from shared.language import errors
from shared.language.events import EVENTS, Event
from shared.messaging import codec, topology
from shared.settings import Settings
from vssid.startup import service_class

FOLDER = Path(__file__).parents[1] / "docs"
README = FOLDER.parent / "README.md"
SETTINGS_SECTION = re.compile(r"(?s)(?<=<!-- settings -->\n).*?(?=<!-- /settings -->)")
TAGS = {
    "public": "Without an account",
    "officer": "The officer",
    "carriers": "Carriers of messages, calling back",
    "operations": "Operating it",
}
# which class of problem a code comes with, where it is not a rule's no (409)
STATUS = {
    "unreadable_image": 400,
    "unreadable_qr": 400,
    "too_large": 413,
    "unsupported_media_type": 415,
    "wrong_credentials": 401,
    "locked": 423,
    "wrong_signature": 403,
    "register_unavailable": 503,
}


def write() -> list[Path]:
    """Write every document; return their paths."""
    FOLDER.mkdir(exist_ok=True)
    documents = {
        "events.md": events_page().encode(),
        "asyncapi.json": _json(asyncapi()),
        "openapi.json": _json(openapi()),
    }
    for name, content in documents.items():
        (FOLDER / name).write_bytes(content)
    README.write_text(SETTINGS_SECTION.sub(lambda _: settings_table(), README.read_text("utf-8")), "utf-8")
    return [*(FOLDER / name for name in documents), README]


def _json(document: Any) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


# README.md


def settings_table() -> str:
    """Return the table of settings: name, default, and what it is for."""
    rows = [(one.name.upper(), written(one.default), one.metadata["about"]) for one in dataclasses.fields(Settings)]
    lines = ["| Setting | Default | What it is for |", "|---|---|---|"]
    lines += [f"| `{name}` | {f'`{default}`' if default else '(empty)'} | {about} |" for name, default, about in rows]
    return "\n".join(lines) + "\n"


def written(default: Any) -> str:
    """Return a default the way it stands in the environment."""
    if isinstance(default, bool):
        return str(int(default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def entrypoints(desk: str) -> Iterator[Any]:
    """Yield (method name, entrypoint) of a desk's service class."""
    for name, method in inspect.getmembers(service_class(desk), inspect.isfunction):
        for entrypoint in getattr(method, "nameko_entrypoints", ()):
            yield name, entrypoint


def listeners() -> list[tuple[str, str, type[Event]]]:
    """Return (desk, method, event) for every listener."""
    return [
        (desk, name, entrypoint.event)
        for desk in SERVICES
        for name, entrypoint in entrypoints(desk)
        if isinstance(entrypoint, EventConsumer)
    ]


def listener_queues(prefix: str) -> list[str]:
    return [topology.queue_name(prefix, desk, method) for desk, method, _ in listeners()]


# events.md


def events_page() -> str:
    """Return the page of events, in the order of the story."""
    heard = listeners()
    lines = [
        "# Events",
        "",
        "Generated from `shared/language/events.py` by `make docs`; a test compares it.",
        "CloudEvents 1.0 in binary mode over AMQP: attributes as headers `cloudEvents:…`, the body is JSON.",
        "Exchange `<speaker>.events` (topic), routing key = the wire name.",
    ]
    for name, kind in EVENTS.items():
        by = ", ".join(f"{desk} (`{method}`)" for desk, method, one in heard if one is kind) or "nobody"
        lines += [
            "",
            f"## {kind.__name__}",
            "",
            inspect.cleandoc(kind.__doc__ or ""),
            "",
            f"`{name}` · told by {kind.speaker} · heard by {by}",
            "",
            "| field | type | |",
            "|---|---|---|",
        ]
        hints = typing.get_type_hints(kind)
        for one in dataclasses.fields(kind):
            optional = "" if one.default is dataclasses.MISSING else "may be missing"
            lines.append(f"| `{one.name}` | {_type_name(hints[one.name])} | {optional} |")
    return "\n".join(lines) + "\n"


def _type_name(hint: Any) -> str:
    if dataclasses.is_dataclass(hint):
        inner = typing.get_type_hints(hint)
        return f"{hint.__name__} {{{', '.join(f'{name}: {_type_name(kind)}' for name, kind in inner.items())}}}"
    if hint is datetime:
        return "moment (RFC 3339)"
    plain = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    return plain.replace(" | None", ", or null")


# asyncapi.json


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document: a channel an event, an operation a speaker and a listener."""
    channels, operations, known = {}, {}, {}
    payloads, parts = msgspec.json.schema_components(EVENTS.values(), ref_template="#/components/schemas/{name}")
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
        operations[f"{kind.speaker}.tells.{name}"] = {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
        known[name] = {
            "name": name,
            "title": kind.__name__,
            "summary": inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " "),
            "contentType": codec.CONTENT_TYPE,
            "headers": _headers_schema(),
            "payload": payload,
        }
    for desk, method, kind in listeners():
        operations[f"{desk}.{method}"] = {"action": "receive", "channel": {"$ref": f"#/channels/{kind.name}"}}
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
    names = topology.headers_of({**row, "created_at": datetime(2020, 11, 16, tzinfo=UTC)})
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": list(names)}


# openapi.json


def openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document, made from the routes and the desks' schemas."""
    plugin = MarshmallowPlugin(schema_name_resolver=lambda schema: _schema_class(schema).__name__)
    spec = APISpec(
        title="VssID: đăng ký giao dịch điện tử với Bảo hiểm xã hội",
        version="1",
        openapi_version="3.1.0",
        plugins=[plugin],
        info={
            "description": "Electronic registration with Vietnam Social Security. Errors are RFC 9457 problems whose"
            " `code` is stable; `detail` and `message` follow Accept-Language (vi, en). Times are RFC 3339 in UTC."
        },
        tags=[{"name": name, "description": about} for name, about in TAGS.items()],
    )
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(described_field)
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Problem", component=PROBLEM)
    known = schemas()
    routes = [(name, one) for name, one in entrypoints("gateway") if isinstance(one, Route)]
    for name, one in sorted(routes, key=lambda pair: (_tag(pair[1]), pair[1].url, pair[1].method)):
        spec.path(
            path=re.sub(r"<(?:string:)?(\w+)>", r"{\1}", one.url),
            operations={one.method.lower(): operation(name, one, known)},
        )
    return spec.to_dict()


def schemas() -> dict[str, type[Schema]]:
    """Return every schema of every desk as ``desk.Schema``."""
    found = {}
    for desk in SERVICES:
        for _, module_name, _ in pkgutil.walk_packages(importlib.import_module(f"services.{desk}").__path__):
            if module_name != "schemas":
                continue
            package = importlib.import_module(f"services.{desk}.schemas")
            for _, inner, _ in pkgutil.iter_modules(getattr(package, "__path__", [])):
                module = importlib.import_module(f"services.{desk}.schemas.{inner}")
                for name, one in inspect.getmembers(module, inspect.isclass):
                    if issubclass(one, Schema) and one.__module__ == module.__name__:
                        found[f"{desk}.{name}"] = one
    return found


def operation(name: str, one: Route, known: dict[str, type[Schema]]) -> dict[str, Any]:
    method = getattr(service_class("gateway"), name)
    described: dict[str, Any] = {
        "operationId": name,
        "summary": inspect.cleandoc(method.__doc__ or "").split("\n")[0],
        "tags": [_tag(one)],
        "parameters": _parameters(one, known),
        "responses": _responses(one, known),
    }
    if one.takes and one.method in ("POST", "PUT"):
        described["requestBody"] = _body(one, known)
    if _tag(one) == "officer" and name not in ("sign_in", "show_photo"):
        described["security"] = [{"bearer": []}]
    return described


def _tag(one: Route) -> str:
    if "/officer/" in one.url or "/photos/<string:token>" in one.url:
        return "officer"
    if one.url.startswith("/hooks/"):
        return "carriers"
    return "operations" if one.url in ("/", "/docs", "/api/v1/openapi.json") else "public"


def _parameters(one: Route, known: dict[str, type[Schema]]) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"<(?:string:)?(\w+)>", one.url)
    ]
    if "/declarations/<" in one.url and "/officer/" not in one.url:
        found.append({"name": "tracking_code", "in": "query", "required": True, "schema": {"type": "string"}})
    if one.takes and one.method == "GET":
        for name, field in known[one.takes]().fields.items():
            schema = {"type": "string", **described_field(None, field)}
            found.append({"name": field.data_key or name, "in": "query", "required": False, "schema": schema})
    if one.method == "POST" and one.status == 201 and "sessions" not in one.url:
        printable = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"}
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": printable})
    return found


def _body(one: Route, known: dict[str, type[Schema]]) -> dict[str, Any]:
    schema = known[one.takes]
    if one.url.startswith("/hooks/"):
        return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    if one.url.endswith("/uploads"):
        return {"required": True, "content": {"multipart/form-data": {"schema": _upload_body("file", schema)}}}
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if one.url.endswith("/qr"):
        content["multipart/form-data"] = {"schema": _upload_body("image", None)}
    return {"required": True, "content": content}


def _upload_body(file: str, form: type[Schema] | None) -> dict[str, Any]:
    properties: dict[str, Any] = {file: {"type": "string", "format": "binary"}}
    for name, field in (form().fields if form else {}).items():
        properties[name] = {"type": "string", **described_field(None, field)}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _responses(one: Route, known: dict[str, type[Schema]]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done"}
    views = tuple(known[part] for part in one.gives.split(" & ") if part in known)
    if views:
        done["content"] = {"application/json": {"schema": views[0] if len(views) == 1 else joined(views)}}
    elif one.gives == "image/jpeg":
        done["content"] = {kind: {} for kind in ("image/jpeg", "image/png", "image/webp")}
    elif one.gives:
        done["content"] = {one.gives: {}}
    answers = {str(302 if one.url == "/" else one.status): done}
    said: dict[int, list[str]] = {429: ["too_many_requests"], 503: ["unavailable", "busy"]}
    if one.takes or "/declarations" in one.url:
        said[400] = ["invalid_request"]
    if one.takes and one.method in ("POST", "PUT"):
        said |= {413: ["too_large"], 415: ["unsupported_media_type"]}
    if "<" in one.url:
        said[404] = ["not_found"]
    if _tag(one) == "officer" and "photos/<string:token>" not in one.url:
        said[401] = ["unauthenticated"]
    for code in one.refuses:
        assert code in CODES, f"{code} has no words in services/gateway/phrases.py"
        said.setdefault(STATUS.get(code, 409), []).append(code)
    for status, codes in sorted(said.items()):
        answers[str(status)] = {
            "description": ", ".join(dict.fromkeys(codes)),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return answers


@cache
def joined(views: tuple[type[Schema], ...]) -> type[Schema]:
    """Return the view with the fields of all: each alone is closed, so that `allOf` of them fits nothing."""
    name = "".join(view.__name__.removesuffix("View") for view in views)
    return type(f"{name}View", views, {"__doc__": views[0].__doc__})


def described_field(_: Any, field: Any, **__: Any) -> dict[str, Any]:
    """Return what JSON Schema can say of one of our strict fields."""
    said: dict[str, Any] = {}
    if isinstance(field, forms.Text):
        said = {"type": "string", "minLength": 1, "maxLength": field.longest}
    elif isinstance(field, forms.Paragraph):
        said = {"type": "string", "maxLength": field.longest}
    elif isinstance(field, forms.Code):
        said = {"type": "string", "pattern": f"^(?:{field.pattern.pattern})$"}
    elif isinstance(field, forms.Choice):
        said = {"type": "string", "enum": list(field.choices)}
    elif isinstance(field, forms.Accepted):
        said = {"type": "boolean", "const": True}
    elif isinstance(field, forms.Flag):
        said = {"type": "boolean"}
    elif isinstance(field, forms.Mobile):
        said = {"type": "string", "description": "Vietnamese mobile: 0912345678 or +84912345678"}
    elif isinstance(field, forms.Mail):
        said = {"type": "string", "format": "email", "maxLength": 254}
    elif isinstance(field, forms.Count):
        said = {"type": "integer", "minimum": field.lowest, "maximum": field.highest}
    elif isinstance(field, forms.Day):
        said = {"type": "string", "format": "date"}
    if said and field.allow_none and "type" in said:
        said["type"] = [said["type"], "null"]
    return said


def _schema_class(schema: Any) -> type[Schema]:
    return schema if isinstance(schema, type) else type(schema)


PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable and for machines.",
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail", "code", "request_id")},
        "status": {"type": "integer", "enum": sorted({kind.status for kind in errors.KINDS.values()} | {500})},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("field", "code", "message")},
                "required": ["field", "code", "message"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "request_id", "errors"],
}
