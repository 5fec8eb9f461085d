"""What the services need before they start: their databases, the starter lists, the keys of the embedded system."""

import importlib
import importlib.util
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services import SERVICES
from shared import logs
from shared.settings import Settings

# the services with a database of their own
STATEFUL = tuple(name for name in SERVICES if importlib.util.find_spec(f"services.{name}.models"))


def migrate(settings: Settings) -> None:
    """Bring every service's database up to date, and the list of agencies with it."""
    # here, so that services and relay, which need the rest of this file, do not carry alembic and other services
    from services.registration.commands import keep_starter_list
    from shared.storage import migrate as migrations

    for service in STATEFUL:
        models = importlib.import_module(f"services.{service}.models")
        migrations.upgrade(service, models.metadata, settings)
    keep_starter_list()


def service_of(name: str) -> Any:
    """Return the nameko class of a service."""
    return getattr(importlib.import_module(f"services.{name}.service"), name.capitalize())


def with_keys(settings: Settings) -> Settings:
    """Return the settings with keys; those of the embedded system are made once and kept beside its data."""
    return replace(
        settings,
        seal_key=settings.seal_key or _kept_key(settings.folder / "seal.key"),
        link_key=settings.link_key or _kept_key(settings.folder / "link.key"),
    )


def _kept_key(file: Path) -> str:
    from shared.storage.seals import new_key  # only the embedded system needs it

    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(new_key(), encoding="ascii")
    return file.read_text(encoding="ascii")


def serve_operations(settings: Settings, states: Callable[[], dict[str, str]]) -> None:
    """Answer health, readiness and metrics for a process that is no service, in a thread of its own."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        status, kind, body = operations(environ["PATH_INFO"], states())
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    server = make_server(settings.http_host, settings.http_port, answer, Threaded, Silent)
    threading.Thread(target=server.serve_forever, daemon=True, name="operations").start()


def operations(path: str, dependencies: dict[str, str]) -> tuple[str, str, bytes]:
    """Return status line, content type and body of an operator's page."""
    if path == "/metrics":
        return "200 OK", CONTENT_TYPE_LATEST, generate_latest()
    if path == "/healthz":
        return "200 OK", "application/json", b'{"status":"alive"}'
    if path == "/readyz":
        ready = all(state == "ok" for state in dependencies.values())
        body = orjson.dumps({"status": "ready" if ready else "unavailable", "dependencies": dependencies})
        return "200 OK" if ready else "503 Service Unavailable", "application/json", body
    return "404 Not Found", "application/json", b'{"code":"not_found"}'


class Threaded(ThreadingMixIn, WSGIServer):
    """Counting the outboxes waits for a database that hangs; who asks for health meanwhile is answered."""

    daemon_threads = True


class Silent(WSGIRequestHandler):
    """A probe every few seconds is no news."""

    def log_message(self, *_: Any) -> None:
        logs.log(__name__).debug("operations_asked")
