"""A scanned code as it comes in, and what it says."""

from marshmallow import fields

from shared.forms import Choice, Form, PlainText, View

CARD = {
    "id_number": "079185000017",
    "old_id_number": None,
    "full_name": "Trần Thị Mẫu",
    "birth_date": "1985-08-15",
    "gender": "female",
    "address": "12/3 đường Thử Nghiệm, Hóc Môn, Thành phố Hồ Chí Minh",
    "issued_on": "2022-05-10",
}


class QrForm(Form):
    """A scanned text; an image is sent as multipart instead."""

    payload = PlainText(
        required=True,
        example="079185000017||Trần Thị Mẫu|15081985|Nữ|12/3 đường Thử Nghiệm, Hóc Môn, TP. Hồ Chí Minh|10052022",
    )


class QrView(View):
    """What a card's code says. Dates are YYYY-MM-DD, or YYYY where only the year is known."""

    kind = Choice(("cccd", "bhyt"), required=True)
    unreadable = fields.List(
        PlainText(example="issued_on"),
        metadata={"description": "Fields that nobody can read as the card fills them; null. Missing where none is."},
    )
    fields_ = fields.Dict(
        keys=fields.String(),
        values=fields.String(allow_none=True),
        data_key="fields",
        attribute="fields",
        required=True,
        metadata={"examples": [CARD]},
    )
