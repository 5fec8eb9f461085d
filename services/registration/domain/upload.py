"""A picture somebody sent before the declaration that will use it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

UNUSED_LIFE = timedelta(hours=24)  # an upload no declaration took is deleted


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


def upload_key(upload_id: str, suffix: str) -> str:
    return f"uploads/{upload_id}{suffix}"


def form_key(declaration_id: str) -> str:
    return f"forms/{declaration_id}.pdf"
