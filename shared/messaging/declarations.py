"""Declares exchanges, queues and bindings on RabbitMQ before anything is published, with pika.

A queue that is missing receives nothing, and the broker drops what no queue wants: so the relay and `vssid migrate`
declare the queues of all services, also of those that have never run. Services declare none of them: who may
declare may also delete, and bind a queue to what another service announces.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from shared.language.errors import Unavailable
from shared.messaging.topology import QueueDeclaration
from shared.settings import Settings

TIMEOUT_SECONDS = 5


def declare(channel: Any, queues: Iterable[QueueDeclaration], **options: Any) -> None:
    """Declare queues with their exchanges and bindings; ``options`` go to each call (a callback).

    RabbitMQ closes the channel where a queue is there already with other arguments.
    """
    for queue in queues:
        channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments), **options)
        for binding in queue.bindings + queue.former_bindings:
            channel.exchange_declare(binding.exchange, binding.exchange_type, durable=True, **options)
        for binding in queue.bindings:
            channel.queue_bind(queue.name, binding.exchange, binding.routing_key, **options)
        for binding in queue.former_bindings:
            channel.queue_unbind(queue.name, binding.exchange, binding.routing_key, **options)


def declare_on_broker(settings: Settings, queues: Iterable[QueueDeclaration]) -> None:
    """Connect, declare and disconnect.

    Raises:
        Unavailable: the broker does not answer, or has a queue of that name with other arguments.
    """
    with blocking_channel(settings) as channel:
        try:
            declare(channel, queues)
        except AMQPError as error:
            raise Unavailable(dependency="broker") from error


def has_exchange(settings: Settings, name: str) -> bool:
    """Say whether the broker knows an exchange.

    Raises:
        Unavailable: the broker does not answer.
    """
    with blocking_channel(settings) as channel:
        try:
            channel.exchange_declare(name, passive=True)
        except ChannelClosedByBroker:
            return False
    return True


def declare_exchange(settings: Settings, name: str) -> None:
    """Declare an exchange that nothing is bound to.

    Raises:
        Unavailable: the broker does not answer.
    """
    with blocking_channel(settings) as channel:
        channel.exchange_declare(name, "fanout", durable=True)


@contextmanager
def blocking_channel(settings: Settings) -> Iterator[Any]:
    """Open a confirming channel for an operator's command.

    Raises:
        Unavailable: the broker does not answer.
    """
    parameters = pika.URLParameters(settings.amqp_url)
    parameters.socket_timeout = parameters.stack_timeout = TIMEOUT_SECONDS
    parameters.blocked_connection_timeout = TIMEOUT_SECONDS
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
