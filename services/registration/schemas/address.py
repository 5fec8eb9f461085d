"""Addresses by today's provinces and wards (A2).

vietnam-provinces carries the statistical office's list; it is read as data, its enums are not imported.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from marshmallow import post_load

from shared.forms import Code, Form, Line, refuse
from shared.language.errors import FieldError
from shared.language.text import tidy
from shared.language.values import Address


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


class AddressForm(Form):
    """A contact address; the district is free text, from an older paper."""

    province_code = Code(r"[0-9]{2,3}", "not_a_province_code", required=True)
    ward_code = Code(r"[0-9]{5}", "not_a_ward_code", load_default=None, allow_none=True)
    district = Line(100, load_default=None, allow_none=True)
    street = Line(200, required=True)

    @post_load
    def named(self, data: dict[str, Any], **_: Any) -> Address:
        code = province_code(data["province_code"])
        if code is None:
            raise refuse_field("province_code", "unknown_province")
        wards = provinces()[code]["wards"]
        ward = data["ward_code"]
        if ward is not None and ward not in wards:
            raise refuse_field("ward_code", "unknown_ward")
        return Address(
            province_code=code,
            province_name=provinces()[code]["name"],
            ward_code=ward,
            ward_name=wards[ward] if ward else None,
            district=data["district"],
            street=data["street"],
        )


def refuse_field(field: str, code: str) -> Any:
    """Return the refusal of one field from a check over several."""
    refusal = refuse(code)
    refusal.messages = {field: [FieldError("", code)]}  # type: ignore[assignment]
    return refusal
