"""What the documents say, for tests that compare it with the code or with a running system."""

import re
from importlib import import_module
from pathlib import Path

OPERATE = Path(import_module("services").__file__ or "").parents[1] / "docs" / "operate.md"
LOG_EVENT = re.compile(r"(?m)^\| `([a-z_]+)` \| (?:info|debug|warning|error)")


def documented_log_events() -> set[str]:
    """Return the log events that docs/operate.md explains to operators."""
    return set(LOG_EVENT.findall(OPERATE.read_text("utf-8")))
