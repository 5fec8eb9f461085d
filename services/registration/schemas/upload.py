"""An upload as it comes in and goes out."""

from shared.forms import Choice, Form, PlainText, View, Whole
from shared.language.values import Purpose

UPLOAD_ID = r"[0-9a-f-]{36}"
UPLOADED = "3f0c1c52-6f0f-4f6a-9d53-0a4f0e2f9a11"


class UploadForm(Form):
    """What the picture shows."""

    purpose = Choice(Purpose, required=True)


class UploadView(View):
    """A picture that is kept for a declaration."""

    upload_id = PlainText(required=True, example=UPLOADED)
    purpose = Choice(Purpose, required=True)
    content_type = Choice(("image/jpeg", "image/png", "image/webp"), required=True)
    bytes = Whole(required=True, example=184320)
