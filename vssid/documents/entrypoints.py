"""What nameko knows of the services: their entrypoints, and which events they consume."""

import inspect
from collections.abc import Iterator
from typing import Any

from services import SERVICES
from shared.framework.consumers import EventConsumer
from shared.framework.rpc import Rpc, RpcProxyProvider
from shared.messaging.topology import Listener
from vssid.startup import service_class


def entrypoints(service: str) -> Iterator[Any]:
    """Yield (method name, entrypoint) of a service's class."""
    for name, method in inspect.getmembers(service_class(service), inspect.isfunction):
        for entrypoint in getattr(method, "nameko_entrypoints", ()):
            yield name, entrypoint


def listeners() -> list[Listener]:
    """Return every event consumer, also those that hear nothing new any more."""
    return [
        Listener(service, name, entrypoint.event, entrypoint.is_retired)
        for service in SERVICES
        for name, entrypoint in entrypoints(service)
        if isinstance(entrypoint, EventConsumer)
    ]


def answering() -> list[str]:
    """Return the services that answer calls."""
    return [one for one in SERVICES if any(isinstance(entrypoint, Rpc) for _, entrypoint in entrypoints(one))]


def calling() -> list[str]:
    """Return the services that call others."""
    return [one for one in SERVICES if inspect.getmembers(service_class(one), _is_proxy)]


def _is_proxy(member: Any) -> bool:
    return isinstance(member, RpcProxyProvider)
