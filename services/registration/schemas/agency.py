"""Agencies: how they are searched and shown."""

from typing import Any

from marshmallow import fields

from services.registration.schemas.address import PROVINCE_CODE
from shared.forms import Code, Count, Form, PlainText, View


class AgencySearchForm(Form):
    province_code = Code(PROVINCE_CODE, "not_a_province_code", load_default=None, example="79")
    limit = Count(1, 100, load_default=100, example=50)
    cursor = Code(r"[0-9]{1,5}", "not_a_cursor", load_default=None, example="07921")


class AgencyView(View):
    """The agency a declaration goes to."""

    code = PlainText(required=True, example="07921")
    name = PlainText(required=True, example="BHXH cơ sở Hóc Môn")
    address = PlainText(required=True, allow_none=True, example="12 đường Mẫu, Hóc Môn")


class AgencyListItem(AgencyView):
    """An agency as the list shows it."""

    province_code = PlainText(required=True, example="79")


class AgencyList(View):
    """A page of the agencies that are open."""

    items = fields.List(fields.Nested(AgencyListItem), required=True)
    next_cursor = PlainText(required=True, allow_none=True, example="07921")


def agency_list(found: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """Return a page of agencies; ``found`` holds one more than ``limit`` where another page follows."""
    page = found[:limit]
    return AgencyList.of({"items": page, "next_cursor": page[-1]["code"] if len(found) > len(page) else None})
