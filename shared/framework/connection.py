"""One connection to RabbitMQ that consumes, comes back by itself, and lets many green threads send.

kombu is how nameko speaks AMQP; the relay and the operator use pika, outside of green threads.
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

SEND_SECONDS = 5.0  # a broker that takes nothing for so long is as good as gone
HEARTBEAT = 10  # seconds; a frozen broker is given up after two of them
PATIENCE = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds before each further attempt to come back
CANCEL_SECONDS = 2.0  # a broker that is busy or gone is not waited for any longer


class BrokerMute(ConnectionError):
    """The broker took nothing, or a sender was stopped in the middle of a frame."""


BROKEN = (OSError, OperationalError, kombu.exceptions.KombuError)

log = logs.log(__name__)


class LineDown(Exception):
    """There is no connection to the broker now."""


def errors_of(connection: kombu.Connection) -> tuple[type[BaseException], ...]:
    return (*BROKEN, *connection.connection_errors, *connection.channel_errors)


class Line:
    """A consuming connection.

    ``prepare`` is called with each new channel and declares and consumes there; ``lost`` is called each time
    the connection is gone.
    """

    def __init__(
        self,
        url: str,
        name: str,
        prepare: Callable[[Any], None],
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = kombu.Connection(
            url,
            heartbeat=HEARTBEAT,
            connect_timeout=2,
            transport_options={"client_properties": {"connection_name": name}},
        )
        self._name, self._prepare, self._lost = name, prepare, lost
        self._up = Event()
        self._stopping = False
        self._open_anew()
        self.channel: Any = None

    def _open_anew(self) -> None:
        """Forget what belonged to the last connection: who still waits to send on it holds up nobody here."""
        self._sending = Semaphore()
        self._broken = False

    @property
    def is_up(self) -> bool:
        return self._up.ready()

    def run(self) -> None:
        """Consume until stopped, over as many connections as it takes."""
        attempt = 0
        while not self._stopping:
            errors = errors_of(self._connection)
            try:
                self._consume()
                attempt = 0
            except errors as error:
                if not self._stopping:
                    log.warning("broker_lost", line=self._name, error=type(error).__name__)
            except Exception:
                # raised further, it would end the whole process; a new connection is what mends every other trouble
                log.exception("line_failed", line=self._name)
            finally:
                came_up = self.is_up
                self._hang_up()
            attempt = 0 if came_up else min(attempt + 1, len(PATIENCE) - 1)
            if not self._stopping:
                eventlet.sleep(PATIENCE[attempt])

    def _consume(self) -> None:
        self._connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
        # py-amqp reads the socket before each publish where the broker may announce that it blocks; reading
        # belongs to this green thread alone, which sees that announcement anyway
        self._connection.connection.client_properties["capabilities"]["connection.blocked"] = False
        channel = self._connection.channel()
        self._open_anew()
        # known before it is prepared: the first consumer is sent messages while the others are still declared, and
        # one that could not be acknowledged would hold its place for as long as the connection lasts
        self.channel = channel
        self._prepare(channel)
        self._up.send(None)
        log.info("broker_connected", line=self._name)
        while not (self._stopping or self._broken):
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=1)
            with suppress(LineDown):
                self.send(lambda _: self._connection.heartbeat_check())
        if self._broken:
            raise BrokerMute

    def _hang_up(self) -> None:
        self.channel = None
        if self._up.ready():
            self._up = Event()
        with eventlet.Timeout(2, False), suppress(Exception):
            self._connection.collect()
        self._lost()

    def wait(self, seconds: float) -> bool:
        """Wait until the line is up; say whether it is."""
        if not self.is_up:
            with eventlet.Timeout(seconds, False):
                self._up.wait()
        return self.is_up

    def send(self, action: Callable[[Any], Any]) -> None:
        """Do ``action`` with the channel, one sender at a time.

        Raises:
            LineDown: the connection is gone, or took nothing for ``SEND_SECONDS``.
        """
        channel, sending = self.channel, self._sending
        with sending:
            if channel is None or channel is not self.channel or self._broken:
                raise LineDown
            try:
                with eventlet.Timeout(SEND_SECONDS, LineDown()):
                    action(channel)
            except errors_of(self._connection) as error:
                self._broken = True
                raise LineDown from error
            except Exception as error:
                # py-amqp trips over its own ends where a connection is taken down while somebody sends
                self._broken = True
                log.exception("send_failed", line=self._name)
                raise LineDown from error
            except BaseException:
                # a time-out in the middle of a frame: what is sent after it would be read as part of it
                self._broken = channel is self.channel
                raise

    def cancel(self, consumer_tag: str) -> None:
        """Take no further messages for a consumer; return once all that the broker had sent are in hand.

        What a process had been sent and leaves behind is sent to another as if this one had died of it.
        """
        channel = self.channel

        def tell(open_channel: Any) -> None:
            # py-amqp's own way to wait for the answer reads the socket, which belongs to the running thread alone
            open_channel.send_method(spec.Basic.Cancel, "sb", (consumer_tag, False))

        with suppress(LineDown), eventlet.Timeout(CANCEL_SECONDS, False):
            self.send(tell)
            while self.channel is channel and consumer_tag in channel.callbacks:
                eventlet.sleep(0.01)

    def stop(self) -> None:
        self._stopping = True
