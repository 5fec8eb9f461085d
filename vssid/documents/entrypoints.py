"""What nameko knows of the services: their entrypoints, and which events they consume."""

import inspect
from collections.abc import Iterator
from typing import Any

from services import SERVICES
from shared.framework.consumers import Listen
from shared.language.events import Event
from shared.messaging import topology
from vssid.startup import service_of


def entrypoints(service: str) -> Iterator[Any]:
    """Yield (method name, entrypoint) of a service's class."""
    for name, method in inspect.getmembers(service_of(service), inspect.isfunction):
        for entrypoint in getattr(method, "nameko_entrypoints", ()):
            yield name, entrypoint


def listeners() -> list[tuple[str, str, type[Event]]]:
    """Return (service, method, event) of every event consumer."""
    return [
        (service, name, entrypoint.kind)
        for service in SERVICES
        for name, entrypoint in entrypoints(service)
        if isinstance(entrypoint, Listen)
    ]


def listener_queues(prefix: str) -> list[str]:
    return [topology.queue_name(prefix, service, method) for service, method, _ in listeners()]
