"""Pictures: kept for a declaration, deleted when none uses them."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from services.registration import models
from services.registration.domain.upload import UNUSED_LIFETIME, Upload
from shared.language.events import PhotoReplaced
from shared.storage.database import insert

BATCH_SIZE = 100  # uploads dropped in one transaction


def keep_upload(session: Session, upload: Upload) -> Upload:
    insert(session, models.uploads, upload)
    return upload


def drop_replacement(session: Session, event: PhotoReplaced) -> None:
    """Drop the upload that approval copied into a dossier; one that a declaration used meanwhile stays."""
    upload = models.unused_upload(session, event.upload_id)
    if upload is not None:
        _drop(session, [upload])


def drop_unused_uploads(session: Session, *, at: datetime) -> int:
    """Drop a batch of the uploads that nobody used in time; return how many."""
    unused = models.unused_uploads(session, at - UNUSED_LIFETIME, BATCH_SIZE)
    _drop(session, unused)
    return len(unused)


def drop_uploads_of(session: Session, declaration_id: str) -> int:
    """Drop the pictures of a declaration; return how many."""
    used = models.uploads_of(session, declaration_id)
    _drop(session, used)
    return len(used)


def _drop(session: Session, uploads: Iterable[Upload]) -> None:
    for upload in uploads:
        models.erase_files(session, [upload.key])
        session.delete(upload)
