"""RPC between the gateway and the services: quick, with a deadline, and dropped when the caller is gone.

A call is repeatable or guarded by an idempotency key, so a lost one is made again by the caller, and nothing is
kept for it. How calls travel is the broker's (`shared.framework.broker`).
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import orjson
from nameko.extensions import DependencyProvider, Entrypoint, SharedExtension

from shared import logs
from shared.framework.broker import CONTEXT, BrokerExtension, Context, Reply
from shared.language.errors import Problem, Unavailable, from_wire, to_wire

PING = "ping"  # answered by the server itself: is the service there?
PING_SECONDS = 1.0
RETRY_AFTER = 2  # seconds a caller is asked to wait before trying again

log = logs.log(__name__)
Method = TypeVar("Method", bound=Callable[..., Any])


def reply_of(result: Any, error: BaseException | None) -> bytes:
    """Return the reply: the result, or the problem as itself, or only that something broke."""
    if error is None:
        try:
            return orjson.dumps({"result": result})
        except TypeError as unwritable:  # raised further, it would end the whole process
            log.error("answer_unwritable", exc_info=unwritable)
            error = unwritable
    problem = error if isinstance(error, Problem) else Problem("unexpected")
    return orjson.dumps({"problem": to_wire(problem)})


def result_of(reply: bytes) -> Any:
    """Return the result in a reply, or raise the problem in it."""
    answer = orjson.loads(reply)
    if "problem" in answer:
        raise from_wire(answer["problem"])
    return answer["result"]


class RpcServer(SharedExtension):
    """Runs the methods that callers ask this service for."""

    access = BrokerExtension()

    def __init__(self) -> None:
        self.entrypoints: dict[str, Rpc] = {}

    def setup(self) -> None:
        self.access.broker.serve(self.container.service_name, self.handle)

    def handle(self, method: str, body: bytes, context: Context, reply: Reply) -> None:
        """Run the entrypoint called ``method`` with the JSON arguments in ``body``, and pass on its reply."""
        if method == PING:
            reply(reply_of(None, None))
            return
        entrypoint = self.entrypoints.get(method)
        if entrypoint is None:
            reply(reply_of(None, Problem("unexpected")))
            return
        self.container.spawn_worker(
            entrypoint,
            (),
            orjson.loads(body),
            context_data=dict(context),
            handle_result=_replier(method, reply),
        )


def _replier(method: str, reply: Reply) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    def done(worker: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
        error = exc_info[1] if exc_info else None
        if error is not None and not isinstance(error, Problem):
            log.error("call_failed", method=method, exc_info=exc_info)
        reply(reply_of(result, error))
        return result, exc_info

    return done


class Rpc(Entrypoint):
    """A method that the gateway may call, with JSON arguments by name and a JSON result."""

    server = RpcServer()

    def __init__(self) -> None:
        super().__init__(expected_exceptions=(Problem,))

    def setup(self) -> None:
        self.server.entrypoints[self.method_name] = self

    def stop(self) -> None:
        self.server.access.broker.drain()


def rpc(method: Method) -> Method:
    """Let the gateway call a method."""
    return cast(Method, Rpc.decorator(method))


class RpcClient(SharedExtension):
    """The calling side, for all services that this one calls."""

    access = BrokerExtension()

    def setup(self) -> None:
        self.access.makes_calls = True
        self._usual_deadline: float = self.container.config["SETTINGS"].rpc_deadline

    def call(self, service: str, method: str, arguments: dict[str, Any], context: Context, deadline: float) -> Any:
        """Call a service and return its result, or raise its problem.

        Raises:
            Unavailable: the service did not answer within ``deadline`` seconds, or is not running.
        """
        if method != PING and deadline > self._usual_deadline:
            # a long call should not find out only at its end that the service is not running
            self.call(service, PING, {}, context, PING_SECONDS)
        body = orjson.dumps(arguments)
        reply = self.access.broker.call(service, method, body, context=context, deadline=deadline)
        if reply is None:
            log.warning("service_unavailable", callee=service, method=method)
            raise Unavailable(retry_after=RETRY_AFTER, dependency=service)
        return result_of(reply)


class RpcProxyProvider(DependencyProvider):
    """Another service, as the gateway sees it: ``self.registration.submit_declaration(form=…)``."""

    client = RpcClient()

    def __init__(self, service: str) -> None:
        self.service = service

    def get_dependency(self, worker_ctx: Any) -> "RpcProxy":
        deadline = self.container.config["SETTINGS"].rpc_deadline
        context = {name: worker_ctx.data.get(name, "") for name in CONTEXT}
        return RpcProxy(self.client, self.service, context, deadline)


class RpcProxy:
    """Calls by attribute; ``within(seconds)`` gives the next call another deadline."""

    def __init__(self, client: RpcClient, service: str, context: Context, deadline: float) -> None:
        self._client, self._service, self._context, self._deadline = client, service, context, deadline

    def within(self, seconds: float) -> "RpcProxy":
        return RpcProxy(self._client, self._service, self._context, seconds)

    def __getattr__(self, method: str) -> Any:
        def call(**arguments: Any) -> Any:
            return self._client.call(self._service, method, arguments, self._context, self._deadline)

        return call
