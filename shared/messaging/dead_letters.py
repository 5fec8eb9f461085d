"""Dead events, for `vssid dead`: listed without being taken, replayed, or dropped.

pika's blocking connection: an operator's tool, outside of every service. The relay drops by it what the law lets lie
no longer.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker
from sqlalchemy.exc import SQLAlchemyError

from shared import logs, metrics
from shared.language.clock import utc_now
from shared.language.errors import Unavailable
from shared.language.retention import Retention
from shared.messaging import codec, topology
from shared.messaging.declarations import blocking_channel
from shared.settings import Settings

SWEEP_SECONDS = 3600.0  # between two looks for dead events that are kept no longer
COUNT_SECONDS = 60.0  # between two counts, and before the next look where the broker did not answer
HELD_SECONDS = 0.3  # within which an event that somebody else only looked at is back in its queue

log = logs.log(__name__)


@dataclass(frozen=True)
class DeadEvent:
    """An event that failed in its last attempt: where it was to go, its headers, and its body as text."""

    event_id: str
    queue: str
    headers: dict[str, Any]
    body: str


Chosen = Callable[[DeadEvent], bool]


class DeadLetters(Protocol):
    """What both brokers can do with their dead events."""

    def all(self) -> list[DeadEvent]:
        """Return every dead event."""
        ...

    def counts(self) -> dict[str, tuple[int, datetime | None]]:
        """Return how many dead events each queue has, and since when the first of them; None where it does not say."""
        ...

    def replay(self, chosen: Chosen) -> int:
        """Return the chosen events to their queues for new attempts; return how many."""
        ...

    def drop(self, chosen: Chosen) -> int:
        """Delete the chosen events; return how many."""
        ...


class DeadLetterSweeper(threading.Thread):
    """Counts dead events, and drops them once the persons they name must be forgotten, looked after or not (D7)."""

    def __init__(self, dead_letters: DeadLetters, retention: Retention, now: Callable[[], datetime]) -> None:
        super().__init__(daemon=True, name="dead-letter-sweeper")
        self._dead_letters, self._retention, self._now = dead_letters, retention, now
        self.stopping = threading.Event()

    def run(self) -> None:
        due = time.monotonic()
        while not self.stopping.is_set():
            try:
                if time.monotonic() >= due:
                    self._sweep()
                    due = time.monotonic() + SWEEP_SECONDS
                self._count()
            except (Unavailable, AMQPError, OSError, SQLAlchemyError) as error:
                log.warning("dead_events_not_swept", error=type(error).__name__)
            self.stopping.wait(COUNT_SECONDS)

    def _sweep(self) -> None:
        now = self._now()
        dropped = self._dead_letters.drop(
            lambda event: codec.is_overdue(event.headers, event.body, self._retention, now)
        )
        if dropped:
            log.warning("dead_events_erased", events=dropped)

    def _count(self) -> None:
        now = utc_now()
        for queue, (count, oldest) in self._dead_letters.counts().items():
            metrics.DEAD.labels(queue).set(count)
            metrics.DEAD_AGE.labels(queue).set((now - oldest).total_seconds() if oldest else 0)


class RabbitMqDeadLetters:
    """The dead queues on RabbitMQ. What is not acknowledged goes back when the channel closes."""

    def __init__(self, settings: Settings, queues: Iterable[str]) -> None:
        self._settings = settings
        self._queues = list(queues)

    def all(self) -> list[DeadEvent]:
        with blocking_channel(self._settings) as channel:
            return [event for _, event in self._events(channel)]

    def counts(self) -> dict[str, tuple[int, datetime | None]]:
        with blocking_channel(self._settings) as channel:
            return {queue: _count_of(channel, topology.dead_name(queue)) for queue in self._queues}

    def replay(self, chosen: Chosen) -> int:
        return self._settle(chosen, _publish)

    def drop(self, chosen: Chosen) -> int:
        return self._settle(chosen, lambda channel, event: None)

    def _settle(self, chosen: Chosen, act: Callable[[Any, DeadEvent], None]) -> int:
        count = 0
        with blocking_channel(self._settings) as channel:
            for tag, event in self._events(channel):
                if chosen(event):
                    act(channel, event)  # confirmed before the dead one is acknowledged
                    channel.basic_ack(tag)
                    count += 1
        return count

    def _events(self, channel: Any) -> Iterator[tuple[int, DeadEvent]]:
        """Yield the dead events, in two looks: the broker hides from one what somebody else holds at that moment.

        What is yielded stays with the channel, so the second look finds only what the first one missed.
        """
        seen = set()
        for tag, event in self._ready_events(channel):
            seen.add(event.event_id)
            yield tag, event
        channel.connection.sleep(HELD_SECONDS)
        # one that was put back, and died again meanwhile, is not another
        yield from (found for found in self._ready_events(channel) if found[1].event_id not in seen)

    def _ready_events(self, channel: Any) -> Iterator[tuple[int, DeadEvent]]:
        for queue in self._queues:
            for _ in range(_ready_count(channel.connection, topology.dead_name(queue))):
                method, properties, body = channel.basic_get(topology.dead_name(queue))
                if method is None:
                    break
                headers = properties.headers or {}
                event_id = str(topology.attribute(headers, topology.ID) or properties.message_id)
                yield method.delivery_tag, DeadEvent(event_id, queue, headers, body.decode(errors="replace"))


def _count_of(channel: Any, dead: str) -> tuple[int, datetime | None]:
    count = int(channel.queue_declare(dead, passive=True).method.message_count)
    if not count:
        return 0, None
    method, properties, _ = channel.basic_get(dead)
    if method is None:
        return count, None
    channel.basic_nack(method.delivery_tag)  # back at once: nobody else sees it meanwhile
    return count, failed_at(properties.headers or {})


def _ready_count(connection: Any, name: str) -> int:
    """Return how many events a queue has for whoever asks; asking for one that is missing costs the channel."""
    channel = connection.channel()
    try:
        count = int(channel.queue_declare(name, passive=True).method.message_count)
    except ChannelClosedByBroker:
        return 0
    channel.close()
    return count


def failed_at(headers: Mapping[str, Any]) -> datetime | None:
    """Return when a dead event failed for the last time; None where it does not say."""
    try:
        parsed = datetime.fromisoformat(str(headers.get(topology.FAILED_AT)))
    except ValueError:  # the broker parked it, or somebody else put it there
        return None
    return parsed if parsed.tzinfo else None


def _publish(channel: Any, event: DeadEvent) -> None:
    properties = pika.BasicProperties(
        content_type=codec.CONTENT_TYPE,
        delivery_mode=2,
        message_id=event.event_id,
        headers=topology.without_broker_headers(event.headers),
    )
    channel.basic_publish("", event.queue, event.body.encode(), properties, mandatory=True)
