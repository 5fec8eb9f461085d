"""Approval's tables, how its things are mapped to them, and every query."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.approval.domain.journal import Act, Entry, Head, Root, root_of
from services.approval.domain.officer import (
    IDLE_LIFETIME,
    SESSION_ID_LENGTH,
    USE_PRECISION,
    Officer,
    OfficerSession,
    session_id_of,
)
from services.approval.domain.register import Person
from services.approval.domain.review import Dossier, Review, Standing
from services.approval.domain.sign_in import AddressAttempts, SignInAttempts
from shared import logs
from shared.language.clock import HANDLING_DAYS, working_days_before
from shared.language.errors import NotFound, Unauthenticated
from shared.language.text import search_key
from shared.language.values import Agency, Condition, DeclarationKind, Status
from shared.storage.columns import JsonOf, UtcDateTime, insert_on
from shared.storage.database import insert, mapping
from shared.storage.quotas import quotas_table

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
    sa.Column("password_undelivered_at", UtcDateTime),
)
# the queue of an agency, oldest first, and each way officers search it
sa.Index("ix_reviews_queue", reviews.c.agency_code, reviews.c.status, reviews.c.submitted_at, reviews.c.number)
sa.Index("ix_reviews_all", reviews.c.agency_code, reviews.c.submitted_at, reviews.c.number)
sa.Index("ix_reviews_kind", reviews.c.agency_code, reviews.c.kind, reviews.c.submitted_at, reviews.c.number)
sa.Index("ix_reviews_insurance_code", reviews.c.insurance_code)
UNDELIVERED = reviews.c.password_undelivered_at.is_not(None)
sa.Index(
    "ix_reviews_undelivered",
    *(reviews.c.agency_code, reviews.c.submitted_at, reviews.c.number),
    postgresql_where=UNDELIVERED,
    sqlite_where=UNDELIVERED,
)

# for the deletion of what is kept no longer
DECIDED = sa.and_(reviews.c.dossier.is_not(None), reviews.c.status.in_([Status.APPROVED.value, Status.REJECTED.value]))
sa.Index("ix_reviews_decided", reviews.c.decided_at, postgresql_where=DECIDED, sqlite_where=DECIDED)

account_codes = sa.Table(  # insurance codes that were approved for an account: each is so once
    "account_codes",
    metadata,
    sa.Column("insurance_code", sa.String(10), primary_key=True),
    sa.Column("declaration_id", sa.String(36), nullable=False, index=True),
    sa.Column("approved_at", UtcDateTime, nullable=False),
)

officers = sa.Table(
    "officers",
    metadata,
    sa.Column("username", sa.String(60), primary_key=True),
    sa.Column("agency_code", sa.String(5), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("password_hash", sa.String(200), nullable=False),
    sa.Column("otp_secret", sa.String(300)),
    sa.Column("otp_step", sa.BigInteger),
    sa.Column("last_sign_in_at", UtcDateTime),
    sa.Column("expires_at", UtcDateTime),
)

officer_addresses = sa.Table(  # from which officers signed in
    "officer_addresses",
    metadata,
    sa.Column("username", sa.String(60), sa.ForeignKey("officers.username"), primary_key=True),
    sa.Column("address", sa.String(64), primary_key=True),
    sa.Column("last_at", UtcDateTime, nullable=False, index=True),
)

address_attempts = sa.Table(
    "address_attempts",
    metadata,
    sa.Column("username", sa.String(60), primary_key=True),
    sa.Column("address", sa.String(64), primary_key=True),
    sa.Column("last_at", UtcDateTime, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("locked_until", UtcDateTime),
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
    sa.Column("session_id", sa.String(SESSION_ID_LENGTH), primary_key=True),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("username", sa.String(60), sa.ForeignKey("officers.username"), nullable=False, index=True),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("last_used_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
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

journal_entries = sa.Table(  # nobody changes or deletes a row: triggers refuse it (migrations/0009)
    "journal_entries",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("act", sa.String(20), nullable=False),
    sa.Column("officer", sa.String(60), nullable=False),
    sa.Column("agency_code", sa.String(5), nullable=False),
    sa.Column("declaration_id", sa.String(36), nullable=False),
    sa.Column("number", sa.String(20), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("address", sa.String(45), nullable=False),
    sa.Column("session_id", sa.String(SESSION_ID_LENGTH), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
# who looked at a declaration; whose dossiers an officer saw (D9); what an auditor of an agency pages through
sa.Index("ix_journal_entries_number", journal_entries.c.number, journal_entries.c.sequence)
sa.Index("ix_journal_entries_officer", journal_entries.c.officer, journal_entries.c.at)
sa.Index("ix_journal_entries_agency", journal_entries.c.agency_code, journal_entries.c.sequence)
_IS_ROOT = journal_entries.c.act == sa.literal_column("'root_signed'")
sa.Index("ix_journal_entries_roots", journal_entries.c.sequence, postgresql_where=_IS_ROOT, sqlite_where=_IS_ROOT)

journal_head = sa.Table(  # one row; a trigger moves it from one row of the journal to the next, and nowhere else
    "journal_head",
    metadata,
    sa.Column("head_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

quotas_table(metadata)

mapper.map_imperatively(Review, reviews)
mapper.map_imperatively(Officer, officers)
mapper.map_imperatively(AddressAttempts, address_attempts)
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
_LOCK_CODE = sa.text("SELECT pg_advisory_xact_lock(hashtext('insurance_code'), hashtext(:code))")
_APPROVED_AT = sa.select(account_codes.c.approved_at).where(
    account_codes.c.insurance_code == sa.bindparam("insurance_code")
)
_HEAD = sa.select(journal_head.c.sequence, journal_head.c.hash)
_HEAD_LOCKED = _HEAD.with_for_update()
_MOVE_HEAD = sa.update(journal_head)
_ENTRIES = sa.select(journal_entries)
_ROOTS = _ENTRIES.where(_IS_ROOT).order_by(journal_entries.c.sequence)
_PENDING_REGISTER = sa.and_(reviews.c.status == Status.PENDING.value, reviews.c.kind == DeclarationKind.REGISTER.value)


_STANDINGS = (
    sa.select(reviews.c.insurance_code, sa.func.count(), account_codes.c.insurance_code)
    .outerjoin(account_codes, account_codes.c.insurance_code == reviews.c.insurance_code)
    .where(reviews.c.insurance_code.in_(sa.bindparam("codes", expanding=True)), _PENDING_REGISTER)
    .group_by(reviews.c.insurance_code, account_codes.c.insurance_code)
)


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
    if search.get("password_undelivered") is not None:
        query = query.where(UNDELIVERED if search["password_undelivered"] else sa.not_(UNDELIVERED))
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


def decided_reviews(session: Session, kind: str, before: datetime, limit: int) -> Sequence[Review]:
    """Return reviews of a kind that were decided before a moment and still have their personal part."""
    query = sa.select(Review).where(DECIDED, reviews.c.kind == kind, reviews.c.decided_at < before)
    return session.scalars(query.order_by(reviews.c.decided_at).limit(limit)).all()


def lock_code(session: Session, insurance_code: str) -> None:
    """Make whoever opens or approves another registration of the code wait until this transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_LOCK_CODE, {"code": insurance_code})


def account_approved_at(session: Session, insurance_code: str) -> datetime | None:
    """Return when a registration of the code was approved, or None where none was."""
    return session.scalars(_APPROVED_AT, {"insurance_code": insurance_code}).first()


def account_declaration(session: Session, insurance_code: str) -> str | None:
    """Return the id of the declaration that opened the account of a code, or None where it has none."""
    query = sa.select(account_codes.c.declaration_id).where(account_codes.c.insurance_code == insurance_code)
    return session.scalars(query).first()


def reserve_account(session: Session, insurance_code: str, declaration_id: str, at: datetime) -> bool:
    """Note that a code gets its account by this declaration; return False where it has one by another."""
    row = _insert_on(session, account_codes).on_conflict_do_nothing().returning(account_codes.c.insurance_code)
    values = {"insurance_code": insurance_code, "declaration_id": declaration_id, "approved_at": at}
    return session.execute(row, values).first() is not None


def release_account(session: Session, declaration_id: str) -> None:
    """Forget that a declaration was approved: it had been withdrawn before, and opened no account."""
    session.execute(sa.delete(account_codes).where(account_codes.c.declaration_id == declaration_id))


def pending_under(session: Session, insurance_code: str) -> Sequence[Review]:
    """Return the pending registrations of an insurance code, at whatever agency, locked in the order of their ids."""
    query = sa.select(Review).where(reviews.c.insurance_code == insurance_code, _PENDING_REGISTER)
    return session.scalars(query.order_by(reviews.c.declaration_id).with_for_update()).all()


def standings(session: Session, found: Sequence[Review]) -> dict[str, Standing]:
    """Return what else is known of the insurance codes of pending registrations, by code."""
    codes = {review.insurance_code for review in found if review.opens_account and review.status == Status.PENDING}
    if not codes:
        return {}
    rows = session.execute(_STANDINGS, {"codes": list(codes)})
    return {code: Standing(account is not None, pending - 1) for code, pending, account in rows}


def use_upload(session: Session, upload_id: str) -> bool:
    """Note an upload as used; return False where it was used before, by another officer at the same instant even."""
    row = _insert_on(session, used_uploads).on_conflict_do_nothing().returning(used_uploads.c.upload_id)
    return session.execute(row, {"upload_id": upload_id}).first() is not None


def note_used_uploads(session: Session, keys: Iterable[str]) -> None:
    """Note the uploads under these keys as used, those that are noted already included."""
    rows = [{"upload_id": PurePosixPath(key).stem} for key in keys]
    if rows:
        session.execute(_insert_on(session, used_uploads).on_conflict_do_nothing(), rows)


def _insert_on(session: Session, table: sa.Table) -> Any:
    return insert_on(session.get_bind().dialect.name, table)


def reviews_assigned_to(session: Session, username: str) -> Sequence[Review]:
    """Return the pending reviews that an officer has received, locked in the order of their ids."""
    query = sa.select(Review).where(reviews.c.assigned_to == username, reviews.c.status == Status.PENDING.value)
    return session.scalars(query.order_by(reviews.c.declaration_id).with_for_update()).all()


def find_officer(session: Session, username: str, *, for_update: bool = False) -> Officer | None:
    query = sa.select(Officer).where(officers.c.username == username)
    return session.scalars(query.with_for_update() if for_update else query).first()


def get_officer(session: Session, username: str, *, for_update: bool = False) -> Officer:
    found = find_officer(session, username, for_update=for_update)
    if found is None:
        raise NotFound("officer_not_found")
    return found


def all_officers(session: Session, agency_code: str | None = None) -> Sequence[Officer]:
    """Return the officers, of an agency or of all, by name."""
    query = sa.select(Officer).order_by(officers.c.username)
    return session.scalars(query.where(officers.c.agency_code == agency_code) if agency_code else query).all()


def expired_officers(session: Session, at: datetime) -> Sequence[str]:
    return session.scalars(sa.select(officers.c.username).where(officers.c.expires_at <= at)).all()


def delete_officer(session: Session, officer: Officer) -> None:
    """Delete an officer, whose sessions are ended, with addresses and failed attempts."""
    session.execute(sa.delete(officer_addresses).where(officer_addresses.c.username == officer.username))
    forget_attempts(session, officer.username)
    session.delete(officer)


def attempts_from(session: Session, username: str, address: str, at: datetime) -> AddressAttempts:
    """Return the failed attempts under a name from an address, locked until this transaction ends."""
    insert(session, address_attempts, AddressAttempts(username, address, at))
    named = (address_attempts.c.username == username, address_attempts.c.address == address)
    return session.scalars(sa.select(AddressAttempts).where(*named).with_for_update()).one()


def attempts_under(session: Session, username: str, at: datetime) -> SignInAttempts:
    """Return the failed attempts under a name from unknown addresses, locked until this transaction ends."""
    insert(session, sign_in_attempts, SignInAttempts(username, at))
    query = sa.select(SignInAttempts).where(sign_in_attempts.c.username == username)
    return session.scalars(query.with_for_update()).one()


def is_address_of(session: Session, username: str, address: str) -> bool:
    """Say whether an officer of that name has signed in from an address."""
    named = (officer_addresses.c.username == username, officer_addresses.c.address == address)
    return session.execute(sa.select(officer_addresses.c.address).where(*named)).first() is not None


def note_address(session: Session, username: str, address: str, at: datetime) -> None:
    row = _insert_on(session, officer_addresses)
    again = row.on_conflict_do_update(index_elements=["username", "address"], set_={"last_at": row.excluded.last_at})
    session.execute(again, {"username": username, "address": address, "last_at": at})


def forget_attempts(session: Session, username: str) -> None:
    for table in (address_attempts, sign_in_attempts):
        session.execute(sa.delete(table).where(table.c.username == username))


def forget_old_attempts(session: Session, *, before: datetime) -> None:
    for table in (address_attempts, sign_in_attempts):
        session.execute(sa.delete(table).where(table.c.last_at < before))


def forget_old_addresses(session: Session, *, before: datetime) -> None:
    session.execute(sa.delete(officer_addresses).where(officer_addresses.c.last_at < before))


def locks(session: Session, at: datetime) -> dict[str, datetime]:
    """Return the names that are locked at some address, or at all unknown ones, and until when the last lock lasts."""
    found: dict[str, datetime] = {}
    for table in (address_attempts, sign_in_attempts):
        query = sa.select(table.c.username, table.c.locked_until).where(table.c.locked_until > at)
        for username, until in session.execute(query):
            found[username] = max(until, found.get(username, until))
    return found


def session_of(session: Session, token_hash: str) -> tuple[OfficerSession, Officer]:
    """Return the session of a token and its officer.

    Raises:
        Unauthenticated: there is none.
    """
    found = session.execute(_SESSION, {"token_hash": token_hash}).first()
    if found is None:
        raise Unauthenticated
    return found[0], found[1]


def note_use(session: Session, session_id: str, at: datetime) -> None:
    """Note when a session was used, unless another request has just done so, or the session has been ended."""
    due = (officer_sessions.c.session_id == session_id, officer_sessions.c.last_used_at <= at - USE_PRECISION)
    session.execute(sa.update(officer_sessions).where(*due).values(last_used_at=at))


def running_sessions(
    session: Session, at: datetime, usernames: Iterable[str] | None = None
) -> Sequence[OfficerSession]:
    """Return the sessions that are not over, of some officers or of all, oldest first."""
    running = (officer_sessions.c.expires_at > at, officer_sessions.c.last_used_at > at - IDLE_LIFETIME)
    query = sa.select(OfficerSession).where(*running).order_by(officer_sessions.c.created_at)
    if usernames is not None:
        query = query.where(officer_sessions.c.username.in_(list(usernames)))
    return session.scalars(query).all()


def end_session(session: Session, username: str, session_id: str) -> bool:
    """End a session of an officer; say whether there was one."""
    named = (officer_sessions.c.session_id == session_id, officer_sessions.c.username == username)
    ended = sa.delete(officer_sessions).where(*named).returning(officer_sessions.c.session_id)
    return session.execute(ended).first() is not None


def end_sessions_of(session: Session, username: str) -> None:
    session.execute(sa.delete(officer_sessions).where(officer_sessions.c.username == username))


def clear_sessions(session: Session, at: datetime) -> None:
    """Delete the sessions that are over."""
    is_over = sa.or_(officer_sessions.c.expires_at <= at, officer_sessions.c.last_used_at <= at - IDLE_LIFETIME)
    session.execute(sa.delete(officer_sessions).where(is_over))


def person_registered(session: Session, insurance_code: str) -> Person | None:
    row = session.execute(_PERSON, {"insurance_code": insurance_code}).mappings().first()
    return Person(**row) if row else None


def lock_journal(session: Session) -> Head:
    """Return where the journal ends, and let nobody else append to it until this transaction ends.

    What the transaction changed is written first: whoever holds this lock waits for no other.
    """
    session.flush()
    return Head(*session.execute(_HEAD_LOCKED).one())


def record(
    session: Session,
    act: Act,
    officer: Officer | None = None,
    hashed_token: str = "",
    *,
    at: datetime,
    review: Review | None = None,
    detail: str = "",
) -> None:
    """Append a row to the journal: the last step of a transaction, so that nothing is shown or done without it."""
    head = lock_journal(session)
    entry = Entry(
        sequence=head.sequence + 1,
        at=at,
        act=act,
        officer=officer.username if officer else "",
        agency_code=officer.agency_code if officer else "",
        declaration_id=review.declaration_id if review else "",
        number=review.number if review else "",
        detail=detail,
        address=logs.caller(),
        session_id=session_id_of(hashed_token),
        request_id=logs.request_id(),
        previous=head.hash,
    )
    entry.hash = entry.own_hash()
    session.execute(sa.insert(journal_entries), vars(entry))
    session.execute(_MOVE_HEAD, {"sequence": entry.sequence, "hash": entry.hash})


def heads(session: Session) -> Sequence[Head]:
    """Return where the journal ends; one, where nobody meddled."""
    return [Head(*row) for row in session.execute(_HEAD)]


def all_entries(session: Session) -> Iterator[Entry]:
    """Yield the journal in order, a few thousand rows in memory at once."""
    rows = session.execute(_ENTRIES.order_by(journal_entries.c.sequence), execution_options={"yield_per": 5000})
    return (Entry(*row) for row in rows)


def roots(session: Session) -> Sequence[Root]:
    return [root_of(Entry(*row)) for row in session.execute(_ROOTS)]


def newest_root(session: Session) -> Root | None:
    newest = _ENTRIES.where(_IS_ROOT).order_by(journal_entries.c.sequence.desc()).limit(1)
    row = session.execute(newest).first()
    return root_of(Entry(*row)) if row else None


def entries_found(session: Session, search: dict[str, Any]) -> Sequence[Entry]:
    """Return the rows that fit the search, newest first, one more than its ``limit`` where it has one."""
    query = _ENTRIES.order_by(journal_entries.c.sequence.desc())
    for name in ("agency_code", "number", "officer"):
        if search.get(name):
            query = query.where(journal_entries.c[name] == search[name])
    if search.get("from"):
        query = query.where(journal_entries.c.at >= search["from"])
    if search.get("to"):
        query = query.where(journal_entries.c.at < search["to"])
    if search.get("cursor"):
        query = query.where(journal_entries.c.sequence < search["cursor"])
    if search.get("limit"):
        query = query.limit(search["limit"] + 1)
    return [Entry(*row) for row in session.execute(query)]
