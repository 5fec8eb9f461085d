"""An upload as it comes in and goes out."""

from typing import Any

from marshmallow import Schema, fields

from services.registration.domain.upload import Upload
from shared.forms import Choice, Code, Form
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


def upload_view(upload: Upload) -> dict[str, Any]:
    return {
        "upload_id": upload.upload_id,
        "purpose": upload.purpose,
        "content_type": upload.content_type,
        "bytes": upload.bytes,
    }
