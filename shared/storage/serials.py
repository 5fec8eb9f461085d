"""Numbers that are never given twice."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session


def serials_table(metadata: sa.MetaData) -> sa.Table:
    """Counters, for databases without sequences (SQLite)."""
    return sa.Table(
        "serials",
        metadata,
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )


_COUNT_UP = sa.text(
    "INSERT INTO serials (name, value) VALUES (:name, 1)"
    " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
)


def next_serial(session: Session, name: str) -> int:
    """Return the next number of a sequence; a transaction that is rolled back leaves a gap."""
    if session.get_bind().dialect.name == "postgresql":
        return int(session.execute(_next_value(name)).scalar_one())
    return int(session.execute(_COUNT_UP, {"name": name}).scalar_one())


@cache
def _next_value(name: str) -> sa.Select[Any]:
    return sa.select(sa.func.nextval(f"{name}_serial"))
