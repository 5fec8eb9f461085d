"""services/gateway/openapi.json: the API, drawn from what the routes declare and from the services' schemas."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable
from functools import cache
from itertools import groupby
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from services import SERVICES
from services.gateway.phrases import CODES, TITLES
from shared.framework.http import Caller, Operation, Parameter, Route
from shared.language import errors
from shared.language.errors import Refusal
from vssid.documents.entrypoints import entrypoints
from vssid.startup import service_class

TAGS = {
    "public": "Without an account",
    "officer": "The officer",
    "carrier": "Carriers of messages, calling back",
    "operations": "Operating it",
}
SECURITY: dict[Caller, list[dict[str, list[str]]]] = {
    Caller.PUBLIC: [],
    Caller.OFFICER: [{"bearer": []}],
    Caller.CARRIER: [{"twilio": []}],
}
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token of `POST /api/v1/officer/sessions`."},
    "twilio": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Twilio-Signature",
        "description": "Twilio's signature of address and form.",
    },
}
HEADERS = {
    "X-Request-Id": (
        "The id of the request, taken from it or made; it stands in the logs.",
        "string",
        "b5c2f0d1e8a94b7f",
    ),
    "Retry-After": ("Seconds after which the request may be sent again.", "integer", 30),
    "Location": ("Where the answer is found.", "string", "/api/v1/declarations/2026-0000123"),
}
RETRIED = (423, 429, 503)
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body get the first answer again, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"},
    "example": "5c1f3a0e-declaration",
}
BINARY = {"type": "string", "format": "binary"}
TEXT_EXAMPLES = {"application/json": {"openapi": "3.1.0"}, "text/html": "<!doctype html>"}


def openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    plugin = MarshmallowPlugin(schema_name_resolver=lambda schema: _schema_class(schema).__name__)
    spec = APISpec(
        title="VssID: electronic registration with Vietnam Social Security",
        version="1",
        openapi_version="3.1.0",
        plugins=[plugin],
        info={
            "description": "Errors are RFC 9457 problems whose `code` is stable; `title`, `detail` and `message` follow"
            " Accept-Language (vi, en). Times are RFC 3339 in UTC."
        },
        servers=[{"url": "/", "description": "The gateway that serves this document"}],
        tags=[{"name": name, "description": about} for name, about in TAGS.items()],
    )
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(_without_null_default)  # type: ignore[no-untyped-call]
    for name, scheme in SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    for name, (about, kind, example) in HEADERS.items():
        spec.components.header(name, {"description": about, "schema": {"type": kind}, "example": example})
    spec.components.schema("Problem", component=PROBLEM)
    for name, one in sorted(_routes(), key=lambda pair: (_tag(pair[1].operation), pair[1].url, pair[1].method)):
        path = re.sub(r"<(?:string:)?(\w+)>", r"{\1}", one.url)
        spec.path(path=path, operations={one.method.lower(): _described(name, one.operation)})
    return spec.to_dict()


def _routes() -> Iterable[tuple[str, Route]]:
    return ((name, one) for name, one in entrypoints("gateway") if isinstance(one, Route))


@cache
def schemas() -> dict[str, type[Schema]]:
    """Return every schema of every service as ``service.Schema``."""
    found = {}
    for service in SERVICES:
        try:
            package = importlib.import_module(f"services.{service}.schemas")
        except ModuleNotFoundError:
            continue  # a service that nobody asks has none
        for _, inner, _ in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{inner}")
            for name, one in inspect.getmembers(module, inspect.isclass):
                if issubclass(one, Schema) and one.__module__ == module.__name__:
                    found[f"{service}.{name}"] = one
    return found


def _described(name: str, one: Operation) -> dict[str, Any]:
    lines = inspect.cleandoc(getattr(service_class("gateway"), name).__doc__ or "").split("\n")
    described = {
        "operationId": name,
        "summary": lines[0].removesuffix("."),
        "tags": [_tag(one)],
        "parameters": _parameters(one),
        "responses": _responses(one),
        "security": SECURITY[one.caller],
    }
    return described | ({"requestBody": _body(one)} if one.has_body else {})


def _tag(one: Operation) -> str:
    return one.tag or str(one.caller)


def _parameters(one: Operation) -> list[dict[str, Any]]:
    found = [_parameter(parameter) for parameter in one.parameters]
    if one.query:
        found.append({"in": "query", "schema": schemas()[one.query]})
    return found + ([IDEMPOTENCY_KEY] if one.idempotent else [])


def _parameter(one: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if one.pattern:
        schema["pattern"] = one.pattern
    if one.choices:
        schema["enum"] = list(one.choices)
    return {
        "name": one.name,
        "in": one.where,
        "required": one.required,
        "description": one.about,
        "schema": schema,
        "example": one.example,
    }


def _body(one: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if one.json:
        content["application/json"] = _media(schemas()[one.json])
    if one.form:
        content["application/x-www-form-urlencoded"] = _media(schemas()[one.form])
    if one.file:
        content["multipart/form-data"] = _multipart(one)
    return {"required": True, "content": content}


def _media(schema: type[Schema]) -> dict[str, Any]:
    return {"schema": schema, "example": example(schema())}


def _multipart(one: Operation) -> dict[str, Any]:
    form = with_file(one.file, schemas()[one.file_form] if one.file_form else Schema)
    return {"schema": form, "example": example(form())}


@cache
def with_file(file: str, form: type[Schema]) -> type[Schema]:
    """Return the form of a multipart body: the file, and the other fields."""
    binary = fields.Raw(required=True, metadata={**BINARY, "examples": ["(the picture)"]})
    name = f"{form.__name__.removesuffix('Form').removesuffix('Schema') or file.title()}Multipart"
    return type(name, (form,), {"__doc__": "A file, and what is said about it.", file: binary})


def _responses(one: Operation) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done", "headers": _headers("X-Request-Id", *one.headers)}
    if one.answer:
        done["content"] = {"application/json": _media(joined(tuple(schemas()[name] for name in one.answer)))}
    elif one.media:
        done["content"] = {kind: _raw(kind) for kind in one.media}
    refused = {
        str(status): _refused(status, list(group)) for status, group in groupby(one.refusals, lambda no: no.status)
    }
    return {str(one.status): done, **refused}


def _raw(kind: str) -> dict[str, Any]:
    if kind not in TEXT_EXAMPLES:
        return {"schema": BINARY}
    return {"schema": {"type": "object" if kind == "application/json" else "string"}, "example": TEXT_EXAMPLES[kind]}


def _refused(status: int, refusals: list[Refusal]) -> dict[str, Any]:
    names = ("X-Request-Id", "Retry-After") if status in RETRIED else ("X-Request-Id",)
    return {
        "description": ", ".join(one.code for one in refusals),
        "headers": _headers(*names),
        "content": {
            "application/problem+json": {
                "schema": "Problem",
                "examples": {one.code: {"value": problem_example(one)} for one in refusals},
            }
        },
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def problem_example(one: Refusal) -> dict[str, Any]:
    """Return a refusal as somebody who reads English gets it."""
    return {
        "type": f"urn:vssid:problem:{one.code}",
        "title": TITLES[one.status][1],
        "status": one.status,
        "detail": CODES[one.code][1],
        "code": one.code,
        "request_id": HEADERS["X-Request-Id"][2],
        "errors": [],
    }


def example(schema: Schema) -> dict[str, Any]:
    """Return an object that fits a schema, made of the examples of its fields."""
    return {one.data_key or name: _example_of(one) for name, one in schema.fields.items()}


def _example_of(field: fields.Field[Any]) -> Any:
    if isinstance(field, fields.Nested):
        return example(field.schema)
    if isinstance(field, fields.List):
        return [_example_of(field.inner)]
    given = field.metadata.get("examples")
    if given:
        return given[0]
    if field.allow_none:
        return None
    choices = [getattr(one, "choices", None) or [getattr(one, "comparable", None)] for one in field.validators]
    return choices[0][0]


@cache
def joined(views: tuple[type[Schema], ...]) -> type[Schema]:
    """Return the view with the fields of all: each alone is closed, so that `allOf` of them fits nothing."""
    if len(views) == 1:
        return views[0]
    name = "".join(view.__name__.removesuffix("View") for view in views)
    return type(f"{name}View", views, {"__doc__": views[0].__doc__})


def _without_null_default(_: Any, field: fields.Field[Any], ret: dict[str, Any], **__: Any) -> dict[str, Any]:
    """Leave out a default of null: the field may be missing, and generated types would have it always there."""
    if ret.get("default", ...) is None:
        del ret["default"]
    return {}


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
