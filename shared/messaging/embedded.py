"""The whole town in one process: a broker that lives in a file, so that `make demo` needs no server.

It keeps what RabbitMQ keeps for us: an event stays until its listener is done, failed ones wait longer
each round and rest as dead at the end, and all of it survives a restart. It cannot carry events between
processes: that is what RabbitMQ is for.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import eventlet
import sqlalchemy as sa
from eventlet.event import Event as Bell
from eventlet.semaphore import Semaphore

from shared import logs, metrics
from shared.language.clock import utc_now
from shared.language.errors import Unavailable
from shared.messaging import topology
from shared.settings import Settings
from shared.storage.database import BigId, Database, Moment

PAUSE = 0.2  # seconds between two looks where nobody rings
CLEAR_SECONDS = 60.0  # between two clearings of what deleted rows leave behind
AT_ONCE = 20  # letters of one queue under way at once

log = logs.log(__name__)
metadata = sa.MetaData()
letters = sa.Table(
    "letters",
    metadata,
    sa.Column("position", BigId, primary_key=True, autoincrement=True),
    sa.Column("queue", sa.String(120), nullable=False, index=True),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("round", sa.Integer, nullable=False, default=0),
    sa.Column("due_at", Moment, nullable=False),
    sa.Column("dead", sa.Boolean, nullable=False, default=False),
)


def letter_box(settings: Settings) -> Database:
    """Open the file the letters lie in."""
    box = Database(metadata, f"sqlite:///{settings.folder / 'broker'}.db", settings, guard=Semaphore())
    metadata.create_all(box.engine)
    return box


class Town:
    """Carries events from every outbox to every listener of this process."""

    def __init__(self, settings: Settings) -> None:
        self.switchboards: dict[str, Any] = {}
        self._settings = settings
        self._box = letter_box(settings)
        self._listeners: dict[str, Any] = {}
        self._outboxes: dict[str, Database] = {}
        self._under_way: defaultdict[str, set[int]] = defaultdict(set)
        self._bell = Bell()
        self._stopping = False

    def carry_from(self, desk: str, database: Database) -> None:
        """Take a desk's outbox into the round."""
        self._outboxes[desk] = database
        database.on_announced = self.ring

    def subscribe(self, listener: Any) -> None:
        """Take a listener into the round."""
        self._listeners[listener.queue] = listener

    def ring(self) -> None:
        """Say that there is something to carry."""
        if not self._bell.ready():
            self._bell.send(None)

    def run(self) -> None:
        """Carry until stopped."""
        cleared = time.monotonic()
        while not self._stopping:
            with eventlet.Timeout(PAUSE, False):
                self._bell.wait()
            self._bell = Bell()
            try:
                for database in self._outboxes.values():
                    self._collect(database)
                self._deliver()
                if time.monotonic() - cleared > CLEAR_SECONDS:
                    cleared = time.monotonic()
                    self.clear_logs()
            except Unavailable:  # raised further, it would end the carrying while the rest of the town went on
                log.warning("town_waits", dependency="database")

    def clear_logs(self) -> None:
        """Let what was deleted be gone from the files as well."""
        for database in (self._box, *self._outboxes.values()):
            database.clear_log()

    def stop(self) -> None:
        self._stopping = True
        self.ring()

    def _collect(self, database: Database) -> None:
        """Move announced events into the boxes of their listeners; each is copied before it is deleted."""
        outbox = database.outbox
        assert outbox is not None
        with database.begin() as session:
            rows = session.execute(sa.select(outbox).order_by(outbox.c.position).limit(200)).mappings().all()
        copies = [self._letter(queue, row) for row in rows for queue in self._queues_for(row)]
        if copies:
            with self._box.begin() as session:
                session.execute(sa.insert(letters), copies)
        if rows:
            with database.begin() as session:
                session.execute(sa.delete(outbox).where(outbox.c.position.in_([row["position"] for row in rows])))

    def _queues_for(self, row: Any) -> list[str]:
        return [queue for queue, listener in self._listeners.items() if listener.kind.name == row["type"]]

    @staticmethod
    def _letter(queue: str, row: Any) -> dict[str, Any]:
        return {"queue": queue, "headers": topology.headers_of(row), "body": row["payload"], "due_at": utc_now()}

    def _deliver(self) -> None:
        """Give each listener what is due for it; one that is slow or gone holds up no other."""
        for queue, listener in self._listeners.items():
            free = AT_ONCE - len(self._under_way[queue])
            for row in self._due(queue, free) if free else ():
                self._under_way[queue].add(row["position"])
                listener.hear(row["body"], row["headers"], self._settler(row))

    def _due(self, queue: str, limit: int) -> Sequence[Any]:
        now = utc_now()
        beyond = now + timedelta(seconds=max(self._settings.delays, default=0.0))  # set by a clock put back since
        due = sa.or_(letters.c.due_at <= now, letters.c.due_at > beyond)
        waiting = sa.and_(letters.c.queue == queue, ~letters.c.dead, due)
        idle = letters.c.position.not_in(self._under_way[queue])
        query = sa.select(letters).where(waiting, idle).order_by(letters.c.position).limit(limit)
        with self._box.begin() as session:
            return session.execute(query).mappings().all()

    def _settler(self, row: Any) -> Callable[[Exception | None], None]:
        def settle(error: Exception | None) -> None:
            try:
                with self._box.begin() as session:
                    here = letters.c.position == row["position"]
                    if error is None:
                        session.execute(sa.delete(letters).where(here))
                    else:
                        session.execute(sa.update(letters).where(here).values(self._put_aside(row, error)))
            except Unavailable:
                log.warning("letter_not_settled", queue=row["queue"])  # it is heard again: listeners are repeat-safe
            self._under_way[row["queue"]].discard(row["position"])
            self.ring()

        return settle

    def _put_aside(self, row: Any, error: Exception) -> dict[str, Any]:
        now, delays, round_ = utc_now(), self._settings.delays, row["round"]
        headers = {**row["headers"], **topology.failure_headers(round_ + 1, error, now)}
        if round_ < len(delays):
            return {"headers": headers, "round": round_ + 1, "due_at": now + timedelta(seconds=delays[round_])}
        metrics.EVENTS.labels(row["queue"], "dead").inc()
        log.error("event_dead", queue=row["queue"], event_id=row["headers"][topology.ID])
        return {"headers": headers, "round": round_ + 1, "dead": True}


class DeadLetters:
    """The dead queues of the embedded default, for `vssid dead`."""

    def __init__(self, settings: Settings) -> None:
        self._box = letter_box(settings)

    def all(self) -> list[dict[str, Any]]:
        """Return every dead letter: id, queue, headers and body."""
        with self._box.begin() as session:
            rows = session.execute(sa.select(letters).where(letters.c.dead)).mappings().all()
        return [
            {"id": row["headers"][topology.ID], "queue": row["queue"], "headers": row["headers"], "body": row["body"]}
            for row in rows
        ]

    def replay(self, chosen: Callable[[dict[str, Any]], bool]) -> int:
        """Give the chosen letters back to their queues for new rounds; return how many."""
        return self._change(chosen, sa.update(letters).values(dead=False, round=0, due_at=utc_now()))

    def drop(self, chosen: Callable[[dict[str, Any]], bool]) -> int:
        """Delete the chosen letters for good; return how many."""
        return self._change(chosen, sa.delete(letters))

    def _change(self, chosen: Callable[[dict[str, Any]], bool], change: Any) -> int:
        ids = {(letter["queue"], letter["id"]) for letter in self.all() if chosen(letter)}
        with self._box.begin() as session:
            for queue, event_id in ids:
                same = sa.and_(
                    letters.c.queue == queue,
                    letters.c.headers[topology.ID].as_string() == event_id,
                    letters.c.dead,
                )
                session.execute(change.where(same))
        return len(ids)
