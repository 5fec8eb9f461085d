"""The journal: read by auditors, signed once a day, verified. Each handler records its own act, as its last step."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.approval import models
from services.approval.domain.journal import Act, BrokenJournal, Entry, Head, Root, root_day, root_text, verify
from services.approval.domain.officer import Permission, token_hash
from services.approval.handlers.officer import officer_of


def list_entries(session: Session, token: str, search: dict[str, Any], *, at: datetime) -> Sequence[Entry]:
    """Return the rows of the auditor's agency that fit the search, newest first, one more than its ``limit``.

    Raises:
        Forbidden: the officer is no auditor.
    """
    officer = officer_of(session, token, Permission.READ_JOURNAL, at=at)
    found = models.entries_found(session, {**search, "agency_code": officer.agency_code})
    criteria = ",".join(name for name in ("number", "officer", "from", "to") if search.get(name))
    models.record(session, Act.JOURNAL_VIEWED, officer, token_hash(token), at=at, detail=criteria)
    return found


def sign_root(session: Session, sign: Callable[[str], str], *, at: datetime) -> Root | None:
    """Sign where the journal ends, once a day of Vietnam; return the root where it is new."""
    head = models.lock_journal(session)  # first, so that of several processes one signs
    newest, day = models.newest_root(session), root_day(at)
    if newest is not None and newest.day >= day:
        return None
    signature = sign(root_text(day, head))
    models.record(session, Act.ROOT_SIGNED, at=at, detail=f"{day} {signature}")
    return Root(day, head.sequence, head.hash, signature)


def verify_journal(
    session: Session, is_signed: Callable[[str, str], bool], kept: Iterable[Root]
) -> tuple[Head, Root | None]:
    """Check the whole journal; others may append to it meanwhile.

    Raises:
        BrokenJournal: it is not what was written.
    """
    heads = models.heads(session)
    end, root = verify(models.all_entries(session), heads[0] if len(heads) == 1 else None, is_signed, kept)
    if end.sequence > max(head.sequence for head in models.heads(session)):
        raise BrokenJournal(end.sequence, "it comes after the head of the journal")
    return end, root
