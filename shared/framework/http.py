"""HTTP: routes of the gateway, on nameko's web server, with limits, an id for each request, and problems as answers."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

import orjson
from eventlet.event import Event
from nameko.web.handlers import HttpRequestHandler
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from shared import logs, metrics, operations
from shared.framework.server import HttpServer
from shared.language.errors import (
    Forbidden,
    Invalid,
    NotAllowed,
    NotFound,
    Problem,
    Refusal,
    Refused,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

Method = TypeVar("Method", bound=Callable[..., Any])

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

log = logs.log(__name__)


class JsonResponse(Response):
    """A JSON answer, or an empty one."""

    def __init__(self, body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(
            b"" if body is None else orjson.dumps(body),
            status=status,
            headers=headers,
            content_type="application/json" if body is not None else None,
        )


class ApplicationServer(HttpServer):
    """The web server around an `Application`."""

    @property
    def admission(self) -> Any:
        return next(one for one in self.container.dependencies if one.attr_name == "operations")

    def get_wsgi_app(self) -> Any:
        return Application(self)

    def refusal(self, problem: Problem, language: str = "") -> bytes:
        request = Request({"HTTP_ACCEPT_LANGUAGE": language, "vssid.request_id": logs.new_request_id()})
        response = self.container.service_cls.present(problem, request)
        response.headers["Connection"] = "close"
        return f"HTTP/1.1 {response.status}\r\n{response.headers}".encode() + response.get_data()


class Application:
    """The WSGI application: every request passes here first.

    Operators' pages are answered at once, whatever the workers do; past ``gateway_workers`` requests under
    way the next is turned away; every request has an id, one log line and one answer, never a stack trace.
    The gateway provides `present` (a problem as a response) and the admission control (`operations`).
    """

    def __init__(self, server: ApplicationServer) -> None:
        container = server.container
        self._service = container.service_cls
        self._settings = container.config["SETTINGS"]
        self._operations = server.admission
        self._map = server.make_url_map()
        self._under_way = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        given = request.headers.get("X-Request-Id", "")
        usable = given.isascii() and given.isprintable() and 0 < len(given) <= logs.REQUEST_ID_LENGTH
        environ["vssid.request_id"] = given if usable else logs.new_request_id()
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            environ["wsgi.input_terminated"] = True  # eventlet ends the input; werkzeug reads nothing without this
        began = time.monotonic()
        response, route = self._respond(request)
        response.headers["X-Request-Id"] = environ["vssid.request_id"]
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        took = time.monotonic() - began
        # a caller may invent methods, and each would stay in memory for as long as the process lives
        method = request.method if request.method in METHODS else "other"
        metrics.REQUESTS.labels(method, route, response.status_code).observe(took)
        if route not in ("operations", "unknown"):
            log.info(
                "request_answered",
                request_id=environ["vssid.request_id"],
                method=method,
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
            return self._refuse(request, problem_of(refusal)), "unknown"
        if not all(value.isprintable() for value in values.values()):
            return self._refuse(request, NotFound()), "unknown"  # PostgreSQL takes no NUL
        request.path_values = values  # type: ignore[attr-defined]
        return rule.endpoint.handle_request(request), rule.rule

    def _refuse(self, request: Request, refusal: Problem) -> Response:
        """Refuse what leads nowhere; it counts like everything else that its caller asks."""
        try:
            self._operations.admit(request, Operation.limit)
        except TooMany as problem:
            refusal = problem
        return self._service.present(refusal, request)


def problem_of(refusal: HTTPException) -> Problem:
    """Return our problem for one of werkzeug's."""
    if refusal.code == 405:
        return NotAllowed(allow=", ".join(getattr(refusal, "valid_methods", None) or ()))
    return NotFound()


class Caller(StrEnum):
    """Who may call a route."""

    PUBLIC = "public"
    OFFICER = "officer"  # with a bearer token
    CARRIER = "carrier"  # with the signature of a carrier of messages


@dataclass(frozen=True)
class Parameter:
    """A parameter of a route beside its forms; ``where`` is path, query or header."""

    name: str
    about: str
    example: str
    where: str = "path"
    pattern: str = ""
    choices: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Operation:
    """What a route takes, answers and refuses; its part of the OpenAPI document is made from this alone.

    Schemas are named ``service.Schema``, because no service imports another: ``json``, ``form`` (as browsers and
    carriers send it) and ``query`` for what comes in, ``answer`` for the JSON that goes out (of several, the fields
    of all). ``file`` is the field of a multipart body that holds the file, ``file_form`` the schema of its other
    fields; a route may take such a body or JSON. ``media`` are the content types of an answer that is not JSON.
    ``limit`` is the rate limit it counts against.
    """

    json: str = ""
    form: str = ""
    query: str = ""
    file: str = ""
    file_form: str = ""
    answer: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    status: int = 200
    parameters: tuple[Parameter, ...] = ()
    headers: tuple[str, ...] = ()
    refuses: tuple[Refusal, ...] = ()
    idempotent: bool = False
    limit: str = "reading"
    caller: Caller = Caller.PUBLIC
    tag: str = ""

    @property
    def has_body(self) -> bool:
        return bool(self.json or self.form or self.file)

    @property
    def refusals(self) -> list[Refusal]:
        """Return all that callers may be refused with: what the route names, and what follows from the rest."""
        found = [*self.refuses, *TooMany.codes(), *Unavailable.codes("unavailable", "busy")]
        if self.has_body or self.query or self.idempotent:
            found += Invalid.codes()
        if self.has_body:
            found += [*TooLarge.codes(), *Unsupported.codes()]
        if self.idempotent:
            found += Refused.codes("idempotency_key_reused")
        if self.caller is Caller.OFFICER:
            found += [*Unauthenticated.codes(), *Forbidden.codes()]
        if any(one.where == "path" for one in self.parameters):
            found += NotFound.codes()
        return sorted(set(found))


class Route(HttpRequestHandler):
    """A method that answers HTTP requests: it takes the request and the path's values, returns a response."""

    server = ApplicationServer()

    def __init__(self, method: str, url: str, **declared: Any) -> None:
        self.operation = Operation(**declared)
        super().__init__(method, url, expected_exceptions=(Problem,))

    def stop(self) -> None:
        self.server.close()
        super().stop()

    def handle_request(self, request: Request) -> Response:
        service = self.container.service_cls
        try:
            self.server.admission.admit(request, self.operation.limit)
            return self._work(request)
        except Problem as problem:
            return service.present(problem, request)
        except Exception:
            log.exception("request_failed", route=self.url, request_id=request.environ["vssid.request_id"])
            return service.present(Problem("unexpected"), request)

    def _work(self, request: Request) -> Response:
        done = Event()
        self.container.spawn_worker(
            self,
            (request,),
            request.path_values,  # type: ignore[attr-defined]
            context_data={
                "request_id": request.environ["vssid.request_id"],
                "caller": self.server.admission.caller(request),
            },
            handle_result=partial(_finish, done),
        )
        return done.wait()


def _finish(done: Event, worker: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
    done.send(result, exc_info)
    return result, exc_info


def route(method: str, url: str, **declared: Any) -> Callable[[Method], Method]:
    """Have a method of the gateway answer requests; ``declared`` are the fields of `Operation`."""
    decorator: Callable[[Method], Method] = Route.decorator(method, url, **declared)
    return decorator
