"""What replaces a declared picture."""

from shared.forms import Code, Form


class PhotoForm(Form):
    """An upload that replaces a picture of the dossier."""

    upload_id = Code(r"[0-9a-f-]{36}", "not_an_upload_id", required=True)
