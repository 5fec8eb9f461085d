"""Addresses by today's provinces and wards (A2), and the lists a form chooses them from."""

from typing import Any

from marshmallow import Schema, fields, post_load

from services.registration.domain.places import province_code, provinces
from shared.forms import Code, Form, Line, refuse
from shared.language.errors import FieldError
from shared.language.values import Address


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


class PlaceView(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)


class ProvinceList(Schema):
    items = fields.List(fields.Nested(PlaceView), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def place_list(places: dict[str, str]) -> dict[str, Any]:
    return {"items": [{"code": code, "name": name} for code, name in places.items()], "next_cursor": None}


def refuse_field(field: str, code: str) -> Any:
    """Return the refusal of one field from a check over several."""
    refusal = refuse(code)
    refusal.messages = {field: [FieldError("", code)]}  # type: ignore[assignment]
    return refusal
