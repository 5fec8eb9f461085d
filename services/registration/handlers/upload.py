"""Pictures: kept for a declaration, deleted when none takes them."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.registration import models
from services.registration.domain.upload import UNUSED_LIFE, Upload
from shared.language.errors import NotFound
from shared.storage.database import insert

AT_ONCE = 100  # rows one look of a timer takes


def keep_upload(session: Session, upload: Upload) -> Upload:
    insert(session, models.uploads, upload)
    return upload


def find_upload(session: Session, upload_id: str) -> Upload:
    """Return an upload that no declaration has taken.

    Raises:
        NotFound: ``upload_not_found``.
    """
    found = models.uploads_by_id(session, [upload_id]).get(upload_id)
    if found is None or found.declaration_id is not None:
        raise NotFound("upload_not_found")
    return found


def drop_upload(session: Session, upload_id: str) -> None:
    _drop(session, [find_upload(session, upload_id)])


def drop_unused_uploads(session: Session, *, at: datetime) -> int:
    """Forget uploads that nobody used; return how many."""
    unused = models.unused_uploads(session, at - UNUSED_LIFE, AT_ONCE)
    _drop(session, unused)
    return len(unused)


def drop_uploads_of(session: Session, declaration_id: str) -> None:
    _drop(session, models.uploads_of(session, declaration_id))


def _drop(session: Session, uploads: Any) -> None:
    models.erase_files(session, [upload.key for upload in uploads])
    for upload in uploads:
        session.delete(upload)
