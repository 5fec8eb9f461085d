"""The table of settings in docs/operate.md."""

import dataclasses
import re
from typing import Any

from shared.settings import Settings

SETTINGS_SECTION = re.compile(r"(?s)(?<=<!-- settings -->\n).*?(?=<!-- /settings -->)")


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
