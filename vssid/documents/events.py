"""docs/events.md: every event, who announces it and who consumes it."""

import dataclasses
import inspect
import typing
from datetime import datetime
from typing import Any

from shared.language.events import EVENTS
from shared.messaging import topology
from vssid.documents.entrypoints import listeners


def events_page() -> str:
    """Return the page of events, in the order of the story of a declaration."""
    hearing = [one for one in listeners() if not one.is_retired]
    lines = [
        "# Events",
        "",
        "Generated from `shared/language/events.py` by `make docs`; a test compares it.",
        "CloudEvents 1.0 in binary mode, in the binding for RabbitMQ: attributes as headers `ce-…`, the body is",
        f"JSON. `ce-type` is `{topology.TYPES}` and the wire name, `ce-source` is `PUBLIC_URL` and the service, and",
        "`correlation_id` is the id of the request behind it.",
        "Exchange `<service>.events` (topic), routing key = the wire name.",
    ]
    for name, kind in EVENTS.items():
        by = ", ".join(f"{one.service} (`{one.method}`)" for one in hearing if one.event is kind) or "nobody"
        lines += [
            "",
            f"## {kind.__name__}",
            "",
            inspect.cleandoc(kind.__doc__ or ""),
            "",
            f"`{name}` · announced by {kind.speaker} · consumed by {by}",
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
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        inner = typing.get_type_hints(hint)
        return f"{hint.__name__} {{{', '.join(f'{name}: {_type_name(kind)}' for name, kind in inner.items())}}}"
    if hint is datetime:
        return "time (RFC 3339)"
    plain = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    return plain.replace(" | None", ", or null")
