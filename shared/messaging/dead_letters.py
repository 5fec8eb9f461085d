"""The dead queues, for `vssid dead`: looked at without taking, given back, or dropped.

pika's blocking connection: an operator's tool, outside of every desk.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from shared.language.errors import Unavailable
from shared.messaging import codec, topology
from shared.messaging.embedded import DeadLetters
from shared.settings import Settings

Letter = dict[str, Any]
Chosen = Callable[[Letter], bool]


def open_letters(settings: Settings, queues: Iterable[str]) -> "DeadLetters | BrokerDeadLetters":
    """Return the dead letters of whatever the settings name; ``queues`` are the listeners' queues."""
    return DeadLetters(settings) if settings.embedded else BrokerDeadLetters(settings, queues)


class BrokerDeadLetters:
    """The dead queues on RabbitMQ. What is not acknowledged goes back when the channel closes."""

    def __init__(self, settings: Settings, queues: Iterable[str]) -> None:
        self._settings = settings
        self._queues = list(queues)

    def all(self) -> list[Letter]:
        """Return every dead letter: id, queue, headers and body."""
        with self._channel() as channel:
            return [letter for _, letter in self._letters(channel)]

    def replay(self, chosen: Chosen) -> int:
        """Give the chosen letters back to their queues for new rounds; return how many."""

        def give_back(channel: Any, letter: Letter) -> None:
            properties = pika.BasicProperties(
                content_type=codec.CONTENT_TYPE,
                delivery_mode=2,
                message_id=letter["id"],
                headers=topology.plain(letter["headers"]),
            )
            channel.basic_publish("", letter["queue"], letter["body"].encode(), properties, mandatory=True)

        return self._settle(chosen, give_back)

    def drop(self, chosen: Chosen) -> int:
        """Delete the chosen letters for good; return how many."""
        return self._settle(chosen, lambda channel, letter: None)

    def _settle(self, chosen: Chosen, act: Callable[[Any, Letter], None]) -> int:
        count = 0
        with self._channel() as channel:
            for tag, letter in self._letters(channel):
                if chosen(letter):
                    act(channel, letter)  # confirmed before the dead one is acknowledged
                    channel.basic_ack(tag)
                    count += 1
        return count

    def _letters(self, channel: Any) -> Iterator[tuple[int, Letter]]:
        for queue in self._queues:
            for _ in range(self._waiting(topology.dead_name(queue))):
                method, properties, body = channel.basic_get(topology.dead_name(queue))
                if method is None:
                    break
                headers = properties.headers or {}
                letter = {
                    "id": str(headers.get(topology.ID, properties.message_id)),
                    "queue": queue,
                    "headers": headers,
                    "body": body.decode(errors="replace"),
                }
                yield method.delivery_tag, letter

    def _waiting(self, name: str) -> int:
        """Return how many letters lie in a queue; asking for one that is missing costs the channel it is asked on."""
        with self._channel() as channel:
            try:
                return int(channel.queue_declare(name, passive=True).method.message_count)
            except ChannelClosedByBroker:
                return 0

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        parameters = pika.URLParameters(self._settings.amqp_url)
        parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = 5
        try:
            connection = pika.BlockingConnection(parameters)
        except (AMQPError, OSError) as error:
            raise Unavailable(dependency="broker") from error
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel
        finally:
            if connection.is_open:
                connection.close()
