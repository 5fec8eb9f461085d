"""The relay: carries events from every service's outbox to RabbitMQ, and deletes what the broker confirmed.

A process of its own, one or several at once: each takes rows that no other has locked. pika, because it
runs on plain threads: one thread a database, woken by NOTIFY, polling every second besides.
"""

import select
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import pika
import sqlalchemy as sa
from pika.exceptions import AMQPError

from shared import logs, metrics
from shared.language.clock import utc_now
from shared.language.errors import Unavailable, reason_of
from shared.language.retention import ANNOUNCED_LIFETIME
from shared.messaging import codec, topology
from shared.messaging.declarations import declare, declare_exchange, has_exchange
from shared.messaging.topology import QueueDeclaration
from shared.settings import Settings
from shared.storage.database import NAMING, make_engine
from shared.storage.outbox import announced_table, outbox_table

BATCH_SIZE = 500  # events published before the confirms are awaited
OPEN_SECONDS = 15.0  # connecting, and declaring every queue on an empty broker
CONFIRM_SECONDS = 10.0  # a broker that does not confirm in this time is given up, and the connection with it
POLL_SECONDS = 1.0  # between two looks where nobody notifies
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0)  # seconds before each further attempt after a failure
FORGET_SECONDS = 60.0  # between two deletions of what was announced long ago
BROKER_ERRORS = (AMQPError, OSError, Unavailable)

log = logs.log(__name__)
outbox = outbox_table(sa.MetaData(naming_convention=NAMING))
announced = announced_table(sa.MetaData(naming_convention=NAMING))


_carried = (
    sa.delete(outbox).where(outbox.c.position.in_(sa.bindparam("carried", expanding=True))).returning(*outbox.c)
).cte("carried")
MOVE = sa.insert(announced).from_select([*outbox.c.keys(), "announced_at"], sa.select(_carried, sa.func.now()))
FORGET = sa.delete(announced).where(
    announced.c.announced_at < sa.func.now() - sa.bindparam("lifetime", type_=sa.Interval)
)


class BrokerUnresponsive(Exception):
    """The broker did not confirm in time, or the connection ended while we waited."""


class ConfirmingPublisher:
    """A connection that publishes batches and knows which of their messages the broker has for good.

    pika's asynchronous connection on a thread of its own: its blocking one waits for each confirm singly.
    """

    def __init__(self, settings: Settings, queues: Sequence[QueueDeclaration]) -> None:
        parameters = pika.URLParameters(settings.amqp_url)
        parameters.heartbeat, parameters.blocked_connection_timeout = 10, CONFIRM_SECONDS
        parameters.socket_timeout = parameters.stack_timeout = 3
        parameters.client_properties = {"connection_name": "relay"}
        self._settings, self._queues = settings, queues
        self._open, self._gone = threading.Event(), threading.Event()
        self._batch: Batch | None = None
        self._tag = 0
        self._why: BaseException | None = None
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._on_channel),
            on_open_error_callback=lambda _, error: self._end(error),
            on_close_callback=lambda _, error: self._end(error),
        )
        threading.Thread(target=self._run, daemon=True, name="publisher").start()
        if not self._open.wait(OPEN_SECONDS) or self._gone.is_set():
            self.close()
            raise BrokerUnresponsive(f"no connection to {parameters.host}:{parameters.port}: {self._why!r}")

    def _run(self) -> None:
        try:
            self._connection.ioloop.start()
        finally:
            self._end()
            self._connection.ioloop.close()  # or its descriptors stay: three for each connection that was lost

    def _end(self, why: BaseException | None = None) -> None:
        self._why = self._why or why
        self._gone.set()
        self._open.set()  # who waits for the connection learns at once that there will be none
        if self._batch is not None:
            self._batch.over.set()
        self._connection.ioloop.stop()

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_return_callback(self._on_return)
        channel.add_on_close_callback(lambda *_: self._end())
        # every time, for a broker that lost its volume comes back empty; without it an event of which only some
        # queues exist would be lost for the others, and no `mandatory` would tell
        declare(channel, self._queues, callback=lambda _: None)
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._open.set())

    def _on_return(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        if self._batch is not None:
            self._batch.returned.add(properties.message_id)

    def _on_confirm(self, frame: Any) -> None:
        if self._batch is not None:
            self._batch.settle(frame.method.delivery_tag, frame.method.multiple, frame.method.NAME == "Basic.Ack")

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    def publish(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Publish the outbox rows; return the positions of those that a queue has for good.

        Raises:
            BrokerUnresponsive: the confirms did not come in time.
        """
        if self._gone.is_set():
            raise BrokerUnresponsive("the connection ended")
        batch = Batch(rows)
        self._connection.ioloop.add_callback_threadsafe(lambda: self._publish(batch))
        if not batch.over.wait(CONFIRM_SECONDS) or self._gone.is_set():
            raise BrokerUnresponsive("no confirm")
        return batch.accepted()

    def _publish(self, batch: "Batch") -> None:
        self._batch = batch
        for row in batch.rows:
            self._tag += 1
            batch.tags[self._tag] = row
            self._channel.basic_publish(
                topology.exchange_name(self._settings.broker_prefix, row["aggregatetype"]),
                row["type"],
                row["payload"].encode(),
                pika.BasicProperties(
                    content_type=codec.CONTENT_TYPE,
                    delivery_mode=2,
                    message_id=row["id"],
                    correlation_id=row["request_id"],
                    headers=topology.headers_of(row, self._settings),
                ),
                mandatory=True,
            )

    def close(self) -> None:
        if not self._gone.is_set():
            with suppress(OSError):  # it ended meanwhile
                self._connection.ioloop.add_callback_threadsafe(self._disconnect)

    def _disconnect(self) -> None:
        if self._connection.is_open:
            self._connection.close()
        else:
            self._end()


class Batch:
    """Rows being published: which delivery tag is which, what was confirmed, what was returned as unroutable."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = rows
        self.tags: dict[int, Mapping[str, Any]] = {}
        self.confirmed: list[Mapping[str, Any]] = []
        self.returned: set[str] = set()
        self.over = threading.Event()

    def settle(self, tag: int, multiple: bool, acknowledged: bool) -> None:
        settled = [one for one in self.tags if one <= tag] if multiple else [tag]
        for one in settled:
            row = self.tags.pop(one, None)
            if row is not None and acknowledged:
                self.confirmed.append(row)
        if not self.tags:
            self.over.set()

    def accepted(self) -> list[int]:
        return [row["position"] for row in self.confirmed if row["id"] not in self.returned]


class OutboxRelay(threading.Thread):
    """Carries the events of one service's outbox, again and again, whatever fails in between."""

    def __init__(self, settings: Settings, service: str, queues: Sequence[QueueDeclaration]) -> None:
        super().__init__(daemon=True, name=f"relay-{service}")
        self._settings, self.service, self._queues = settings, service, queues
        self._engine = make_engine(settings.database(service), settings)
        self._publisher: ConfirmingPublisher | None = None
        self._listening: Any = None
        self._failures = 0
        self._forgotten = -FORGET_SECONDS
        self.stopping = threading.Event()
        self.state = "starting"

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._carry_all()
                self._set_state("ok")
                self._failures = 0
                self._forget()
                self._wait_for_more()
            except (*BROKER_ERRORS, BrokerUnresponsive) as error:
                self._recover("broker", error)
            except (sa.exc.SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
                self._recover("database", error)
        self._close_publisher()
        self._stop_listening()

    def _close_publisher(self) -> None:
        if self._publisher is not None:
            self._publisher.close()
        self._publisher = None

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.invalidate()  # a connection that listens is no good to anybody else
        self._listening = None

    def _set_state(self, state: str) -> None:
        if state != self.state:
            log.info("relay_state", outbox=self.service, state=state)
        self.state = state

    def _recover(self, dependency: str, error: Exception) -> None:
        log.warning("relay_waits", outbox=self.service, dependency=dependency, reason=reason_of(error))
        self._set_state(f"{dependency} unavailable")
        if dependency == "broker":
            self._close_publisher()
        self._stop_listening()
        self._engine.dispose()
        self.stopping.wait(BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)])
        self._failures += 1

    def _carry_all(self) -> None:
        """Carry until the outbox is empty, or what is left cannot be routed."""
        if self._publisher is None or self._publisher.is_gone:
            self._publisher = ConfirmingPublisher(self._settings, self._queues)
            self._announce_again()
        while not self.stopping.is_set():
            took, carried = self._carry_batch()
            metrics.RELAYED.labels(self.service).inc(carried)
            if carried < took:
                log.error("event_unroutable", outbox=self.service, events=took - carried)
            if took < BATCH_SIZE or not carried:
                return

    def _carry_batch(self) -> tuple[int, int]:
        with self._engine.begin() as connection:
            waiting = sa.select(outbox).order_by(outbox.c.position).limit(BATCH_SIZE).with_for_update(skip_locked=True)
            rows = [dict(row) for row in connection.execute(waiting).mappings()]
            if not rows:
                return 0, 0
            carried = self._publish(rows)
            connection.execute(MOVE, {"carried": carried})
        return len(rows), len(carried)

    def _publish(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        assert self._publisher is not None
        # the outbox says who announces, not the row: no service can speak for another
        return self._publisher.publish([{**row, "aggregatetype": self.service} for row in rows])

    def _announce_again(self) -> None:
        """Publish what was confirmed lately once more, if the broker has lost its volume since (decision 0021).

        Whoever has heard it already does nothing: listeners are repeat-safe. The broker is known again only when it
        has everything.
        """
        known = topology.volume_name(self._settings.broker_prefix, self.service)
        if has_exchange(self._settings, known):
            return
        events = self.publish_kept()
        declare_exchange(self._settings, known)
        if events:
            log.warning("events_announced_again", outbox=self.service, events=events)

    def publish_kept(self, since: datetime | None = None) -> int:
        """Publish what was confirmed, since a moment or at all, once more; return how many events. It stays kept.

        Raises:
            BrokerUnresponsive, SQLAlchemyError, OSError: a server does not answer.
        """
        if self._publisher is None:
            self._publisher = ConfirmingPublisher(self._settings, self._queues)
        events, position = 0, -1
        while rows := self._kept_after(position, since):
            events, position = events + len(self._publish(rows)), rows[-1]["position"]
        return events

    def _kept_after(self, position: int, since: datetime | None) -> list[dict[str, Any]]:
        kept = sa.select(announced).where(announced.c.position > position).order_by(announced.c.position)
        if since is not None:
            kept = kept.where(announced.c.announced_at >= since)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(kept.limit(BATCH_SIZE)).mappings()]

    def _forget(self) -> None:
        """Delete what was announced so long ago that every consumer has it."""
        if time.monotonic() - self._forgotten < FORGET_SECONDS:
            return
        with self._engine.begin() as connection:
            connection.execute(FORGET, {"lifetime": ANNOUNCED_LIFETIME})
        self._forgotten = time.monotonic()

    def _wait_for_more(self) -> None:
        """Wait until the service notifies, or for a second."""
        if self._listening is None:
            self._listening = self._engine.raw_connection()
            self._listening.driver_connection.set_session(autocommit=True)
            self._listening.cursor().execute("LISTEN outbox")
            return  # events announced before we listened are carried at once
        connection = self._listening.driver_connection
        select.select([connection], [], [], POLL_SECONDS)
        connection.poll()
        connection.notifies.clear()

    def now(self) -> datetime:
        """Return the database's now; raise SQLAlchemyError where it does not answer."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.now())).scalar_one()

    def waiting(self) -> float:
        """Return how many events lie in the outbox; not a number while the database does not answer."""
        try:
            with self._engine.connect() as connection:
                return float(connection.execute(sa.select(sa.func.count()).select_from(outbox)).scalar_one())
        except sa.exc.SQLAlchemyError:
            return float("nan")


class Relay:
    """The relays of all outboxes, and their health."""

    def __init__(self, settings: Settings, services: Sequence[str], queues: Sequence[QueueDeclaration]) -> None:
        self.outboxes = [OutboxRelay(settings, service, queues) for service in services]

    def start(self) -> None:
        for one in self.outboxes:
            metrics.OUTBOX.labels(one.service).set_function(one.waiting)
            one.start()

    def earliest_now(self) -> datetime:
        """Return the earlier of our clock's now and a database's: what cannot be undone waits for both."""
        return min(utc_now(), self.outboxes[0].now())

    def stop(self, seconds: float) -> None:
        """Let every relay finish its batch, but not for longer than ``seconds``."""
        until = time.monotonic() + seconds
        for one in self.outboxes:
            one.stopping.set()
        for one in self.outboxes:
            one.join(max(0.0, until - time.monotonic()))

    def states(self) -> dict[str, str]:
        """Return how each relay is: ok, or what it waits for."""
        return {one.service: one.state if one.is_alive() else "ended" for one in self.outboxes}
