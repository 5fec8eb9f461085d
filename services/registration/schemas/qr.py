"""A scanned code as it comes in, and what it says."""

from marshmallow import Schema, fields

from shared.forms import CODES, Form


class QrForm(Form):
    """A scanned text; an image is sent as multipart instead."""

    payload = fields.Raw(required=True, error_messages=CODES)


class QrView(Schema):
    """What a card's code says. Dates are YYYY-MM-DD, or YYYY where only the year is known."""

    kind = fields.String(required=True)
    fields_ = fields.Dict(keys=fields.String(), values=fields.String(allow_none=True), data_key="fields", required=True)
