"""The embedded broker: calls and events inside one process, kept in a file, so that `make demo` needs no server.

It keeps what RabbitMQ keeps for us: an event stays until its listener is done, a failed one waits longer after
each attempt and rests as dead at the end, and all of it survives a restart. It cannot carry events between
processes: that is what RabbitMQ is for.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import eventlet
import sqlalchemy as sa
from eventlet.event import Event as Signal
from eventlet.semaphore import Semaphore

from shared import logs, metrics
from shared.language.clock import utc_now
from shared.language.errors import Unavailable
from shared.language.events import Event
from shared.messaging import codec, topology
from shared.settings import Settings
from shared.storage.columns import BigId, UtcDateTime
from shared.storage.database import Database

POLL_SECONDS = 0.2  # between two looks where nothing was announced
CLEAR_SECONDS = 60.0  # between two clearings of dead events that are overdue, and of what deleted rows leave in files
BATCH_SIZE = 200  # outbox rows moved at once
PREFETCH = 20  # deliveries of one queue under way at once

log = logs.log(__name__)
metadata = sa.MetaData()
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("position", BigId, primary_key=True, autoincrement=True),
    sa.Column("queue", sa.String(120), nullable=False, index=True),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("dead", sa.Boolean, nullable=False, default=False),
)


def open_file(settings: Settings) -> Database:
    """Open the file that deliveries are kept in."""
    file = Database(metadata, f"sqlite:///{settings.folder / 'broker'}.db", settings, guard=Semaphore())
    _upgrade(file.engine)
    metadata.create_all(file.engine)
    return file


def _upgrade(engine: sa.Engine) -> None:
    """Keep what a file of version 0.1 holds: its table and one column had other names."""
    if not sa.inspect(engine).has_table("letters"):
        return
    with engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX IF EXISTS ix_letters_queue"))
        connection.execute(sa.text("ALTER TABLE letters RENAME TO deliveries"))
        connection.execute(sa.text('ALTER TABLE deliveries RENAME COLUMN "round" TO attempt'))
        connection.execute(sa.text("CREATE INDEX ix_deliveries_queue ON deliveries (queue)"))


@dataclass(frozen=True)
class Listener:
    """A queue of this process, the events that belong in it (None: nothing new), and what is done with them."""

    queue: str
    event: type[Event] | None
    handle: Callable[[Any, Mapping[str, Any], Callable[[Exception | None], None]], None]


class EmbeddedBroker:
    """Carries calls between the services of this process, and events from every outbox to every listener."""

    def __init__(self, settings: Settings) -> None:
        self._handlers: dict[str, Any] = {}
        self._events = EventCarrier(settings)

    def serve(self, service: str, handle: Any) -> None:
        self._handlers[service] = handle

    def subscribe(self, queue: str, event: type[Event] | None, handle: Any) -> None:
        self._events.listeners[queue] = Listener(queue, event, handle)

    def call(
        self, service: str, method: str, body: bytes, *, context: Mapping[str, str], deadline: float
    ) -> bytes | None:
        reply = Signal()
        self._handlers[service](method, body, context, reply.send)
        with eventlet.Timeout(deadline, False):
            return bytes(reply.wait())
        return None

    def start(self, *, calls: bool) -> None:
        """Nothing to connect to; events are carried by `run`, for all services of the process."""

    def drain(self) -> None:
        """Nothing arrives by itself: `shut_down` ends the carrying before the services stop."""

    def stop(self) -> None:
        """Nothing to disconnect from."""

    def states(self) -> dict[str, str]:
        return {"embedded_broker": self._events.state}

    def run(self, databases: Sequence[Database]) -> None:
        """Carry events from these outboxes until shut down."""
        self._events.run(databases)

    def shut_down(self) -> None:
        self._events.shut_down()


class EventCarrier:
    """Moves events from outboxes into the file, and delivers them from there."""

    def __init__(self, settings: Settings) -> None:
        self.listeners: dict[str, Listener] = {}
        self.state = "starting"
        self._delays, self._retention, self._settings = settings.delays, settings.retention, settings
        self._file = open_file(settings)
        self._under_way: defaultdict[str, set[int]] = defaultdict(set)
        self._announced = Signal()
        self._stopping = False

    def wake(self) -> None:
        """Say that there is something to carry."""
        if not self._announced.ready():
            self._announced.send(None)

    def shut_down(self) -> None:
        self._stopping = True
        self.wake()

    def run(self, databases: Sequence[Database]) -> None:
        """Carry until shut down."""
        for database in databases:
            database.on_announced = self.wake
        cleared = time.monotonic()
        while not self._stopping:
            with eventlet.Timeout(POLL_SECONDS, False):
                self._announced.wait()
            self._announced = Signal()
            self._set_state(self._carry(databases))
            if time.monotonic() - cleared > CLEAR_SECONDS:
                cleared = time.monotonic()
                self._try(lambda: self.clear_away(databases))

    def _carry(self, databases: Sequence[Database]) -> str:
        return self._try(lambda: self.carry_once(databases))

    def carry_once(self, databases: Sequence[Database]) -> None:
        """Move what was announced, and deliver what is due."""
        for database in databases:
            self._collect(database)
        for listener in self.listeners.values():
            self._deliver(listener)

    def _try(self, act: Callable[[], None]) -> str:
        try:
            act()
        except Unavailable:  # raised further, it would end the carrying while the services went on
            return "unavailable"
        return "ok"

    def _set_state(self, state: str) -> None:
        if state != self.state and state != "ok":
            log.warning("embedded_broker_waits", dependency="database")
        self.state = state

    def clear_away(self, databases: Sequence[Database]) -> None:
        """Drop the dead events that are kept no longer, and remove what was deleted from the files as well."""
        if dropped := self._drop_overdue(utc_now()):
            log.warning("dead_events_erased", events=dropped)
        for database in (self._file, *databases):
            database.clear_log()

    def _drop_overdue(self, at: datetime) -> int:
        with self._file.begin() as session:
            rows = session.execute(sa.select(deliveries).where(deliveries.c.dead)).mappings().all()
            overdue = [
                row["position"] for row in rows if codec.is_overdue(row["headers"], row["body"], self._retention, at)
            ]
            session.execute(sa.delete(deliveries).where(deliveries.c.position.in_(overdue)))
        return len(overdue)

    def _collect(self, database: Database) -> None:
        """Move announced events into the queues of their listeners; each is copied before it is deleted."""
        outbox = database.outbox
        assert outbox is not None
        with database.begin() as session:
            rows = session.execute(sa.select(outbox).order_by(outbox.c.position).limit(BATCH_SIZE)).mappings().all()
        copies = [self._delivery(queue, row) for row in rows for queue in self._queues_for(row["type"])]
        if copies:
            with self._file.begin() as session:
                session.execute(sa.insert(deliveries), copies)
        if rows:
            with database.begin() as session:
                session.execute(sa.delete(outbox).where(outbox.c.position.in_([row["position"] for row in rows])))

    def _queues_for(self, event_name: str) -> list[str]:
        return [one.queue for one in self.listeners.values() if one.event and one.event.name == event_name]

    def _deliver(self, listener: Listener) -> None:
        """Give a listener what is due for it; one that is slow or fails holds up no other."""
        under_way = self._under_way[listener.queue]
        free = PREFETCH - len(under_way)
        for row in self._due(listener.queue, free) if free else ():
            under_way.add(row["position"])
            listener.handle(row["body"], row["headers"], self._settler(row))

    def _due(self, queue: str, limit: int) -> Sequence[Any]:
        now = utc_now()
        beyond = now + timedelta(seconds=max(self._delays, default=0.0))  # set by a clock that was put back since
        due = sa.or_(deliveries.c.due_at <= now, deliveries.c.due_at > beyond)
        waiting = sa.and_(deliveries.c.queue == queue, ~deliveries.c.dead, due)
        idle = deliveries.c.position.not_in(self._under_way[queue])
        query = sa.select(deliveries).where(waiting, idle).order_by(deliveries.c.position).limit(limit)
        with self._file.begin() as session:
            return session.execute(query).mappings().all()

    def _delivery(self, queue: str, row: Any) -> dict[str, Any]:
        headers = topology.headers_of(row, self._settings)
        return {"queue": queue, "headers": headers, "body": row["payload"], "due_at": utc_now()}

    def _settler(self, row: Any) -> Callable[[Exception | None], None]:
        def settle(error: Exception | None) -> None:
            try:
                with self._file.begin() as session:
                    session.execute(self._settlement(row, error))
            except Unavailable:
                log.warning("delivery_not_settled", queue=row["queue"])  # delivered again: listeners are repeat-safe
            self._under_way[row["queue"]].discard(row["position"])
            self.wake()

        return settle

    def _settlement(self, row: Any, error: Exception | None) -> Any:
        here = deliveries.c.position == row["position"]
        if error is None:
            return sa.delete(deliveries).where(here)
        return sa.update(deliveries).where(here).values(self._retry(row, error))

    def _retry(self, row: Any, error: Exception) -> dict[str, Any]:
        now, attempt = utc_now(), row["attempt"]
        headers = {**row["headers"], **topology.failure_headers(attempt + 1, error, now)}
        if attempt < len(self._delays):
            due_at = now + timedelta(seconds=self._delays[attempt])
            return {"headers": headers, "attempt": attempt + 1, "due_at": due_at}
        metrics.EVENTS.labels(row["queue"], "dead").inc()
        log.error("event_dead", queue=row["queue"], event_id=topology.attribute(row["headers"], topology.ID))
        return {"headers": headers, "attempt": attempt + 1, "dead": True}
