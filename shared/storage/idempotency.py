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
from shared.storage.columns import UtcDateTime

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


def scoped_key(scope: str, given: str | None) -> str | None:
    """Return the key under which the answer of ``scope`` is kept, or None where the caller gave none.

    Raises:
        Invalid: the key is not 1 to 128 printable ASCII characters.
    """
    if given is None:
        return None
    if not (0 < len(given) <= KEY_LENGTH and given.isascii() and given.isprintable()):
        raise Invalid(errors=[FieldError("Idempotency-Key", "not_an_idempotency_key")])
    return f"{scope}:{given}"


def once(session: Session, key: str, body: Any, act: Callable[[Session], JsonAnswer]) -> JsonAnswer:
    """Run ``act`` and keep its answer under ``key``; the same key and body get that answer again.

    The row is written first, so that of two callers at once the second waits, and then meets an
    `IntegrityError`: `Database.run` tries again, and finds the answer.

    Raises:
        Refused: ``idempotency_key_reused``, the key came with another body before.
    """
    select, insert, complete = _statements(session.info["outbox"].metadata)
    fingerprint = fingerprint_of(body)
    known = session.execute(select, {"the_key": key}).first()
    if known is None:
        session.execute(insert, {"key": key, "fingerprint": fingerprint, "answer": {}, "created_at": utc_now()})
        answer = act(session)
        session.execute(complete, {"the_key": key, "answer": answer})
        return answer
    if known.fingerprint != fingerprint:
        raise Refused("idempotency_key_reused")
    return dict(known.answer)


def fingerprint_of(body: Any) -> str:
    """Return what tells one JSON body from another: a SHA-256 in hexadecimal."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def forget_keys(session: Session, *, before: datetime) -> None:
    """Delete the answers kept before a time."""
    table = session.info["outbox"].metadata.tables["idempotency_keys"]
    session.execute(sa.delete(table).where(table.c.created_at < before))


@cache
def _statements(metadata: sa.MetaData) -> tuple[Any, Any, Any]:
    table = metadata.tables["idempotency_keys"]
    here = table.c.key == sa.bindparam("the_key")
    complete = sa.update(table).where(here).values(answer=sa.bindparam("answer", type_=table.c.answer.type))
    return sa.select(table.c.fingerprint, table.c.answer).where(here), sa.insert(table), complete
