"""Addresses by today's provinces and wards (A2), and the lists a form chooses them from."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, post_load

from services.registration.domain.places import province_code, provinces
from shared.forms import AddressLine, Code, Form, PlainText, View, refuse_field
from shared.language.values import Address

PROVINCE_CODE = r"[0-9]{2,3}"


class AddressForm(Form):
    """A contact address; the district is free text, from an older paper."""

    province_code = Code(PROVINCE_CODE, "not_a_province_code", required=True, example="79")
    ward_code = Code(r"[0-9]{5}", "not_a_ward_code", load_default=None, allow_none=True, example="27559")
    district = AddressLine(100, load_default=None, allow_none=True, example="Hóc Môn")
    street = AddressLine(200, required=True, example="12/3 đường Thử Nghiệm, ấp Mẫu")

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


class PlaceView(View):
    """A province or a ward."""

    code = PlainText(required=True, example="79")
    name = PlainText(required=True, example="Thành phố Hồ Chí Minh")


class PlaceList(View):
    """Provinces or wards, all of them on one page."""

    items = fields.List(fields.Nested(PlaceView), required=True)
    next_cursor = PlainText(required=True, allow_none=True)


def place_list(places: Mapping[str, str]) -> dict[str, Any]:
    return PlaceList.of({"items": [{"code": code, "name": name} for code, name in places.items()]})
