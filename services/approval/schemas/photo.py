"""What replaces a declared picture."""

from shared.forms import Code, Form


class PhotoForm(Form):
    """An upload that replaces a picture of the dossier (S68)."""

    upload_id = Code(
        r"[0-9a-f-]{36}", "not_an_upload_id", required=True, example="3f0c1c52-6f0f-4f6a-9d53-0a4f0e2f9a11"
    )
