"""Registration's tables, how its things are mapped to them, and every query."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.registration.domain.account import Account
from services.registration.domain.declaration import NUMBER, Applicant, Declaration
from services.registration.domain.upload import Upload, form_key, form_of
from shared.language.errors import NotFound
from shared.language.values import Address, Agency, Contact, DeclarationKind, IdDocument, Status
from shared.storage.columns import JsonOf, UtcDateTime, insert_on
from shared.storage.database import mapping
from shared.storage.quotas import quotas_table

mapper = mapping()
metadata = mapper.metadata

declarations = sa.Table(
    "declarations",
    metadata,
    sa.Column("declaration_id", sa.String(36), primary_key=True),
    sa.Column("number", sa.String(20), nullable=False, unique=True),
    sa.Column("tracking_code", sa.String(20), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("agency", JsonOf(Agency), nullable=False),
    sa.Column("insurance_code", sa.String(10)),
    sa.Column("phone", sa.String(20)),
    sa.Column("applicant", JsonOf(Applicant)),
    sa.Column("submitted_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("received_at", UtcDateTime),
    sa.Column("handled_version", sa.Integer, nullable=False),
    sa.Column("decided_at", UtcDateTime),
    sa.Column("reason", sa.Text),
    sa.Column("history", sa.JSON, nullable=False),
)
PENDING = declarations.c.status == Status.PENDING.value
# one pending registration of a code and a phone, however many are submitted at the same instant; other phones may
# declare for the code as well, for whoever does not hold a phone must not block the person who is named
sa.Index(
    "uq_declarations_pending_register",
    declarations.c.insurance_code,
    declarations.c.phone,
    unique=True,
    postgresql_where=sa.and_(PENDING, declarations.c.kind == DeclarationKind.REGISTER.value),
    sqlite_where=sa.and_(PENDING, declarations.c.kind == DeclarationKind.REGISTER.value),
)
sa.Index("ix_declarations_undecided", declarations.c.expires_at, postgresql_where=PENDING, sqlite_where=PENDING)
# for the deletion of what is kept no longer
DECIDED = sa.and_(
    declarations.c.applicant.is_not(None),
    declarations.c.status.in_([Status.APPROVED.value, Status.REJECTED.value]),
)
sa.Index("ix_declarations_decided", declarations.c.decided_at, postgresql_where=DECIDED, sqlite_where=DECIDED)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("account_id", sa.String(36), primary_key=True),
    sa.Column("insurance_code", sa.String(10), nullable=False, unique=True),
    sa.Column("declaration_id", sa.String(36), nullable=False, unique=True),
    sa.Column("full_name", sa.String(100), nullable=False),
    sa.Column("birth_date", sa.String(10), nullable=False),
    sa.Column("gender", sa.String(10), nullable=False),
    sa.Column("id_document", JsonOf(IdDocument), nullable=False),
    sa.Column("address", JsonOf(Address), nullable=False),
    sa.Column("contact", JsonOf(Contact), nullable=False),
    sa.Column("password_hash", sa.String(200), nullable=False),
    sa.Column("password_expires_at", UtcDateTime, nullable=False),
    sa.Column("must_change_password", sa.Boolean, nullable=False),
    sa.Column("activated_at", UtcDateTime, nullable=False),
    sa.Column("password_version", sa.Integer, nullable=False, server_default="0"),
)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("upload_id", sa.String(36), primary_key=True),
    sa.Column("purpose", sa.String(20), nullable=False),
    sa.Column("content_type", sa.String(40), nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("key", sa.String(120), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    sa.Column("declaration_id", sa.String(36), index=True),
)

erasures = sa.Table(  # files whose rows were deleted; a timer deletes them, however often it is interrupted
    "erasures",
    metadata,
    sa.Column("key", sa.String(120), primary_key=True),
)

agencies = sa.Table(
    "agencies",
    metadata,
    sa.Column("code", sa.String(5), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("address", sa.String(300)),
    sa.Column("province_code", sa.String(2), nullable=False, index=True),
    sa.Column("opened_on", sa.Date, nullable=False),
    sa.Column("closed_on", sa.Date),
    sa.Column("note", sa.String(200)),
)

quotas_table(metadata)

mapper.map_imperatively(Declaration, declarations)
mapper.map_imperatively(Account, accounts)
mapper.map_imperatively(Upload, uploads)


# Statements that run for every declaration are built once: building them takes longer than sending them.
_BY_NUMBER = sa.select(Declaration).where(declarations.c.number == sa.bindparam("number"))
_BY_NUMBER_LOCKED = _BY_NUMBER.with_for_update()
_BY_ID_LOCKED = (
    sa.select(Declaration).where(declarations.c.declaration_id == sa.bindparam("declaration_id")).with_for_update()
)


def get_declaration(session: Session, number: str, *, for_update: bool = False) -> Declaration:
    if not NUMBER.fullmatch(number):
        raise NotFound  # a NUL or half a surrogate pair cannot even be asked for
    query = _BY_NUMBER_LOCKED if for_update else _BY_NUMBER
    found = session.scalars(query, {"number": number}).first()
    if found is None:
        raise NotFound
    return found


def locked_account(session: Session, insurance_code: str) -> Account:
    """Return the account of an insurance code, locked until this transaction ends.

    Raises:
        NotFound: it has none, or not yet.
    """
    query = sa.select(Account).where(accounts.c.insurance_code == insurance_code).with_for_update()
    found = session.scalars(query).first()
    if found is None:
        raise NotFound
    return found


def declaration_by_id(session: Session, declaration_id: str) -> Declaration:
    found = session.scalars(_BY_ID_LOCKED, {"declaration_id": declaration_id}).first()
    if found is None:
        raise NotFound
    return found


def _open(today: Any) -> Any:
    return sa.and_(
        agencies.c.opened_on <= today,
        sa.or_(agencies.c.closed_on.is_(None), agencies.c.closed_on > today),
    )


_ALWAYS = sa.select(sa.literal(1).label("one")).subquery()
_NAMED = sa.and_(agencies.c.code == sa.bindparam("agency_code"), _open(sa.bindparam("today", type_=sa.Date)))
_ADMISSION = sa.select(
    agencies.c.code, agencies.c.name, agencies.c.address, accounts.c.account_id, accounts.c.contact
).select_from(
    _ALWAYS.outerjoin(agencies, _NAMED).outerjoin(accounts, accounts.c.insurance_code == sa.bindparam("insurance_code"))
)


def admission(
    session: Session, insurance_code: str, agency_code: str, today: date
) -> tuple[Agency | None, tuple[str, Contact] | None]:
    """Return, in one query, the agency, if it is open today, and id and contact of the account the code has."""
    asked = {"insurance_code": insurance_code, "agency_code": agency_code, "today": today}
    row = session.execute(_ADMISSION, asked).one()
    agency = Agency(code=row.code, name=row.name, address=row.address) if row.code else None
    return agency, (row.account_id, row.contact) if row.account_id else None


def undecided_declarations(session: Session, now: datetime, limit: int) -> Sequence[Declaration]:
    """Return pending declarations that are due to expire and that no other instance has locked."""
    query = sa.select(Declaration).where(PENDING, declarations.c.expires_at <= now)
    return session.scalars(query.limit(limit).with_for_update(skip_locked=True)).all()


def decided_declarations(session: Session, kind: str, before: datetime, limit: int) -> Sequence[Declaration]:
    """Return declarations that were decided before a moment and still have their applicant; none that are locked."""
    query = sa.select(Declaration).where(DECIDED, declarations.c.kind == kind, declarations.c.decided_at < before)
    return session.scalars(query.limit(limit).with_for_update(skip_locked=True)).all()


_ACCOUNT = sa.select(Account).where(accounts.c.insurance_code == sa.bindparam("insurance_code"))


def account_of(session: Session, insurance_code: str) -> Account | None:
    return session.scalars(_ACCOUNT, {"insurance_code": insurance_code}).first()


def unused_upload(session: Session, upload_id: str) -> Upload | None:
    """Return an upload, if it is there and no declaration uses it; locked until this transaction ends."""
    query = sa.select(Upload).where(uploads.c.upload_id == upload_id, uploads.c.declaration_id.is_(None))
    return session.scalars(query.with_for_update()).first()


_USE_UPLOADS = (
    sa.update(uploads)
    .where(uploads.c.upload_id.in_(sa.bindparam("ids", expanding=True)), uploads.c.declaration_id.is_(None))
    .values(declaration_id=sa.bindparam("used_by"))
    .returning(uploads.c.upload_id, uploads.c.purpose, uploads.c.key)
)


def use_uploads(session: Session, upload_ids: Iterable[str], declaration_id: str) -> dict[str, tuple[str, str]]:
    """Mark unused uploads as a declaration's; return purpose and key of those that were unused, by id."""
    rows = session.execute(_USE_UPLOADS, {"ids": list(upload_ids), "used_by": declaration_id})
    return {row.upload_id: (row.purpose, row.key) for row in rows}


def uploads_of(session: Session, declaration_id: str) -> Sequence[Upload]:
    return session.scalars(sa.select(Upload).where(uploads.c.declaration_id == declaration_id)).all()


def unused_uploads(session: Session, before: datetime, limit: int) -> Sequence[Upload]:
    query = sa.select(Upload).where(uploads.c.declaration_id.is_(None), uploads.c.created_at < before)
    return session.scalars(query.limit(limit).with_for_update(skip_locked=True)).all()


def keys_without_rows(session: Session, keys: Sequence[str]) -> list[str]:
    """Return those of the keys that no upload and no declaration names."""
    uploaded = session.scalars(sa.select(uploads.c.key).where(uploads.c.key.in_(keys))).all()
    printed = [form_of(key) for key in keys]
    query = sa.select(declarations.c.declaration_id).where(declarations.c.declaration_id.in_(printed))
    known = {*uploaded, *(form_key(one) for one in session.scalars(query.where(declarations.c.applicant.is_not(None))))}
    return [key for key in keys if key not in known]


def erase_files(session: Session, keys: Iterable[str]) -> None:
    """Note files to be deleted once this transaction has committed."""
    rows = [{"key": key} for key in keys]
    if rows:
        insert = insert_on(session.get_bind().dialect.name, erasures)
        session.execute(insert.on_conflict_do_nothing(), rows)


def files_to_erase(session: Session, limit: int) -> Sequence[str]:
    return session.scalars(sa.select(erasures.c.key).limit(limit)).all()


def forget_erasures(session: Session, keys: Iterable[str]) -> None:
    session.execute(sa.delete(erasures).where(erasures.c.key.in_(list(keys))))


def open_agencies(
    session: Session, today: date, province_code: str | None, after: str, limit: int
) -> list[dict[str, Any]]:
    """Return agencies that are open today, in the order of their codes, after a code."""
    query = sa.select(agencies.c.code, agencies.c.name, agencies.c.address, agencies.c.province_code)
    query = query.where(_open(today), agencies.c.code > after).order_by(agencies.c.code).limit(limit)
    if province_code is not None:
        query = query.where(agencies.c.province_code == province_code)
    # SQLAlchemy's column names are a subclass of str, which JSON does not accept as keys
    return [{str(name): value for name, value in row.items()} for row in session.execute(query).mappings()]
