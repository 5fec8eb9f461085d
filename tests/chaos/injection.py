"""What a run puts into queues past every service: poison, and copies of true events as if they had failed for good."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pika
from pika.exceptions import AMQPError

from shared.language.events import EVENTS
from shared.messaging import codec, topology
from tests.chaos.drive import Gate
from tests.chaos.schedule import Poison
from vssid.documents import listeners

KEPT = 200  # events of a run of which copies are kept
GIVES_UP_AFTER = 120.0  # seconds a broker that does not answer is waited for

Tapped = tuple[str, bytes, dict[str, Any]]


class EventInjector:
    """A way to the broker that no fault of a proxy touches."""

    def __init__(self, amqp_url: str, prefix: str) -> None:
        self._url, self._prefix = amqp_url, prefix
        self._tap = f"{prefix}tap"
        self._tapped: list[Tapped] = []

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        parameters = pika.URLParameters(self._url)
        parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = 5
        connection = pika.BlockingConnection(parameters)
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel
        finally:
            if connection.is_open:
                connection.close()

    def tap(self) -> None:
        """Keep copies of the last events that any service announces."""
        with self._channel() as channel:
            channel.queue_declare(self._tap, durable=True, arguments={"x-max-length": KEPT})
            for speaker in {kind.speaker for kind in EVENTS.values()}:
                channel.queue_bind(self._tap, topology.exchange_name(self._prefix, speaker), "#")

    def put(self, poison: Poison) -> None:
        """Put a poison event into its queue, however long the broker does not answer."""
        end = time.monotonic() + GIVES_UP_AFTER
        headers = {topology.ID: poison.event_id, topology.TYPE: "poison"}
        while True:
            try:
                with self._channel() as channel:
                    _publish(channel, f"{self._prefix}{poison.queue}", poison.body.encode(), headers)
                return
            except (AMQPError, OSError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def put_all(self, gate: Gate, poison: Sequence[Poison]) -> threading.Thread:
        """Put each in when its place is reached; return the thread that does it."""

        def run() -> None:
            for one in poison:
                gate.reach(one.after)
                self.put(one)

        thread = threading.Thread(target=run, daemon=True, name="poison")
        thread.start()
        return thread

    def tapped(self) -> list[Tapped]:
        """Return the kept events: wire name, body and headers."""
        with self._channel() as channel:
            while (got := channel.basic_get(self._tap, auto_ack=True))[0] is not None:
                self._tapped.append((got[0].routing_key, got[2], topology.without_broker_headers(got[1].headers)))
        return self._tapped[-KEPT:]

    def add_to_dead(self, events: Sequence[Tapped]) -> int:
        """Put the events into the dead queue of each of their listeners; return how many dead events that makes."""
        count = 0
        with self._channel() as channel:
            for listener in listeners():
                dead = topology.dead_name(topology.queue_name(self._prefix, listener.service, listener.method))
                for _, body, headers in (one for one in events if one[0] == listener.event.name):
                    _publish(channel, dead, body, {**headers, "x-error": "put here by a test"})
                    count += 1
        return count

    def waiting(self, queues: Sequence[str]) -> int:
        """Count what lies ready in queues."""
        with self._channel() as channel:
            return sum(channel.queue_declare(one, passive=True).method.message_count for one in queues)


def _publish(channel: Any, queue: str, body: bytes, headers: dict[str, Any]) -> None:
    properties = pika.BasicProperties(
        content_type=codec.CONTENT_TYPE, delivery_mode=2, message_id=headers[topology.ID], headers=headers
    )
    channel.basic_publish("", queue, body, properties, mandatory=True)
