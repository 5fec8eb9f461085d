"""Today's provinces and wards (A2).

vietnam-provinces carries the statistical office's list; it is read as data, its enums are not imported.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from shared.language.text import tidy


@cache
def provinces() -> dict[str, dict[str, Any]]:
    """Return today's provinces by two-digit code: name, and wards (name by five-digit code)."""
    listed = orjson.loads((files("vietnam_provinces") / "data" / "nested-divisions.json").read_bytes())
    return {
        f"{province['code']:02d}": {
            "name": province["name"],
            "wards": {f"{ward['code']:05d}": tidy(ward["name"]) for ward in province["wards"]},
        }
        for province in listed
    }


def province_code(text: str) -> str | None:
    """Return today's two-digit code for one written with two or three digits (A1), or None."""
    code = f"{int(text):02d}" if re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) else ""
    return code if code in provinces() else None
