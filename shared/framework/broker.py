"""The broker port: how a service answers calls, makes calls and hears events.

`RabbitMqBroker` (shared.framework.rabbitmq) and `EmbeddedBroker` (shared.messaging.embedded) implement it; which
one a process uses is decided once, in `shared.framework.service.configuration`.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Protocol

from nameko.extensions import SharedExtension

from shared.language.events import Event

CONTEXT = ("request_id", "caller")  # what travels with a call: the request's id, and the address it came from

Reply = Callable[[bytes], None]
Context = Mapping[str, str]
HandleCall = Callable[[str, bytes, Context, Reply], None]  # method, JSON arguments, context, reply
Settle = Callable[[Exception | None], None]
HandleEvent = Callable[[Any, Mapping[str, Any], Settle], None]  # body, headers, settle with the error or None


class Broker(Protocol):
    """What carries calls and events between services."""

    def serve(self, service: str, handle: HandleCall) -> None:
        """Pass the calls to ``service`` to ``handle``, each with the function that takes its reply."""

    def subscribe(self, queue: str, event: type[Event] | None, handle: HandleEvent) -> None:
        """Pass the events of a kind to ``handle`` by a queue of this name, at least once each.

        Without a kind nothing new reaches the queue; what lies in it is passed on.
        """

    def call(self, service: str, method: str, body: bytes, *, context: Context, deadline: float) -> bytes | None:
        """Return the reply to a call, or None where nobody answered within ``deadline`` seconds."""

    def start(self, *, calls: bool) -> None:
        """Connect for what was served and subscribed to, and for ``calls`` where this service makes any."""

    def drain(self) -> None:
        """Take no further calls and events; return once those that were on their way have been handed over."""

    def stop(self) -> None:
        """Disconnect."""

    def states(self) -> dict[str, str]:
        """Return how each connection is: ok or unavailable."""


class BrokerExtension(SharedExtension):
    """The broker of a service, shared by everything in it that calls, answers or listens."""

    makes_calls = False

    @cached_property
    def broker(self) -> Broker:
        made: Broker = self.container.config["BROKER"](self.container.service_name, self.container.spawn_managed_thread)
        return made

    def start(self) -> None:
        self.broker.start(calls=self.makes_calls)

    def stop(self) -> None:
        self.broker.stop()
