"""An upload as it comes in and goes out, and the lists the pickers of the form show."""

from typing import Any

from marshmallow import Schema, fields

from services.registration.domain.upload import Upload
from shared.forms import CODES, Choice, Code, Count, Form
from shared.language.values import Purpose


class UploadForm(Form):
    purpose = Choice(Purpose, required=True)


class PhotoForm(Form):
    """An upload that takes the place of a declared picture."""

    upload_id = Code(r"[0-9a-f-]{36}", "not_an_upload_id", required=True)


class UploadView(Schema):
    upload_id = fields.String(required=True)
    purpose = fields.String(required=True)
    content_type = fields.String(required=True)
    bytes = fields.Integer(required=True)


class QrForm(Form):
    """A scanned text; an image is sent as multipart instead."""

    payload = fields.Raw(required=True, error_messages=CODES)


class QrView(Schema):
    """What a card's code says. Dates are YYYY-MM-DD, or YYYY where only the year is known."""

    kind = fields.String(required=True)
    fields_ = fields.Dict(keys=fields.String(), values=fields.String(allow_none=True), data_key="fields", required=True)


class AgencySearchForm(Form):
    province_code = Code(r"[0-9]{2,3}", "not_a_province_code", load_default=None)
    limit = Count(1, 100, load_default=100)
    cursor = Code(r"[0-9]{1,5}", "not_a_cursor", load_default="")


class PlaceView(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)


class AgencyListItem(PlaceView):
    address = fields.String(allow_none=True)
    province_code = fields.String(required=True)


class ProvinceList(Schema):
    items = fields.List(fields.Nested(PlaceView), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class AgencyList(Schema):
    items = fields.List(fields.Nested(AgencyListItem), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def upload_view(upload: Upload) -> dict[str, Any]:
    return {
        "upload_id": upload.upload_id,
        "purpose": upload.purpose,
        "content_type": upload.content_type,
        "bytes": upload.bytes,
    }


def place_list(places: dict[str, str]) -> dict[str, Any]:
    return {"items": [{"code": code, "name": name} for code, name in places.items()], "next_cursor": None}
