"""What every desk has beside its work: health, readiness, metrics, and the ids in its log lines."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import eventlet
import orjson
from eventlet import wsgi
from nameko.extensions import DependencyProvider
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared import logs, metrics
from shared.language.errors import Problem
from shared.settings import Settings

CHECK_SECONDS = 2.0  # a dependency that needs longer does not serve

StartResponse = Callable[..., Any]


def configuration(settings: Settings, town: Any = None) -> dict[str, Any]:
    """Return what nameko hands to every extension of a container."""
    return {
        "SETTINGS": settings,
        "TOWN": town,
        "WEB_SERVER_ADDRESS": f"{settings.http_host}:{settings.http_port}",
        # prefetch bounds the work; the pool must never make a consumer wait, or heartbeats stop with it
        "max_workers": max(settings.gateway_workers, settings.workers * 8),
    }


class Operations(DependencyProvider):
    """Watches every piece of work, and answers operators on the desk's own port."""

    serves_itself = True

    def setup(self) -> None:
        self.settings = self.container.config["SETTINGS"]
        self._began: dict[Any, float] = {}

    def start(self) -> None:
        if self.serves_itself and not self.settings.embedded:
            listening = eventlet.listen((self.settings.http_host, self.settings.http_port))
            self.container.spawn_managed_thread(
                lambda: wsgi.server(listening, self, log_output=False, socket_timeout=10, debug=False)
            )

    def worker_setup(self, worker_ctx: Any) -> None:
        logs.begin_work(worker_ctx.service_name, worker_ctx.data)
        self._began[worker_ctx] = time.monotonic()

    def worker_result(self, worker_ctx: Any, result: Any = None, exc_info: Any = None) -> None:
        began = self._began.pop(worker_ctx, None)
        if began is not None:
            metrics.WORK.labels(worker_ctx.entrypoint.method_name, outcome(exc_info)).observe(time.monotonic() - began)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        answer = self.answer(environ["PATH_INFO"]) or (404, "application/json", b'{"code":"not_found"}')
        status, content_type, body = answer
        reasons = {200: "200 OK", 404: "404 Not Found", 503: "503 Service Unavailable"}
        start_response(reasons[status], [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    def answer(self, path: str) -> tuple[int, str, bytes] | None:
        """Return status, content type and body of an operator's page, or None where the path is not one."""
        if path == "/healthz":
            return 200, "application/json", b'{"status":"alive"}'
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        if path == "/readyz":
            return self._readiness()
        return None

    def _readiness(self) -> tuple[int, str, bytes]:
        names = {one.attr_name: checked(one.check) for one in self.container.dependencies if hasattr(one, "check")}
        names |= {
            type(one).__name__.lower(): "ok" if one.line.is_up else "unavailable"
            for one in self.container.subextensions
            if getattr(one, "line", None) is not None
        }
        ready = all(state == "ok" for state in names.values())
        body = orjson.dumps({"status": "ready" if ready else "unavailable", "dependencies": names})
        return 200 if ready else 503, "application/json", body


def checked(check: Callable[[], None]) -> str:
    """Say how a dependency is: ok, unavailable, or slow."""
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


class Desk:
    """A service: its counter methods stand in ``services/<name>/service.py``."""

    operations = Operations()
