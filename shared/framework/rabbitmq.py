"""The broker port on RabbitMQ: calls and their replies, and events by durable quorum queues with growing retries.

Calls take no confirms: a lost one is made again by the caller. The deadline travels as the message's expiration
and as a time, so that a call nobody waits for any more is never carried out.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

import eventlet
import kombu
from eventlet.event import Event as Waiter
from eventlet.semaphore import Semaphore

from shared import logs, metrics
from shared.framework.broker import CONTEXT, Context, HandleCall, HandleEvent
from shared.framework.connection import BrokerConnection, ConnectionDown, errors_of
from shared.framework.rpc import RETRY_AFTER, reply_of
from shared.language.clock import utc_now
from shared.language.errors import Unavailable
from shared.language.events import Event
from shared.messaging import codec, topology
from shared.settings import Settings

CONNECT_SECONDS = 1.0  # a call waits no longer for a connection that is down
RETRY_PUBLISH_SECONDS = 8.0  # publishing a failed message, from the connection to the confirm
CONFIRM_TIMEOUT = 5  # seconds the broker has to confirm a message
REJECT_PAUSE_SECONDS = 1.0

log = logs.log(__name__)
Spawn = Callable[[Callable[[], None]], Any]


class RabbitMqBroker:
    """The calls and events of one service, over a connection for each of the three ways it uses."""

    def __init__(self, settings: Settings, service: str, spawn: Spawn) -> None:
        self._settings, self._service, self._spawn = settings, service, spawn
        self._calls_in: CallConsumer | None = None
        self._calls_out: CallPublisher | None = None
        self._events = EventQueues(settings, service)
        self._connections: dict[str, BrokerConnection] = {}

    def serve(self, service: str, handle: HandleCall) -> None:
        self._calls_in = CallConsumer(self._settings, service, handle)

    def subscribe(self, queue: str, event: type[Event] | None, handle: HandleEvent) -> None:
        self._events.add(Subscription(queue, handle))

    def call(self, service: str, method: str, body: bytes, *, context: Context, deadline: float) -> bytes | None:
        assert self._calls_out is not None, "started without calls"
        return self._calls_out.call(service, method, body, context=context, deadline=deadline)

    def start(self, *, calls: bool) -> None:
        if calls:
            self._calls_out = CallPublisher(self._settings, self._service)
        used: dict[str, CallConsumer | CallPublisher | EventQueues | None] = {
            "rpc_server": self._calls_in,
            "rpc_client": self._calls_out,
            "event_consumer": self._events if self._events.subscriptions else None,
        }
        self._connections = {name: one.connection for name, one in used.items() if one is not None}
        for connection in self._connections.values():
            self._spawn(connection.run)

    def drain(self) -> None:
        if self._calls_in is not None:
            self._calls_in.drain()
        self._events.drain()

    def stop(self) -> None:
        for connection in self._connections.values():
            connection.stop()

    def states(self) -> dict[str, str]:
        return {name: connection.state for name, connection in self._connections.items()}


class CallConsumer:
    """Takes the calls to this service, and sends their replies."""

    def __init__(self, settings: Settings, service: str, handle: HandleCall) -> None:
        self._queue = topology.call_queue_name(settings.broker_prefix, service)
        self._workers, self._tag, self._handle = settings.workers, service, handle
        self.connection = BrokerConnection(settings.amqp_url, f"{service}.rpc_server", self._prepare)

    def drain(self) -> None:
        self.connection.cancel(self._tag)

    def _prepare(self, channel: Any) -> None:
        # deleted with its last consumer, so that a caller learns at once that the service is not running
        channel.queue_declare(self._queue, durable=True, auto_delete=True)
        channel.queue_bind(self._queue, topology.CALLS, self._queue)
        channel.basic_qos(0, self._workers, False)
        channel.basic_consume(self._queue, consumer_tag=self._tag, callback=self._on_message)

    def _on_message(self, message: Any) -> None:
        headers = message.headers
        if float(headers.get("until", 0)) < time.time():
            self._finish(message, None)
        elif message.delivery_info.get("redelivered"):
            # begun by a process that died: done or not, it is not done a second time
            self._finish(message, reply_of(None, Unavailable(retry_after=RETRY_AFTER)))
        else:
            context = {name: headers[name] for name in CONTEXT if name in headers}
            self._handle(headers["method"], message.body, context, lambda body: self._finish(message, body))

    def _finish(self, message: Any, body: bytes | None) -> None:
        def act(channel: Any) -> None:
            if body is not None:
                properties = {"correlation_id": message.properties["correlation_id"], "delivery_mode": 1}
                reply = channel.prepare_message(body, properties=properties)
                channel.basic_publish(reply, exchange=topology.REPLIES, routing_key=message.properties["reply_to"])
            channel.basic_ack(message.delivery_tag)

        try:
            if message.channel is self.connection.channel:
                self.connection.send(act)
        except ConnectionDown:
            log.info("reply_undeliverable")


class CallPublisher:
    """Makes calls, however many are under way, over one connection."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._prefix = settings.broker_prefix
        self._replies = ""
        self._waiting: dict[str, Waiter] = {}
        self._numbers = count()
        self.connection = BrokerConnection(
            settings.amqp_url, f"{service}.rpc_client", self._prepare, lost=self._fail_all
        )

    def _prepare(self, channel: Any) -> None:
        # a new name each time: RabbitMQ may not have seen yet that the last connection is gone, and its queue with it
        self._replies = topology.reply_queue_name(self._prefix, uuid4().hex)
        channel.queue_declare(self._replies, exclusive=True)
        channel.queue_bind(self._replies, topology.REPLIES, self._replies)
        channel.basic_consume(self._replies, no_ack=True, callback=self._on_reply)
        channel.events["basic_return"].add(self._on_return)

    def _on_reply(self, message: Any) -> None:
        self._settle(message.properties.get("correlation_id"), message.body)

    def _on_return(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        self._settle(message.properties.get("correlation_id"), None)

    def _settle(self, correlation_id: str | None, body: Any) -> None:
        waiter = self._waiting.pop(str(correlation_id), None)
        if waiter is not None:
            waiter.send(body)

    def _fail_all(self) -> None:
        for correlation_id in list(self._waiting):
            self._settle(correlation_id, None)

    def call(self, service: str, method: str, body: bytes, *, context: Context, deadline: float) -> bytes | None:
        """Return the reply, or None where nobody answered in time."""
        headers = {**context, "method": method, "until": str(time.time() + deadline)}
        if not self.connection.wait(min(deadline, CONNECT_SECONDS)):
            return None
        correlation_id = str(next(self._numbers))
        waiter = self._waiting[correlation_id] = Waiter()
        try:
            with eventlet.Timeout(deadline, False):
                self._publish(service, body, headers, correlation_id, deadline)
                return bytes(reply) if (reply := waiter.wait()) is not None else None
        except ConnectionDown:
            return None
        finally:
            self._waiting.pop(correlation_id, None)
        return None

    def _publish(
        self, service: str, body: bytes, headers: dict[str, str], correlation_id: str, deadline: float
    ) -> None:
        properties = {
            "correlation_id": correlation_id,
            "reply_to": self._replies,
            "delivery_mode": 1,
            "expiration": str(int(deadline * 1000)),
        }
        queue = topology.call_queue_name(self._prefix, service)

        def publish(channel: Any) -> None:
            message = channel.prepare_message(body, headers=headers, properties=properties)
            channel.basic_publish(message, exchange=topology.CALLS, routing_key=queue, mandatory=True)

        self.connection.send(publish)


@dataclass(frozen=True)
class Subscription:
    """A queue of this service and what is done with its events."""

    queue: str
    handle: HandleEvent


class EventQueues:
    """Takes the events that this service listens to, and retries or parks those that fail."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings, self._service = settings, service
        self.subscriptions: list[Subscription] = []
        self.connection = BrokerConnection(settings.amqp_url, f"{service}.event_consumer", self._prepare)
        self._retries = RetryPublisher(settings.amqp_url, f"{service}.retry_publisher")

    def add(self, subscription: Subscription) -> None:
        self.subscriptions.append(subscription)

    def drain(self) -> None:
        for one in self.subscriptions:
            self.connection.cancel(one.queue)

    def _prepare(self, channel: Any) -> None:
        # for each listener, and there are several
        channel.basic_qos(0, max(2, self._settings.workers // 3), False)
        for one in self.subscriptions:
            channel.basic_consume(one.queue, consumer_tag=one.queue, callback=self._receiver(one))

    def _receiver(self, subscription: Subscription) -> Callable[[Any], None]:
        def on_message(message: Any) -> None:
            headers = message.headers or {}
            subscription.handle(
                message.body, headers, lambda error: self._settle(subscription.queue, message, headers, error)
            )

        return on_message

    def _settle(self, queue: str, message: Any, headers: Mapping[str, Any], error: Exception | None) -> None:
        """Acknowledge the message, after publishing it for another attempt where it failed."""
        if error is None or self._retry(queue, message.body, headers, error):
            self.connection.answer(message, lambda channel: channel.basic_ack(message.delivery_tag))
            return
        # the broker keeps it: it comes again, at once or with the next connection
        eventlet.sleep(REJECT_PAUSE_SECONDS)
        self.connection.answer(message, lambda channel: channel.basic_reject(message.delivery_tag, True))

    def _retry(self, queue: str, body: Any, headers: Mapping[str, Any], error: Exception) -> bool:
        attempt = topology.attempt_of(headers)
        if attempt >= len(self._settings.delays):
            metrics.EVENTS.labels(queue, "dead").inc()
            log.error("event_dead", queue=queue, event_id=topology.attribute(headers, topology.ID))
        exchange, key = topology.retry_target(self._settings, self._service, queue, attempt)
        kept = topology.without_broker_headers(headers) | topology.failure_headers(attempt + 1, error, utc_now())
        return self._retries.publish(body, kept, exchange, key)


class RetryPublisher:
    """A confirmed connection for the few messages that failed, opened when the first one does."""

    def __init__(self, url: str, name: str) -> None:
        options = {"confirm_publish": True, "client_properties": {"connection_name": name}}
        self._connection = kombu.Connection(url, connect_timeout=2, heartbeat=0, transport_options=options)
        self._one_at_a_time = Semaphore()

    def publish(self, body: Any, headers: Mapping[str, Any], exchange: str, key: str) -> bool:
        """Publish, and return whether the broker confirmed it."""
        with self._one_at_a_time:
            # an idle connection may be dead without knowing; the second one is fresh
            return any(self._try_publish(body, headers, exchange, key) for _ in range(2))

    def _try_publish(self, body: Any, headers: Mapping[str, Any], exchange: str, key: str) -> bool:
        try:
            with eventlet.Timeout(RETRY_PUBLISH_SECONDS, TimeoutError()):
                self._publish(body, headers, exchange, key)
            return True
        except errors_of(self._connection):
            pass
        except Exception:  # raised further, it would end the whole process
            log.exception("retry_publish_failed", key=key)
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
