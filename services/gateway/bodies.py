"""Request bodies: JSON, forms and multipart, with their limits, read before any service is called."""

from typing import Any

import orjson
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Request

from shared.framework.providers import in_time
from shared.language.errors import FieldError, Invalid, TooLarge, Unsupported
from shared.language.values import LARGEST_PICTURE

LARGEST_JSON = 64 * 1024  # bytes; far above any form, so that a field that is too long is named
LARGEST_FORM = 16 * 1024  # bytes; a carrier's call-back has a few hundred
BODY_SECONDS = 30.0  # a body of JSON or a form may take so long to arrive, however steadily it trickles
FILE_SECONDS = 120.0  # and a file: 8 MiB over a slow phone
MOST_FIELDS = 100
AROUND_FILE = 64 * 1024  # bytes of multipart lines and fields around the file
IN_MEMORY = 256 * 1024  # bytes werkzeug holds while it looks for a boundary; it reads 64 KiB at a time, so no fewer
MAX_JSON_FIELDS = 500  # in all objects together; each unknown one would be looked up, and named in the answer
DEEPEST_JSON = 32  # objects inside objects; orjson reads deeper ones than it writes, and no form is so deep


def json_of(request: Request) -> Any:
    """Return the JSON body.

    Raises:
        Unsupported: the content type is not JSON.
        TooLarge: over 64 KiB.
        Invalid: not JSON, nested too deep, or of too many fields.
    """
    if request.mimetype != "application/json":
        raise Unsupported(expected="application/json")
    request.max_content_length = LARGEST_JSON
    try:
        body = orjson.loads(in_time(BODY_SECONDS, TimeoutError(), request.get_data, False))
    except RequestEntityTooLarge:
        raise TooLarge(limit=LARGEST_JSON) from None
    except (orjson.JSONDecodeError, RecursionError):
        raise Invalid(errors=[FieldError("", "not_json")]) from None
    except (HTTPException, OSError, ValueError):
        raise Invalid(errors=[FieldError("", "body_broken")]) from None
    if _deeper_than(DEEPEST_JSON, body):
        raise Invalid(errors=[FieldError("", "too_deep", {"limit": DEEPEST_JSON})])
    if _fields(body) > MAX_JSON_FIELDS:
        raise Invalid(errors=[FieldError("", "too_many_fields", {"limit": MAX_JSON_FIELDS})])
    return body


def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form as browsers and carriers send it.

    Raises:
        Unsupported: the content type is another.
        TooLarge: over 16 KiB.
        Invalid: no form, or a field came twice.
    """
    if request.mimetype != "application/x-www-form-urlencoded":
        raise Unsupported(expected="application/x-www-form-urlencoded")
    request.max_content_length = request.max_form_memory_size = LARGEST_FORM
    try:
        values = in_time(BODY_SECONDS, TimeoutError(), lambda: request.form)
    except RequestEntityTooLarge:
        raise TooLarge(limit=LARGEST_FORM) from None
    except (HTTPException, OSError, ValueError):
        raise Invalid(errors=[FieldError("", "body_broken")]) from None
    repeated = [one[:100] for one, sent in values.lists() if len(sent) > 1]
    if repeated:
        raise Invalid(errors=[FieldError(one, "repeated") for one in repeated[:MOST_FIELDS]])
    return values.to_dict()


def file_of(request: Request, name: str, fields: tuple[str, ...] = ()) -> tuple[bytes, dict[str, str]]:
    """Return the file called ``name`` of a multipart body, and its other fields.

    Raises:
        Unsupported: the content type is not multipart.
        TooLarge: the file is over 8 MiB.
        Invalid: the file is missing, empty, or sent twice, or something else came with it.
    """
    if request.mimetype != "multipart/form-data":
        raise Unsupported(expected="multipart/form-data")
    request.max_content_length = LARGEST_PICTURE + AROUND_FILE
    request.max_form_memory_size = IN_MEMORY
    try:
        files, values = in_time(FILE_SECONDS, TimeoutError(), lambda: (request.files, request.form))
    except RequestEntityTooLarge:
        raise TooLarge(limit=LARGEST_PICTURE) from None
    except (HTTPException, OSError, ValueError):
        raise Invalid(errors=[FieldError("", "body_broken")]) from None
    unknown = [*(one for one in files if one != name), *(one for one in values if one not in fields)]
    if unknown:
        raise Invalid(errors=[FieldError(one[:100], "unknown_field") for one in unknown])
    repeated = [one for one, sent in files.lists() if len(sent) > 1]
    repeated += [one for one, sent in values.lists() if len(sent) > 1]
    if repeated:
        raise Invalid(errors=[FieldError(one, "repeated") for one in repeated])
    return _content(files.get(name), name), values.to_dict()


def _content(file: FileStorage | None, name: str) -> bytes:
    content = file.read() if file is not None else b""
    if not content:
        raise Invalid(errors=[FieldError(name, "required")])
    if len(content) > LARGEST_PICTURE:
        raise TooLarge(limit=LARGEST_PICTURE)
    return content


def _deeper_than(limit: int, value: Any) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return limit == 0 or any(_deeper_than(limit - 1, one) for one in inner)


def _fields(value: Any) -> int:
    """Return how many fields a JSON value has, in all its objects together."""
    if isinstance(value, dict):
        return len(value) + sum(map(_fields, value.values()))
    return sum(map(_fields, value)) if isinstance(value, list) else 0
