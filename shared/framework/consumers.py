"""Listening to events: a durable quorum queue a listener, growing retries, and a dead queue at the end.

A failed event is put into a waiting queue for the delay of its round, which hands it back to the
listener's queue; after the last round it rests in ``<queue>.dead`` with its error. The waiting queues are
shared by all listeners: the routing key of a waiting message is the queue it goes back to.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import eventlet
import kombu
from eventlet.semaphore import Semaphore
from kombu import Exchange, Queue
from nameko.extensions import Entrypoint, ProviderCollector, SharedExtension

from shared import logs, metrics
from shared.framework.connection import Line, LineDown, errors_of
from shared.language.clock import utc_now
from shared.language.events import Event
from shared.messaging import codec, topology

DELIVERIES = 20  # deliveries without an answer after which a message is parked: it kills its process
ASIDE_SECONDS = 8.0  # putting a message aside, from the connection to the confirm
CONFIRM_TIMEOUT = 5  # seconds the broker has to confirm a message put aside

log = logs.log(__name__)


def declare_waiting(channel: Any, prefix: str, delays: tuple[float, ...]) -> None:
    """Declare the waiting queues, one a delay, each handing back to the queue its message names."""
    for delay in delays:
        name = topology.waiting_name(prefix, delay)
        exchange = Exchange(name, type="fanout", durable=True)
        arguments = {
            **topology.QUORUM,
            "x-message-ttl": int(delay * 1000),
            "x-dead-letter-exchange": "",
            **topology.SAFELY,
        }
        Queue(name, exchange, durable=True, queue_arguments=arguments)(channel).declare()


def declare_listener(channel: Any, prefix: str, queue: str, kind: type[Event]) -> None:
    """Declare a listener's queue, its dead queue, and bind it to the speaker's exchange."""
    dead = topology.dead_name(queue)
    # not a quorum queue: RabbitMQ 4 drops a message of those after twenty deliveries, and each look is one
    Queue(dead, durable=True, queue_arguments={"x-queue-type": "classic"})(channel).declare()
    exchange = Exchange(topology.exchange_name(prefix, kind.speaker), type="topic", durable=True)
    arguments = {
        **topology.QUORUM,
        "x-delivery-limit": DELIVERIES,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead,
        **topology.SAFELY,
    }
    Queue(queue, exchange, routing_key=kind.name, durable=True, queue_arguments=arguments)(channel).declare()


class Post(ProviderCollector, SharedExtension):
    """Brings this desk the events it listens to."""

    line: Line | None = None

    def setup(self) -> None:
        self.settings = self.container.config["SETTINGS"]

    def start(self) -> None:
        if self.settings.embedded:
            for listener in self._providers:
                self.container.config["TOWN"].subscribe(listener)
            return
        if self.line is None:
            url, name = self.settings.amqp_url, self.container.service_name
            self.line = Line(url, f"{name}.listens", self._prepare)
            self._aside = Aside(url, f"{name}.aside")
            self.container.spawn_managed_thread(self.line.run)

    def close(self) -> None:
        """Take no further events; those under way are finished."""
        if self.line is not None:
            for listener in self._providers:
                self.line.cancel(listener.queue)

    def stop(self) -> None:
        if self.line is not None:
            self.line.stop()

    def _prepare(self, channel: Any) -> None:
        prefix = self.settings.broker_prefix
        declare_waiting(channel, prefix, self.settings.delays)
        channel.basic_qos(0, max(2, self.settings.workers // 3), False)  # for each listener, and there are several
        for listener in self._providers:
            declare_listener(channel, prefix, listener.queue, listener.kind)
        for listener in self._providers:
            channel.basic_consume(listener.queue, consumer_tag=listener.queue, callback=self._receiver(listener))

    def _receiver(self, listener: "Listen") -> Callable[[Any], None]:
        def on_message(message: Any) -> None:
            headers = message.headers or {}
            listener.hear(message.body, headers, lambda error: self._settle(listener, message, headers, error))

        return on_message

    def _settle(self, listener: "Listen", message: Any, headers: Mapping[str, Any], error: Exception | None) -> None:
        """Acknowledge the message, after putting it aside where it failed."""
        if error is not None:
            round_ = int(headers.get("x-round", 0))
            if round_ >= len(self.settings.delays):
                dead_event(listener.queue, headers)
            target, key, more = topology.next_stop(self.settings, listener.queue, round_, error, utc_now())
            if not self._aside.put(message.body, {**topology.plain(headers), **more}, target, key):
                # the broker keeps it: it comes again, at once or with the next connection
                eventlet.sleep(1)
                self._answer(message, lambda channel: channel.basic_reject(message.delivery_tag, True))
                return
        self._answer(message, lambda channel: channel.basic_ack(message.delivery_tag))

    def _answer(self, message: Any, action: Callable[[Any], None]) -> None:
        with suppress(LineDown):
            if self.line is not None and message.channel is self.line.channel:
                self.line.send(action)


def dead_event(queue: str, headers: Mapping[str, Any]) -> None:
    """Say that an event failed in its last round and rests as dead from now on."""
    metrics.EVENTS.labels(queue, "dead").inc()
    log.error("event_dead", queue=queue, event_id=headers.get(topology.ID))


class Aside:
    """A confirmed connection for the few messages that failed, opened when the first one does."""

    def __init__(self, url: str, name: str) -> None:
        options = {"confirm_publish": True, "client_properties": {"connection_name": name}}
        self._connection = kombu.Connection(url, connect_timeout=2, heartbeat=0, transport_options=options)
        self._one = Semaphore()

    def put(self, body: Any, headers: Mapping[str, Any], exchange: str, key: str) -> bool:
        """Publish, and say whether the broker has it for good."""
        with self._one:
            for _ in range(2):  # an idle connection may be dead without knowing; the second one is fresh
                try:
                    with eventlet.Timeout(ASIDE_SECONDS, TimeoutError()):
                        self._publish(body, headers, exchange, key)
                    return True
                except errors_of(self._connection):
                    pass
                except Exception:  # raised further, it would end the whole process
                    log.exception("putting_aside_failed", key=key)
                with suppress(Exception):
                    self._connection.collect()
        return False

    def _publish(self, body: Any, headers: Mapping[str, Any], exchange: str, key: str) -> None:
        channel = self._connection.default_channel
        message = channel.prepare_message(
            # py-amqp hands an empty body over as text, and takes no text without an encoding
            body.encode() if isinstance(body, str) else body,
            content_type=codec.CONTENT_TYPE,
            headers=dict(headers),
            properties={"delivery_mode": 2},
        )
        channel.basic_publish(message, exchange=exchange, routing_key=key, confirm_timeout=CONFIRM_TIMEOUT)


class Listen(Entrypoint):
    """Runs a method for each event of a kind; the method is called ``on_<event>``, which names its queue."""

    post = Post()

    def __init__(self, kind: type[Event]) -> None:
        self.kind = kind
        super().__init__()

    def setup(self) -> None:
        desk, prefix = self.container.service_name, self.container.config["SETTINGS"].broker_prefix
        self.queue = topology.queue_name(prefix, desk, self.method_name)
        self.post.register_provider(self)

    def stop(self) -> None:
        self.post.close()

    def hear(self, body: Any, headers: Mapping[str, Any], done: Callable[[Exception | None], None]) -> None:
        """Run the method with the event in ``body``; ``done`` is told the error, or None."""
        try:
            event = codec.unpack(self.kind.name, body)
        except Exception as error:
            log.error(
                "event_unreadable", queue=self.queue, event_id=headers.get(topology.ID), error=topology.described(error)
            )
            metrics.EVENTS.labels(self.queue, "unreadable").inc()
            done(error)
            return

        def finish(worker: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
            error = exc_info[1] if exc_info else None
            if error is not None:
                log.error("event_failed", queue=self.queue, event_id=headers.get(topology.ID), exc_info=exc_info)
            metrics.EVENTS.labels(self.queue, "failed" if error else "done").inc()
            done(error)
            return result, exc_info

        context = {"request_id": headers.get(topology.REQUEST_ID), "event_id": headers.get(topology.ID)}
        self.container.spawn_worker(self, (event,), {}, context_data=context, handle_result=finish)


listen = Listen.decorator
