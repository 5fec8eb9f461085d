"""The outbox: events are written in the transaction of their change, and carried to the broker afterwards."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from shared import logs
from shared.language.events import Event
from shared.language.values import new_id
from shared.messaging import codec
from shared.storage.columns import BigId, UtcDateTime


def outbox_table(metadata: sa.MetaData) -> sa.Table:
    """Events on their way to the broker; columns after Debezium's outbox event router."""
    return sa.Table(
        "outbox",
        metadata,
        sa.Column("position", BigId, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("aggregatetype", sa.String(40), nullable=False),
        sa.Column("aggregateid", sa.String(64), nullable=False),
        sa.Column("type", sa.String(60), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,  # or a row may get the position of one that was carried, and be deleted for it
    )


def announced_table(metadata: sa.MetaData) -> sa.Table:
    """Events that the broker has confirmed, kept for a time: a broker that lost its volume gets them again."""
    return sa.Table(
        "announced",
        metadata,
        sa.Column("position", BigId, primary_key=True, autoincrement=False),
        *(sa.Column(one.name, one.type, nullable=False) for one in list(outbox_table(sa.MetaData()).c)[1:]),
        sa.Column("announced_at", UtcDateTime, nullable=False, index=True),
    )


def announce(session: Session, event: Event) -> None:
    """Write the event into the outbox, so that it is told if and only if this transaction commits."""
    session.execute(
        _insert(session.info["outbox"], session.get_bind().dialect.name),
        {
            "id": new_id(),
            "aggregatetype": event.speaker,
            "aggregateid": event.subject,
            "type": event.name,
            "payload": codec.encode(event),
            "request_id": logs.request_id(),
            "created_at": event.at,
        },
    )
    session.info["announced"] = True


@cache
def _insert(outbox: sa.Table, dialect: str) -> Any:
    insert = sa.insert(outbox)
    # the relay is woken in the same round trip
    return insert.returning(sa.func.pg_notify("outbox", "")) if dialect == "postgresql" else insert
