"""HTTP: routes of the gateway, on nameko's web server, with its limits and its answers to what goes wrong."""

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import eventlet
import orjson
from eventlet import greenio, wsgi
from eventlet.event import Event
from nameko.web.handlers import HttpRequestHandler
from nameko.web.server import WebServer
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from shared import logs, metrics, operations
from shared.language.errors import NotAllowed, NotFound, Problem, TooMany, Unavailable

SOCKET_SECONDS = 15  # a caller who sends or reads more slowly than this is let go
LAST_CALL_SECONDS = 1.0  # a connection that is kept alive may bring one more request while we leave
LEAVE_SECONDS = 6.0  # requests under way at the end may take so long; SIGTERM is obeyed within ten

log = logs.log(__name__)


class Answer(Response):
    """A JSON answer."""

    def __init__(self, body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(
            b"" if body is None else orjson.dumps(body),
            status=status,
            headers=headers,
            content_type="application/json" if body is not None else None,
        )


class Web(WebServer):
    """nameko's web server with a front door (see `FrontDoor`), and with a way to close it that fails no caller."""

    def __init__(self) -> None:
        super().__init__()
        self._connections: list[list[Any]] = []  # [address, socket, state], the way eventlet keeps them
        self._closed = False

    @property
    def doorkeeper(self) -> Any:
        return next(one for one in self.container.dependencies if one.attr_name == "operations")

    def get_wsgi_app(self) -> Any:
        return FrontDoor(self)

    def get_wsgi_server(self, sock: Any, wsgi_app: Any, **options: Any) -> Any:
        server = super().get_wsgi_server(sock, wsgi_app, **options)
        server.socket_timeout = SOCKET_SECONDS
        server.log_output = False
        server.minimum_chunk_size = 1
        return server

    def process_request(self, sock: Any, address: Any) -> None:
        connection = [address, sock, wsgi.STATE_IDLE]
        self._connections.append(connection)
        try:
            self._serv.process_request(connection)
        except OSError:
            return  # who hangs up in the middle has nothing more to hear
        finally:
            self._connections.remove(connection)

    def close(self) -> None:
        """Let nobody in any more, and return when everybody inside has his answer.

        An idle connection is not ended at once: its next request may be on the way already.
        """
        if self._closed or self._serv is None:
            return
        self._closed = True
        self._serv.keepalive = False
        self._stop_listening()
        self._wait_for_connections(LAST_CALL_SECONDS)
        for _, sock, state in self._connections:
            if state == wsgi.STATE_IDLE:
                greenio.shutdown_safe(sock)
        self._wait_for_connections(LEAVE_SECONDS)

    def _stop_listening(self) -> None:
        """Take in who stands at the door, then close it: closing alone would turn them away without a word."""
        self._gt.kill()
        self._sock.settimeout(0)
        try:
            while True:
                plain, address = self._sock.accept()
                sock = greenio.GreenSocket(plain)
                sock.settimeout(SOCKET_SECONDS)
                self.container.spawn_managed_thread(partial(self.process_request, sock, address))
        except OSError:
            self._sock.close()

    def _wait_for_connections(self, seconds: float) -> None:
        with eventlet.Timeout(seconds, False):
            while self._connections:
                eventlet.sleep(0.02)


class FrontDoor:
    """Every request passes here first.

    Operators' pages are answered at once, whatever the workers do; past ``gateway_workers`` requests under
    way the next is turned away; every request has an id, one log line and one answer, never a stack trace.
    The gateway lends `present` (a problem as a response) and its doorkeeper (`operations`).
    """

    def __init__(self, server: Web) -> None:
        container = server.container
        self._service = container.service_cls
        self._settings = container.config["SETTINGS"]
        self._operations = server.doorkeeper
        self._map = server.make_url_map()
        self._under_way = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        given = request.headers.get("X-Request-Id", "")
        usable = given.isascii() and given.isprintable() and 0 < len(given) <= logs.REQUEST_ID_LENGTH
        environ["vssid.request_id"] = given if usable else logs.new_request_id()
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            environ["wsgi.input_terminated"] = True  # eventlet ends it; werkzeug reads nothing without this
        began = time.monotonic()
        response, route = self._respond(request)
        response.headers["X-Request-Id"] = environ["vssid.request_id"]
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        took = time.monotonic() - began
        metrics.REQUESTS.labels(request.method, route, response.status_code).observe(took)
        if route not in ("operations", "unknown"):
            log.info(
                "request_answered",
                request_id=environ["vssid.request_id"],
                method=request.method,
                route=route,
                status=response.status_code,
                milliseconds=round(took * 1000, 1),
            )
        return response(environ, start_response)

    def _respond(self, request: Request) -> tuple[Response, str]:
        page = self._operations_page(request)
        if page is not None:
            return Response(page.body, status=page.status, content_type=page.content_type), "operations"
        if self._under_way >= self._settings.gateway_workers:
            metrics.TURNED_AWAY.labels("busy").inc()
            return self._service.present(Unavailable("busy", retry_after=2), request), "busy"
        self._under_way += 1
        try:
            return self._work(request)
        finally:
            self._under_way -= 1

    def _operations_page(self, request: Request) -> operations.Page | None:
        if request.method not in ("GET", "HEAD"):
            return None
        return operations.page(request.path, request.headers.get("Accept", ""), self._operations.states)

    def _work(self, request: Request) -> tuple[Response, str]:
        try:
            rule, values = self._map.bind_to_environ(request.environ).match(return_rule=True)
        except HTTPException as refusal:
            return self._service.present(problem_of(refusal), request, refusal), "unknown"
        if not all(value.isprintable() for value in values.values()):
            return self._service.present(NotFound(), request), "unknown"  # PostgreSQL takes no NUL
        request.path_values = values  # type: ignore[attr-defined]
        return rule.endpoint.handle_request(request), rule.rule


def problem_of(refusal: HTTPException) -> Problem:
    """Return our problem for one of werkzeug's."""
    if refusal.code == 405:
        return NotAllowed(allow=", ".join(getattr(refusal, "valid_methods", None) or ()))
    return NotFound()


class Route(HttpRequestHandler):
    """A method that answers HTTP requests: it takes the request and the path's values, returns an `Answer`.

    ``limit`` names the rate limit it counts against; the rest is its part of the OpenAPI document: the form it
    ``takes`` and the view it ``gives`` as ``desk.Schema``, the ``status`` of its answer, and the codes with
    which it ``refuses``.
    """

    server = Web()

    def __init__(
        self,
        method: str,
        url: str,
        limit: str = "reading",
        takes: str = "",
        gives: str = "",
        status: int = 200,
        refuses: tuple[str, ...] = (),
    ) -> None:
        self.limit, self.takes, self.gives, self.status, self.refuses = limit, takes, gives, status, refuses
        super().__init__(method, url, expected_exceptions=(Problem,))

    def stop(self) -> None:
        self.server.close()
        super().stop()

    def handle_request(self, request: Request) -> Response:
        service = self.container.service_cls
        done = Event()
        values: dict[str, Any] = request.path_values  # type: ignore[attr-defined]
        try:
            self.server.doorkeeper.admit(request, self.limit)
            self.container.spawn_worker(
                self,
                (request,),
                values,
                context_data={"request_id": request.environ["vssid.request_id"]},
                handle_result=lambda worker, result, exc_info: self._finish(done, result, exc_info),
            )
            return done.wait()
        except Problem as problem:
            if isinstance(problem, TooMany):
                metrics.TURNED_AWAY.labels("limit").inc()
            return service.present(problem, request)
        except Exception:
            log.exception("request_failed", route=self.url, request_id=request.environ["vssid.request_id"])
            return service.present(Problem("unexpected"), request)

    def _finish(self, done: Event, result: Any, exc_info: Any) -> tuple[Any, Any]:
        done.send(result, exc_info)
        return result, exc_info


route = Route.decorator
