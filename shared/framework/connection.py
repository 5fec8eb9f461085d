"""A connection to RabbitMQ that consumes, reconnects by itself, and lets many green threads send.

kombu is how nameko speaks AMQP; the relay and the operator's commands use pika, outside of green threads.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import eventlet
import kombu
from amqp import spec
from eventlet.event import Event
from eventlet.semaphore import Semaphore
from kombu.exceptions import OperationalError

from shared import logs
from shared.language.errors import reason_of

SEND_SECONDS = 5.0  # a broker that takes nothing for so long is as good as disconnected
HEARTBEAT_SECONDS = 10  # a frozen broker is given up after two of them
BACKOFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)  # before each further attempt to reconnect
CANCEL_SECONDS = 2.0  # a broker that is busy or gone is not waited for any longer


class BrokerUnresponsive(ConnectionError):
    """The broker took nothing, or a sender was stopped in the middle of a frame."""


BROKEN = (OSError, OperationalError, kombu.exceptions.KombuError)

log = logs.log(__name__)


class ConnectionDown(Exception):
    """There is no connection to the broker now."""


def errors_of(connection: kombu.Connection) -> tuple[type[BaseException], ...]:
    return (*BROKEN, *connection.connection_errors, *connection.channel_errors)


def _nothing() -> None:
    return None


class BrokerConnection:
    """A consuming connection.

    ``prepare`` is called with each new channel, and declares and consumes there; ``lost`` is called each time
    the connection is lost.
    """

    def __init__(
        self, url: str, name: str, prepare: Callable[[Any], None], lost: Callable[[], None] = _nothing
    ) -> None:
        self._connection = kombu.Connection(
            url,
            heartbeat=HEARTBEAT_SECONDS,
            connect_timeout=2,
            transport_options={"client_properties": {"connection_name": name}},
        )
        self._name, self._prepare, self._lost = name, prepare, lost
        self._up = Event()
        self._stopping = False
        self._start_afresh()
        self.channel: Any = None

    def _start_afresh(self) -> None:
        """Forget what belonged to the last connection: a sender still waiting on it holds up nobody here."""
        self._sending = Semaphore()
        self._broken = False

    @property
    def is_up(self) -> bool:
        return bool(self._up.ready())

    @property
    def state(self) -> str:
        return "ok" if self.is_up else "unavailable"

    def run(self) -> None:
        """Consume until stopped, over as many connections as it takes."""
        attempt = 0
        while not self._stopping:
            try:
                self._consume_until_lost()
            finally:
                was_up = self.is_up
                self._disconnect()
            attempt = 0 if was_up else min(attempt + 1, len(BACKOFF_SECONDS) - 1)
            if not self._stopping:
                eventlet.sleep(BACKOFF_SECONDS[attempt])

    def _consume_until_lost(self) -> None:
        errors = errors_of(self._connection)
        try:
            self._consume()
        except errors as error:
            if not self._stopping:
                reason = f"{self._connection.host}: {reason_of(error)}"
                log.warning("broker_lost", connection=self._name, error=type(error).__name__, reason=reason)
        except Exception:
            # raised further, it would end the whole process; a new connection mends every other trouble
            log.exception("connection_failed", connection=self._name)

    def _consume(self) -> None:
        self._connect()
        while not (self._stopping or self._broken):
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=1)
            with suppress(ConnectionDown):
                self.send(lambda _: self._connection.heartbeat_check())
        if self._broken:
            raise BrokerUnresponsive

    def _connect(self) -> None:
        self._connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
        # py-amqp reads the socket before each publish where the broker may announce that it blocks; reading
        # belongs to this green thread alone, which sees that announcement anyway
        self._connection.connection.client_properties["capabilities"]["connection.blocked"] = False
        channel = self._connection.channel()
        self._start_afresh()
        # set before it is prepared: the first consumer is sent messages while the others are still declared, and
        # one that could not be acknowledged would count against the prefetch for as long as the connection lasts
        self.channel = channel
        self._prepare(channel)
        self._up.send(None)
        log.info("broker_connected", connection=self._name)

    def _disconnect(self) -> None:
        self.channel = None
        if self._up.ready():
            self._up = Event()
        with eventlet.Timeout(2, False), suppress(Exception):
            self._connection.collect()
        self._lost()

    def wait(self, seconds: float) -> bool:
        """Wait until the connection is up; return whether it is."""
        if not self.is_up:
            with eventlet.Timeout(seconds, False):
                self._up.wait()
        return self.is_up

    def send(self, action: Callable[[Any], Any]) -> None:
        """Do ``action`` with the channel, one sender at a time.

        Raises:
            ConnectionDown: the connection is lost, or took nothing for ``SEND_SECONDS``.
        """
        channel, sending = self.channel, self._sending
        with sending:
            if channel is None or channel is not self.channel or self._broken:
                raise ConnectionDown
            self._send(channel, action)

    def _send(self, channel: Any, action: Callable[[Any], Any]) -> None:
        try:
            with eventlet.Timeout(SEND_SECONDS, ConnectionDown()):
                action(channel)
        except errors_of(self._connection) as error:
            self._broken = True
            raise ConnectionDown from error
        except Exception as error:
            # py-amqp fails in surprising ways where a connection is taken down while somebody sends
            self._broken = True
            log.exception("send_failed", connection=self._name)
            raise ConnectionDown from error
        except BaseException:
            # a time-out in the middle of a frame: what is sent after it would be read as part of it
            self._broken = channel is self.channel
            raise

    def answer(self, message: Any, action: Callable[[Any], None]) -> None:
        """Do ``action`` about a message on the channel it came by; on another connection it is redelivered anyway."""
        with suppress(ConnectionDown):
            if message.channel is self.channel:
                self.send(action)

    def cancel(self, consumer_tag: str) -> None:
        """Take no further messages for a consumer; return once all that the broker had sent have been received.

        What a process had been sent and does not acknowledge is redelivered as if the process had died of it.
        """
        channel = self.channel

        def cancel(open_channel: Any) -> None:
            # py-amqp's own way to wait for the answer reads the socket, which belongs to the running thread alone
            open_channel.send_method(spec.Basic.Cancel, "sb", (consumer_tag, False))

        with suppress(ConnectionDown), eventlet.Timeout(CANCEL_SECONDS, False):
            self.send(cancel)
            while self.channel is channel and consumer_tag in channel.callbacks:
                eventlet.sleep(0.01)

    def stop(self) -> None:
        self._stopping = True
