"""A picture somebody sent before the declaration that will use it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

UNUSED_LIFETIME = timedelta(hours=24)  # an upload that no declaration uses is deleted
# how long a file may lie in registration's folders of the store before a row must name it
FOLDERS = {"uploads": UNUSED_LIFETIME, "forms": UNUSED_LIFETIME, "incoming": timedelta(hours=1)}


@dataclass
class Upload:
    """A stored picture; ``declaration_id`` is set once a declaration uses it."""

    upload_id: str
    purpose: str
    content_type: str
    bytes: int
    key: str
    created_at: datetime
    declaration_id: str | None = None


def form_key(declaration_id: str) -> str:
    return f"forms/{declaration_id}.pdf"


def form_of(key: str) -> str:
    """Return the id of the declaration whose form lies under a key, or whatever the key holds in its place."""
    return key.removeprefix("forms/").removesuffix(".pdf")
