"""How often something was done within a time, for limits that all instances share.

A count is part of the transaction it is made in: what is refused and rolled back was not counted. Subjects (a phone
number, an address) are kept as their SHA-256 only, and no longer than the window.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from shared.language.limits import Limit
from shared.storage.columns import UtcDateTime, insert_on


def quotas_table(metadata: sa.MetaData) -> sa.Table:
    """Counts by the hash of what is counted."""
    return sa.Table(
        "quotas",
        metadata,
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("counted", sa.Integer, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False, index=True),
    )


def count(session: Session, counted: Iterable[tuple[Limit, str]], *, at: datetime) -> None:
    """Count once for each limit and its subject.

    Raises:
        Problem: that of the limit which is reached, with the seconds until its window ends.
    """
    limits = {_key(limit, subject): limit for limit, subject in counted}
    if not limits:
        return
    # in one order, so that no two transactions wait for each other
    keys = {f"key_{number}": key for number, key in enumerate(sorted(limits))}
    ends = {f"ends_at_{number}": at + limits[key].window for number, key in enumerate(sorted(limits))}
    increase = _increase(_table(session), session.get_bind().dialect.name, len(limits))
    for row in session.execute(increase, {**keys, **ends, "at": at}).all():
        if row.counted > limits[row.key].most:
            raise limits[row.key].problem(retry_after=(row.ends_at - at).total_seconds())


def check(session: Session, limit: Limit, subject: str, *, at: datetime) -> None:
    """Refuse where a limit is reached, and count nothing.

    Raises:
        Problem: as `count` does.
    """
    table = _table(session)
    running = sa.select(table).where(table.c.key == _key(limit, subject), table.c.ends_at > at)
    row = session.execute(running).first()
    if row is not None and row.counted >= limit.most:
        raise limit.problem(retry_after=(row.ends_at - at).total_seconds())


def forget_quotas(session: Session, *, before: datetime) -> None:
    """Delete the counts whose window ended before a time."""
    table = _table(session)
    session.execute(sa.delete(table).where(table.c.ends_at < before))


def _key(limit: Limit, subject: str) -> str:
    return hashlib.sha256(f"{limit.name}:{subject}".encode()).hexdigest()


def _table(session: Session) -> sa.Table:
    table: sa.Table = session.info["outbox"].metadata.tables["quotas"]
    return table


@cache
def _increase(table: sa.Table, dialect: str, keys: int) -> Any:
    """Return the statement that counts so many keys.

    Its rows are SELECTs, because SQLAlchemy compiles VALUES of several rows anew each time.
    """
    rows: list[Any] = [
        sa.select(sa.bindparam(f"key_{one}"), sa.literal(1), sa.bindparam(f"ends_at_{one}", type_=UtcDateTime))
        for one in range(keys)
    ]
    row = insert_on(dialect, table).from_select(["key", "counted", "ends_at"], sa.union_all(*rows))
    over = table.c.ends_at <= sa.bindparam("at", type_=UtcDateTime)
    return row.on_conflict_do_update(
        index_elements=[table.c.key],
        set_={
            "counted": sa.case((over, 1), else_=table.c.counted + 1),
            "ends_at": sa.case((over, row.excluded.ends_at), else_=table.c.ends_at),
        },
    ).returning(table.c.key, table.c.counted, table.c.ends_at)
