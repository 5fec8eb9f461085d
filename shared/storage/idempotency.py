"""Idempotency keys: the same request sent again gets its first answer, and is carried out once."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from shared.language.clock import utc_now
from shared.language.errors import FieldError, Invalid, Refused
from shared.storage.columns import UtcDateTime, insert_on

KEY_LENGTH = 128
KEY_LIFETIME = timedelta(hours=24)

JsonAnswer = dict[str, Any]


def idempotency_keys_table(metadata: sa.MetaData) -> sa.Table:
    """First answers by idempotency key."""
    return sa.Table(
        "idempotency_keys",
        metadata,
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    )


def scoped_key(scope: str, caller: str, given: str | None) -> str | None:
    """Return the key under which the answer to a caller is kept, or None where the caller gave none.

    ``scope`` is what is done, ``caller`` an address or an account: a key is its caller's own, so that nobody is
    answered what somebody else was.

    Raises:
        Invalid: the key is not 1 to 128 printable ASCII characters.
    """
    if given is None:
        return None
    if not (0 < len(given) <= KEY_LENGTH and given.isascii() and given.isprintable()):
        raise Invalid(errors=[FieldError("Idempotency-Key", "not_an_idempotency_key")])
    return f"{scope}:{hashlib.sha256(caller.encode()).hexdigest()[:16]}:{given}"


def once(
    session: Session,
    key: str,
    body: Any,
    act: Callable[[Session], JsonAnswer],
    again: Callable[[Session, JsonAnswer], JsonAnswer] | None = None,
) -> JsonAnswer:
    """Run ``act`` and keep its answer under ``key``; the same key and body get that answer again.

    ``again`` brings up to date what has changed in the answer since. The row is written first, so that of two callers
    at once the second waits, and then finds the answer.

    Raises:
        Refused: ``idempotency_key_reused``, the key came with another body before.
    """
    select, insert, complete = _statements(session.info["outbox"].metadata, session.get_bind().dialect.name)
    row = {"key": key, "fingerprint": fingerprint_of(body), "answer": {}, "created_at": utc_now()}
    if session.execute(insert, row).first() is not None:
        answer = act(session)
        session.execute(complete, {"the_key": key, "answer": answer})
        return answer
    known = session.execute(select, {"the_key": key}).one()
    if known.fingerprint != row["fingerprint"]:
        raise Refused("idempotency_key_reused")
    return again(session, dict(known.answer)) if again else dict(known.answer)


def fingerprint_of(body: Any) -> str:
    """Return what tells one JSON body from another: a SHA-256 in hexadecimal."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def forget_keys(session: Session, *, before: datetime) -> None:
    """Delete the answers kept before a time."""
    table = session.info["outbox"].metadata.tables["idempotency_keys"]
    session.execute(sa.delete(table).where(table.c.created_at < before))


@cache
def _statements(metadata: sa.MetaData, dialect: str) -> tuple[Any, Any, Any]:
    table = metadata.tables["idempotency_keys"]
    insert = insert_on(dialect, table).on_conflict_do_nothing().returning(table.c.key)
    here = table.c.key == sa.bindparam("the_key")
    complete = sa.update(table).where(here).values(answer=sa.bindparam("answer", type_=table.c.answer.type))
    return sa.select(table.c.fingerprint, table.c.answer).where(here), insert, complete
