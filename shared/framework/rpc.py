"""RPC between the gateway and the desks: quick, with a deadline, and over when the caller is gone.

Direct reply-to and no confirms: a call is repeatable or guarded by an idempotency key, so a lost one is
asked again by the caller, and nothing is kept for him. The deadline travels as the message's expiration
and as a time, so that a call nobody waits for any more is never done.
"""

import time
from itertools import count
from typing import Any

import eventlet
import orjson
from eventlet.event import Event
from kombu import Queue
from nameko.extensions import DependencyProvider, Entrypoint, ProviderCollector, SharedExtension

from shared import logs
from shared.framework.connection import Line, LineDown
from shared.language.errors import Problem, Unavailable, from_wire, to_wire

PING = "ping"  # answered by the line itself: is anybody there?
PING_SECONDS = 1.0
REPLY_TO = "amq.rabbitmq.reply-to"
RETRY_AFTER = 2  # seconds we ask a caller to wait before he tries again

log = logs.log(__name__)


def queue_name(prefix: str, desk: str) -> str:
    return f"{prefix}rpc.{desk}"


def answer_of(result: Any, error: BaseException | None) -> bytes:
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


class Switchboard(ProviderCollector, SharedExtension):
    """Answers the calls to this desk, from RabbitMQ or from the same process."""

    line: Line | None = None

    def setup(self) -> None:
        self.settings = self.container.config["SETTINGS"]

    def start(self) -> None:
        if self.settings.embedded:
            self.container.config["TOWN"].switchboards[self.container.service_name] = self
            return
        self.line = Line(self.settings.amqp_url, f"{self.container.service_name}.answers", self._prepare)
        self.container.spawn_managed_thread(self.line.run)

    def close(self) -> None:
        """Take no further calls; those under way are answered."""
        if self.line is not None:
            self.line.cancel(self.container.service_name)

    def stop(self) -> None:
        if self.line is not None:
            self.line.stop()

    def _prepare(self, channel: Any) -> None:
        queue = queue_name(self.settings.broker_prefix, self.container.service_name)
        # gone with its last consumer, so that a caller learns at once that nobody is there
        Queue(queue, durable=True, auto_delete=True)(channel).declare()
        channel.basic_qos(0, self.settings.workers, False)
        channel.basic_consume(queue, consumer_tag=self.container.service_name, callback=self._on_message)

    def _on_message(self, message: Any) -> None:
        if float(message.headers.get("until", 0)) < time.time():
            self._finish(message, None)
        elif message.delivery_info.get("redelivered"):
            # begun by a process that died: done or not, it is not done a second time
            self._finish(message, answer_of(None, Unavailable(retry_after=RETRY_AFTER)))
        else:
            headers = message.headers
            self.handle(
                headers["method"], message.body, headers.get("request_id"), lambda body: self._finish(message, body)
            )

    def _finish(self, message: Any, body: bytes | None) -> None:
        def act(channel: Any) -> None:
            if body is not None:
                properties = {"correlation_id": message.properties["correlation_id"], "delivery_mode": 1}
                sent = channel.prepare_message(body, properties=properties)
                channel.basic_publish(sent, exchange="", routing_key=message.properties["reply_to"])
            channel.basic_ack(message.delivery_tag)

        try:
            if message.channel is self.line.channel:  # type: ignore[union-attr]
                self.line.send(act)  # type: ignore[union-attr]
        except LineDown:
            log.info("reply_undeliverable")

    def handle(self, method: str, body: str | bytes, request_id: str | None, reply: Any) -> None:
        """Run the entrypoint called ``method`` with the JSON arguments in ``body`` and pass on its reply."""
        if method == PING:
            reply(answer_of(None, None))
            return
        provider = next((one for one in self._providers if one.method_name == method), None)
        if provider is None:
            reply(answer_of(None, Problem("unexpected")))
            return

        def done(worker: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
            error = exc_info[1] if exc_info else None
            if error is not None and not isinstance(error, Problem):
                log.error("call_failed", method=method, exc_info=exc_info)
            reply(answer_of(result, error))
            return result, exc_info

        self.container.spawn_worker(
            provider, (), orjson.loads(body), context_data={"request_id": request_id}, handle_result=done
        )


class Rpc(Entrypoint):
    """A method that the gateway may call, with JSON arguments by name and a JSON result."""

    switchboard = Switchboard()

    def __init__(self) -> None:
        super().__init__(expected_exceptions=(Problem,))

    def setup(self) -> None:
        self.switchboard.register_provider(self)

    def stop(self) -> None:
        self.switchboard.close()


rpc = Rpc.decorator


class Caller(SharedExtension):
    """The calling side: one line for all desks, however many calls are under way."""

    line: Line | None = None

    def setup(self) -> None:
        self.settings = self.container.config["SETTINGS"]
        self._waiting: dict[str, Event] = {}
        self._numbers = count()

    def start(self) -> None:
        if self.settings.embedded or self.line is not None:
            return
        self.line = Line(
            self.settings.amqp_url, f"{self.container.service_name}.calls", self._prepare, lost=self._fail_all
        )
        self.container.spawn_managed_thread(self.line.run)

    def stop(self) -> None:
        if self.line is not None:
            self.line.stop()

    def check(self) -> None:
        """Raise Unavailable when no call can be made."""
        if self.line is not None and not self.line.is_up:
            raise Unavailable(retry_after=RETRY_AFTER, dependency="broker")

    def _prepare(self, channel: Any) -> None:
        channel.basic_consume(REPLY_TO, no_ack=True, callback=self._on_reply)
        channel.events["basic_return"].add(self._on_return)

    def _on_reply(self, message: Any) -> None:
        self._settle(message.properties.get("correlation_id"), message.body)

    def _on_return(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        self._settle(message.properties.get("correlation_id"), None)

    def _settle(self, correlation_id: str | None, body: Any) -> None:
        waiter = self._waiting.pop(str(correlation_id), None)
        if waiter is not None:
            waiter.send(body)

    def _fail_all(self) -> None:
        for correlation_id in list(self._waiting):
            self._settle(correlation_id, None)

    def call(self, desk: str, method: str, arguments: dict[str, Any], request_id: str, deadline: float) -> Any:
        """Call a desk and return its result, or raise its problem.

        Raises:
            Unavailable: nobody answered within ``deadline`` seconds, or nobody is there.
        """
        if method != PING and deadline > self.settings.rpc_deadline:
            # a long call may not find out only at its end that nobody is there
            self.call(desk, PING, {}, request_id, PING_SECONDS)
        body = orjson.dumps(arguments)
        if self.settings.embedded:
            reply = self._call_here(desk, method, body, request_id, deadline)
        else:
            reply = self._call_there(desk, method, body, request_id, deadline)
        if reply is None:
            log.warning("desk_unavailable", callee=desk, method=method)
            raise Unavailable(retry_after=RETRY_AFTER, dependency=desk)
        return result_of(reply)

    def _call_here(self, desk: str, method: str, body: bytes, request_id: str, deadline: float) -> Any:
        waiter = Event()
        self.container.config["TOWN"].switchboards[desk].handle(method, body, request_id, waiter.send)
        with eventlet.Timeout(deadline, False):
            return waiter.wait()
        return None

    def _call_there(self, desk: str, method: str, body: bytes, request_id: str, deadline: float) -> Any:
        until = time.time() + deadline
        if not self.line.wait(min(deadline, 1.0)):  # type: ignore[union-attr]
            return None
        correlation_id = str(next(self._numbers))
        waiter = self._waiting[correlation_id] = Event()
        headers = {"method": method, "request_id": request_id, "until": str(until)}
        properties = {
            "correlation_id": correlation_id,
            "reply_to": REPLY_TO,
            "delivery_mode": 1,
            "expiration": str(int(deadline * 1000)),
        }

        def publish(channel: Any) -> None:
            message = channel.prepare_message(body, headers=headers, properties=properties)
            queue = queue_name(self.settings.broker_prefix, desk)
            channel.basic_publish(message, exchange="", routing_key=queue, mandatory=True)

        try:
            with eventlet.Timeout(deadline, False):
                self.line.send(publish)  # type: ignore[union-attr]
                return waiter.wait()
        except LineDown:
            return None
        finally:
            self._waiting.pop(correlation_id, None)
        return None


class Remote(DependencyProvider):
    """Another desk, as the gateway sees it: ``self.registration.submit_declaration(form=…)``."""

    caller = Caller()

    def __init__(self, desk: str) -> None:
        self.desk = desk

    def get_dependency(self, worker_ctx: Any) -> "RemoteDesk":
        deadline = self.container.config["SETTINGS"].rpc_deadline
        return RemoteDesk(self.caller, self.desk, worker_ctx.data.get("request_id", ""), deadline)

    def check(self) -> None:
        self.caller.check()


class RemoteDesk:
    """Calls by attribute; ``within(seconds)`` gives the next call another deadline."""

    def __init__(self, caller: Caller, desk: str, request_id: str, deadline: float) -> None:
        self._caller, self._desk, self._request_id, self._deadline = caller, desk, request_id, deadline

    def within(self, seconds: float) -> "RemoteDesk":
        return RemoteDesk(self._caller, self._desk, self._request_id, seconds)

    def __getattr__(self, method: str) -> Any:
        def call(**arguments: Any) -> Any:
            return self._caller.call(self._desk, method, arguments, self._request_id, self._deadline)

        return call
