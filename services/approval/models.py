"""Approval's tables, how its things are mapped to them, and every query."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from services.approval.domain.officer import Officer, OfficerSession, SignInAttempts
from services.approval.domain.register import Person
from services.approval.domain.review import Dossier, Review
from shared.language.clock import HANDLING_DAYS, working_days_before
from shared.language.errors import NotFound, Unauthenticated
from shared.language.text import search_key
from shared.language.values import Agency, Condition, Status
from shared.storage.columns import JsonOf, UtcDateTime
from shared.storage.database import mapping

mapper = mapping()
metadata = mapper.metadata

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("declaration_id", sa.String(36), primary_key=True),
    sa.Column("number", sa.String(20), nullable=False, unique=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("agency_code", sa.String(5), nullable=False),
    sa.Column("agency", JsonOf(Agency), nullable=False),
    sa.Column("insurance_code", sa.String(10)),
    sa.Column("full_name", sa.String(100)),
    sa.Column("name_key", sa.String(100)),
    sa.Column("dossier", JsonOf(Dossier)),
    sa.Column("submitted_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("assigned_to", sa.String(60)),
    sa.Column("received_at", UtcDateTime),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("decided_at", UtcDateTime),
    sa.Column("decided_by", sa.String(60)),
    sa.Column("reason", sa.Text),
    sa.Column("history", sa.JSON, nullable=False),
)
# the queue of an agency, oldest first, and each way officers search it
sa.Index("ix_reviews_queue", reviews.c.agency_code, reviews.c.status, reviews.c.submitted_at, reviews.c.number)
sa.Index("ix_reviews_all", reviews.c.agency_code, reviews.c.submitted_at, reviews.c.number)
sa.Index("ix_reviews_kind", reviews.c.agency_code, reviews.c.kind, reviews.c.submitted_at, reviews.c.number)
sa.Index("ix_reviews_insurance_code", reviews.c.insurance_code)

officers = sa.Table(
    "officers",
    metadata,
    sa.Column("username", sa.String(60), primary_key=True),
    sa.Column("agency_code", sa.String(5), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("password_hash", sa.String(200), nullable=False),
)

sign_in_attempts = sa.Table(
    "sign_in_attempts",
    metadata,
    sa.Column("username", sa.String(60), primary_key=True),
    sa.Column("last_at", UtcDateTime, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("locked_until", UtcDateTime),
)

officer_sessions = sa.Table(
    "officer_sessions",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("username", sa.String(60), sa.ForeignKey("officers.username"), nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
)

used_uploads = sa.Table(  # of declarations and of officers: an upload is used once
    "used_uploads",
    metadata,
    sa.Column("upload_id", sa.String(36), primary_key=True),
)

register_people = sa.Table(
    "register_people",
    metadata,
    sa.Column("insurance_code", sa.String(10), primary_key=True),
    sa.Column("full_name", sa.String(100), nullable=False),
    sa.Column("birth_date", sa.String(10), nullable=False),
    sa.Column("gender", sa.String(10), nullable=False),
    sa.Column("id_number", sa.String(12)),
)

mapper.map_imperatively(Review, reviews)
mapper.map_imperatively(Officer, officers)
mapper.map_imperatively(SignInAttempts, sign_in_attempts)
mapper.map_imperatively(OfficerSession, officer_sessions)


# Statements that run for every declaration are built once: building them takes longer than sending them.
_BY_NUMBER = sa.select(Review).where(reviews.c.number == sa.bindparam("number"))
_BY_NUMBER_LOCKED = _BY_NUMBER.with_for_update()
_BY_ID = sa.select(Review).where(reviews.c.declaration_id == sa.bindparam("declaration_id"))
_BY_ID_LOCKED = _BY_ID.with_for_update()
_SESSION = (
    sa.select(OfficerSession, Officer)
    .join(Officer, officers.c.username == officer_sessions.c.username)
    .where(officer_sessions.c.token_hash == sa.bindparam("token_hash"))
)
_PERSON = sa.select(register_people).where(register_people.c.insurance_code == sa.bindparam("insurance_code"))


def get_review(session: Session, number: str, *, for_update: bool = False) -> Review:
    if "\0" in number:  # PostgreSQL accepts no such text
        raise NotFound
    found = session.scalars(_BY_NUMBER_LOCKED if for_update else _BY_NUMBER, {"number": number}).first()
    if found is None:
        raise NotFound
    return found


def review_of(session: Session, declaration_id: str, *, for_update: bool = False) -> Review | None:
    return session.scalars(_BY_ID_LOCKED if for_update else _BY_ID, {"declaration_id": declaration_id}).first()


def reviews_found(session: Session, agency_code: str, search: dict[str, Any], now: datetime) -> Sequence[Review]:
    """Return the reviews of an agency that fit the search, oldest first, one more than ``limit``."""
    query = sa.select(Review).where(reviews.c.agency_code == agency_code)
    for name in ("number", "insurance_code", "status", "kind"):
        if search.get(name):
            query = query.where(reviews.c[name] == search[name])
    if search.get("from"):
        query = query.where(reviews.c.submitted_at >= search["from"])
    if search.get("to"):
        query = query.where(reviews.c.submitted_at < search["to"])
    if search.get("q"):
        query = query.where(reviews.c.name_key.contains(search_key(search["q"]), autoescape=True))
    if search.get("condition"):
        query = query.where(_in_condition(search["condition"], now))
    if search.get("cursor"):
        submitted_at, number = search["cursor"]
        here = sa.tuple_(reviews.c.submitted_at, reviews.c.number)
        query = query.where(here > sa.tuple_(sa.bindparam("at", submitted_at, UtcDateTime), sa.literal(number)))
    query = query.order_by(reviews.c.submitted_at, reviews.c.number).limit(search["limit"] + 1)
    return session.scalars(query).all()


def _in_condition(wanted: str, now: datetime) -> Any:
    late = working_days_before(now, HANDLING_DAYS)
    pending = reviews.c.status == Status.PENDING.value
    fits = {
        Condition.AWAITING_VISIT: reviews.c.received_at.is_(None),
        Condition.RECEIVED: reviews.c.received_at >= late,
        Condition.OVERDUE: reviews.c.received_at < late,
    }
    return sa.and_(pending, fits[Condition(wanted)])


def is_upload_used(session: Session, upload_id: str) -> bool:
    query = sa.select(used_uploads.c.upload_id).where(used_uploads.c.upload_id == upload_id)
    return session.execute(query).first() is not None


def use_upload(session: Session, upload_id: str) -> None:
    """Note an upload as used; of two officers who use one at the same instant, the second meets a conflict."""
    session.execute(sa.insert(used_uploads).values(upload_id=upload_id))


def note_used_uploads(session: Session, keys: Iterable[str]) -> None:
    """Note the uploads under these keys as used, those that are noted already included."""
    rows = [{"upload_id": PurePosixPath(key).stem} for key in keys]
    if rows:
        session.execute(_dialect(session).insert(used_uploads).on_conflict_do_nothing(), rows)


def _dialect(session: Session) -> Any:
    """Return the module whose ``insert`` speaks the database's dialect."""
    return postgresql if session.get_bind().dialect.name == "postgresql" else sqlite


def officer_named(session: Session, username: str) -> Officer | None:
    return session.scalars(sa.select(Officer).where(officers.c.username == username)).first()


def attempts_under(session: Session, username: str) -> SignInAttempts | None:
    """Return the failed attempts under a name, locked until this transaction ends."""
    query = sa.select(SignInAttempts).where(sign_in_attempts.c.username == username)
    return session.scalars(query.with_for_update()).first()


def forget_attempts(session: Session, username: str) -> None:
    session.execute(sa.delete(sign_in_attempts).where(sign_in_attempts.c.username == username))


def forget_old_attempts(session: Session, *, before: datetime) -> None:
    session.execute(sa.delete(sign_in_attempts).where(sign_in_attempts.c.last_at < before))


def session_of(session: Session, token_hash: str) -> tuple[OfficerSession, Officer]:
    """Return the session of a token and its officer.

    Raises:
        Unauthenticated: there is none.
    """
    found = session.execute(_SESSION, {"token_hash": token_hash}).first()
    if found is None:
        raise Unauthenticated
    return found[0], found[1]


def end_sessions(session: Session, *, before: datetime) -> None:
    session.execute(sa.delete(officer_sessions).where(officer_sessions.c.expires_at < before))


def end_sessions_of(session: Session, username: str) -> None:
    session.execute(sa.delete(officer_sessions).where(officer_sessions.c.username == username))


def person_registered(session: Session, insurance_code: str) -> Person | None:
    row = session.execute(_PERSON, {"insurance_code": insurance_code}).mappings().first()
    return Person(**row) if row else None


def put_people(session: Session, people: list[dict[str, Any]]) -> None:
    """Add people to the register, or bring known ones up to date."""
    row = _dialect(session).insert(register_people)
    updated = {column.name: row.excluded[column.name] for column in register_people.c if not column.primary_key}
    session.execute(row.on_conflict_do_update(index_elements=["insurance_code"], set_=updated), people)
