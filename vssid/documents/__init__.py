"""The documents generated from the code; a test compares them.

events.md, asyncapi.json, openapi.json, the list of listeners, and the table of settings in operate.md.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from vssid import startup
from vssid.documents.asyncapi import asyncapi
from vssid.documents.entrypoints import entrypoints, listeners
from vssid.documents.events import events_page
from vssid.documents.openapi import openapi
from vssid.documents.settings import SETTINGS_SECTION, settings_table, written

__all__ = [
    "DOCUMENTS",
    "OPERATE",
    "SETTINGS_SECTION",
    "asyncapi",
    "entrypoints",
    "events_page",
    "listeners",
    "openapi",
    "settings_table",
    "write",
    "written",
]

ROOT = Path(__file__).parents[2]
OPERATE = ROOT / "docs" / "operate.md"


def _json(document: Any) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


# The gateway serves its description, so that file is part of its package; docs/openapi.json is a link to it
DOCUMENTS: dict[Path, Callable[[], bytes]] = {
    ROOT / "docs" / "events.md": lambda: events_page().encode(),
    ROOT / "docs" / "asyncapi.json": lambda: _json(asyncapi()),
    ROOT / "services" / "gateway" / "openapi.json": lambda: _json(openapi()),
    startup.LISTENERS: lambda: _json([startup.written(one) for one in listeners()]),
}


def write() -> list[Path]:
    """Write every document; return their paths."""
    for path, content in DOCUMENTS.items():
        path.write_bytes(content())
    OPERATE.write_text(SETTINGS_SECTION.sub(lambda _: settings_table(), OPERATE.read_text("utf-8")), "utf-8")
    return [*DOCUMENTS, OPERATE]
