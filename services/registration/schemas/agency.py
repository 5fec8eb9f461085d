"""Agencies: how they are searched and shown."""

from typing import Any

from marshmallow import Schema, fields

from services.registration.schemas.address import PlaceView
from shared.forms import Code, Count, Form
from shared.language.values import Agency


class AgencySearchForm(Form):
    province_code = Code(r"[0-9]{2,3}", "not_a_province_code", load_default=None)
    limit = Count(1, 100, load_default=100)
    cursor = Code(r"[0-9]{1,5}", "not_a_cursor", load_default="")


class AgencyView(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)
    address = fields.String(allow_none=True)


class AgencyListItem(PlaceView):
    address = fields.String(allow_none=True)
    province_code = fields.String(required=True)


class AgencyList(Schema):
    items = fields.List(fields.Nested(AgencyListItem), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def agency_view(agency: Agency) -> dict[str, Any]:
    return {"code": agency.code, "name": agency.name, "address": agency.address}
