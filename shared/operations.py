"""What every process answers to operators: health, readiness and metrics."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

JSON = "application/json"
States = Callable[[], Mapping[str, str]]  # dependency -> ok, or what is wrong with it
SERVING = ("ok", "degraded")  # degraded: the process does without it, in a way that operators should know of


@dataclass(frozen=True)
class Page:
    """An answer to an operator's request."""

    status: int
    content_type: str
    body: bytes


def page(path: str, accept: str, states: States) -> Page | None:
    """Return the page at ``path``, or None where it is not an operator's; ``states`` is asked for readiness only."""
    match path:
        case "/healthz":
            return Page(200, JSON, b'{"status":"alive"}')
        case "/readyz":
            return _readiness(states())
        case "/metrics":
            return _metrics(accept)
    return None


def _readiness(states: Mapping[str, str]) -> Page:
    ready = all(state in SERVING for state in states.values())
    body = orjson.dumps({"status": "ready" if ready else "unavailable", "dependencies": states})
    return Page(200 if ready else 503, JSON, body)


def _metrics(accept: str) -> Page:
    encode, content_type = choose_encoder(accept)
    return Page(200, content_type, encode(REGISTRY))


def wsgi_application(states: States) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Return a WSGI application that answers operators and nobody else."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        accept = environ.get("HTTP_ACCEPT", "")
        found = page(environ["PATH_INFO"], accept, states) or Page(404, JSON, b'{"code":"not_found"}')
        headers = [("Content-Type", found.content_type), ("Content-Length", str(len(found.body)))]
        start_response(f"{found.status} {HTTPStatus(found.status).phrase}", headers)
        return [found.body]

    return application
