"""What every service has beside its work: health, readiness, metrics, and the ids in its log lines."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import eventlet
from eventlet import wsgi
from nameko.extensions import DependencyProvider

from shared import logs, metrics, operations
from shared.framework.broker import Broker, BrokerExtension
from shared.framework.rabbitmq import RabbitMqBroker
from shared.framework.server import listening_socket
from shared.language.errors import Problem
from shared.settings import Settings

CHECK_SECONDS = 2.0  # a dependency that takes longer is too slow to serve


def configuration(settings: Settings, embedded_broker: Broker | None = None) -> dict[str, Any]:
    """Return what nameko hands to every extension of a container; with an embedded broker, all share one process."""
    separate = embedded_broker is None
    return {
        "SETTINGS": settings,
        "BROKER": partial(RabbitMqBroker, settings) if separate else lambda service, spawn: embedded_broker,
        # in one process the gateway answers operators for all
        "OPERATIONS_ADDRESS": (settings.http_host, settings.http_port) if separate else None,
        "WEB_SERVER_ADDRESS": f"{settings.http_host}:{settings.http_port}",
        # prefetch bounds the work; the pool must never make a consumer wait, or heartbeats stop with it
        "max_workers": max(settings.gateway_workers, settings.workers * 8),
    }


class Operations(DependencyProvider):
    """Measures every piece of work, and answers operators on the service's own port."""

    serves_itself = True

    def setup(self) -> None:
        self.settings: Settings = self.container.config["SETTINGS"]
        self._began: dict[Any, float] = {}

    def start(self) -> None:
        address = self.container.config["OPERATIONS_ADDRESS"]
        if self.serves_itself and address is not None:
            application = operations.wsgi_application(self.states)
            listening = listening_socket(*address)
            self.container.spawn_managed_thread(
                lambda: wsgi.server(listening, application, log_output=False, socket_timeout=10, debug=False)
            )

    def worker_setup(self, worker_ctx: Any) -> None:
        logs.begin_work(worker_ctx.service_name, worker_ctx.data)
        self._began[worker_ctx] = time.monotonic()

    def worker_result(self, worker_ctx: Any, result: Any = None, exc_info: Any = None) -> None:
        began = self._began.pop(worker_ctx, None)
        if began is not None:
            metrics.WORK.labels(worker_ctx.entrypoint.method_name, outcome(exc_info)).observe(time.monotonic() - began)

    def states(self) -> dict[str, str]:
        """Return how each dependency is: ok, unavailable or slow."""
        states = {one.attr_name: checked(one.check) for one in self.container.dependencies if hasattr(one, "check")}
        for one in self.container.subextensions:
            if isinstance(one, BrokerExtension):
                states |= one.broker.states()
        return states


def checked(check: Callable[[], None]) -> str:
    """Return how a dependency is: ok, unavailable or slow."""
    try:
        with eventlet.Timeout(CHECK_SECONDS, False):
            check()
            return "ok"
    except (Problem, OSError):
        return "unavailable"
    return "slow"


def outcome(exc_info: Any) -> str:
    if not exc_info:
        return "ok"
    return "refused" if isinstance(exc_info[1], Problem) else "failed"


class Service:
    """A service: its entrypoints stand in ``services/<name>/service.py``."""

    operations = Operations()
