"""A journal for a test: rows of every kind over several days, a signed root at the beginning of each."""

from datetime import timedelta
from itertools import cycle

from services.approval import models
from services.approval.domain.journal import Act, Head, Root
from services.approval.domain.officer import Officer
from services.approval.domain.review import open_review
from services.approval.handlers.journal import sign_root, verify_journal
from shared.settings import Settings
from shared.storage.database import Database
from shared.storage.signatures import Signer, is_signed
from tests.support.events import AT, declaration_submitted

OFFICERS = [Officer("canbo.mau", "07921", "officer", "hash"), Officer("canbo.khac", "079", "officer", "hash")]
REVIEWS = [
    open_review(declaration_submitted(declaration_id=f"declaration-{count}", number=f"2026-{count:07d}"))
    for count in range(1, 6)
]
DETAILS = {Act.PHOTO_VIEWED: "portrait", Act.SEARCHED: "q,status: 2026-0000001", Act.APPROVAL_REFUSED: "id_mismatch"}
ACTS = [act for act in Act if act is not Act.ROOT_SIGNED]


def fill(database: Database, settings: Settings, *, days: int, rows_a_day: int) -> Signer:
    """Write the journal, and return who signed it; its last row is a root."""
    signer = Signer(settings)
    acts, officers, reviews = cycle(ACTS), cycle(OFFICERS), cycle(REVIEWS)
    with database.begin() as session:
        for day in range(days):
            at = AT + timedelta(days=day)
            assert sign_root(session, signer.sign, at=at) is not None
            for count in range(rows_a_day):
                act = next(acts)
                models.record(
                    session,
                    act,
                    next(officers),
                    f"{count:064x}",
                    at=at + timedelta(minutes=count),
                    review=next(reviews),
                    detail=DETAILS.get(act, ""),
                )
        assert sign_root(session, signer.sign, at=AT + timedelta(days=days)) is not None
    return signer


def verify(database: Database, signer: Signer, kept: tuple[Root, ...] = ()) -> tuple[Head, Root | None]:
    """Verify the journal as `vssid audit verify` does."""

    def is_ours(text: str, signature: str) -> bool:
        return is_signed(signer.public_keys, text, signature)

    with database.begin() as session:
        return verify_journal(session, is_ours, kept)


TABLES = ("journal_entries", "journal_head")


def unprotect(database: Database) -> None:
    """Remove what protects the rows, as who owns the tables could."""
    take_rights(database)
    disable_triggers(database)


def take_rights(database: Database) -> None:
    """Take back the rights that the migration gave up; SQLite knows none."""
    if database.engine.dialect.name == "postgresql":
        with database.begin() as session:
            for table in TABLES:
                session.connection().exec_driver_sql(f"GRANT ALL ON {table} TO CURRENT_USER")


def disable_triggers(database: Database) -> None:
    with database.begin() as session:
        connection = session.connection()
        if database.engine.dialect.name == "postgresql":
            for table in TABLES:
                connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            return
        found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all()
        for (name,) in found:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
