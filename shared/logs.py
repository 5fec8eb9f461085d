"""JSON lines on standard error: a static event name and ids, never a name, phone, password or answer.

structlog carries the ids of the request through everything a worker does.
"""

import logging
import sys
import uuid
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import orjson
import structlog

REQUEST_ID_LENGTH = 64
# every line begins with these, as far as it has them, so that lines can be read below each other
FIRST = ("timestamp", "level", "event", "service", "logger", "request_id", "event_id", "message_id")
# These report what our own lines report, each connection that was lost for one, and some quote the address asked for.
SILENT = ("nameko", "kombu", "amqp", "pika", "urllib3", "sqlalchemy.pool")
LIBRARY_WARNED = "library_warned"

_caller: ContextVar[str] = ContextVar("caller", default="")


def start(service: str, level: str = "INFO", file: Path | None = None) -> None:
    """Send every logger of this process through one JSON line a record, marked with the service's name.

    To standard error, or to ``file`` where a person reads the terminal.
    """

    def named(_: Any, __: str, line: dict[str, Any]) -> dict[str, Any]:
        line.setdefault("service", service)  # lines outside of any work: connections, the relay
        if "module" in line:
            line["logger"] = line.pop("module")  # structlog keeps the name ``logger`` for itself until now
        return line

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        named,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_values,
    ]
    threshold = logging.getLevelNamesMapping()[level.upper()]
    # our own lines go straight out; those of libraries come by the standard library
    output = file.open("ab") if file else sys.stderr.buffer
    structlog.configure(
        processors=[*shared, _ordered, structlog.processors.JSONRenderer(_json)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.BytesLoggerFactory(output),
        cache_logger_on_first_use=True,
    )
    handler = logging.FileHandler(file, encoding="utf-8") if file else logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared, _of_library],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _ordered,
                structlog.processors.JSONRenderer(lambda line, **_: _json(line).decode()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # a library's debug lines may quote a person's data, and what it calls an error need not be one of ours
    root.setLevel(logging.WARNING if threshold <= logging.WARNING else logging.CRITICAL)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _json(line: Any, **_: Any) -> bytes:
    return orjson.dumps(line, default=str)


def _of_library(_: Any, __: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """Make a library's record a line of ours: what it says is no event that somebody could look for."""
    return {**line, "event": LIBRARY_WARNED, "level": "warning", "message": line["event"]}


def _ordered(_: Any, __: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    exception = {"exception": line.pop("exception")} if "exception" in line else {}
    return {**{key: line.pop(key) for key in FIRST if key in line}, **line, **exception}


def _without_values(_: Any, __: str, line: dict[str, Any]) -> dict[str, Any]:
    """Drop the DETAIL lines of database errors: they quote the values of a row."""
    if "exception" in line:
        kept = [one for one in line["exception"].splitlines() if not one.startswith("DETAIL:")]
        line["exception"] = "\n".join(kept)
    return line


def log(name: str) -> Any:
    """Return the logger of a module."""
    return structlog.get_logger(module=name)


def new_request_id() -> str:
    return uuid.uuid4().hex


def begin_work(service: str, context: Mapping[str, Any]) -> None:
    """Bind the ids that every line of this worker shall carry; the caller's address is kept beside them."""
    structlog.contextvars.clear_contextvars()
    ids = {key: value for key, value in context.items() if isinstance(value, str)}
    _caller.set(ids.pop("caller", ""))
    structlog.contextvars.bind_contextvars(service=service, **ids)


def caller() -> str:
    """Return the address that the request came from, which no line shows; empty where no request is behind the work."""
    return _caller.get()


def request_id() -> str:
    """Return the id of the request this work belongs to, or a new one where none is bound."""
    bound = structlog.contextvars.get_contextvars().get("request_id")
    return bound if isinstance(bound, str) else new_request_id()
