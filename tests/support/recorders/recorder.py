"""What the recording carriers have in common: faults, a memory to wait on, and an HTTP server."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to one request.

    Attributes:
        kept: the carrier does its work, whatever it answers.
        seconds: how long it says nothing; healing ends the wait.
        code: the refusal it answers with.
        closes: it hangs up without an answer.
    """

    kept: bool = False
    seconds: float = 0
    code: int | None = None
    closes: bool = False


NO_FAULT = Fault(kept=True)


class Switch:
    """Sets the fault of each request: for the next ``times`` of them, else until healed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fault = NO_FAULT
        self._left: int | None = None
        self._healed = threading.Event()

    def fail(self, code: int, times: int | None = None) -> None:
        """Refuse with an HTTP status or SMTP reply; nothing is kept."""
        self._set(Fault(code=code), times)

    def stall(self, seconds: float, times: int | None = None) -> None:
        """Take the request, keep nothing, say nothing, and hang up after so many seconds."""
        self._set(Fault(seconds=seconds, closes=True), times)

    def late(self, seconds: float, times: int | None = None) -> None:
        """Keep it at once, and answer well after so many seconds."""
        self._set(Fault(kept=True, seconds=seconds), times)

    def drop(self, times: int | None = None) -> None:
        """Keep it, and hang up without an answer."""
        self._set(Fault(kept=True, closes=True), times)

    def heal(self) -> None:
        """Answer well again, and end the waits there are."""
        self._set(NO_FAULT, None)

    def take(self) -> tuple[Fault, threading.Event]:
        """Return the fault of one request, and what is set when its wait is over early."""
        with self._lock:
            taken = self._fault, self._healed
            if self._left is not None:
                self._left -= 1
                if self._left == 0:
                    self._fault, self._left = NO_FAULT, None
            return taken

    def _set(self, fault: Fault, times: int | None) -> None:
        if times is not None and times < 1:
            raise ValueError("a fault happens at least once")
        with self._lock:
            self._fault, self._left = fault, times
            self._healed.set()
            self._healed = threading.Event()


class Recorder(Generic[T]):
    """A carrier that remembers what it accepted. Any thread may call any of this."""

    def __init__(self) -> None:
        self.sending = Switch()
        self.looking_up = Switch()
        self._kept: list[T] = []
        self._changed = threading.Condition()

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def counts(self) -> Counter[tuple[str, str]]:
        """Count what was accepted by (recipient, text): 2 is somebody told twice."""
        raise NotImplementedError

    def messages(self) -> list[T]:
        """Return what was accepted, the oldest first."""
        with self._changed:
            return list(self._kept)

    def wait_until(self, enough: Callable[[list[T]], bool], seconds: float = 10) -> list[T]:
        """Return the messages as soon as they are enough.

        Raises:
            TimeoutError: they never were, in the time given.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: enough(list(self._kept)), seconds):
                raise TimeoutError(f"not within {seconds:g} s; accepted so far: {self._kept!r}")
            return list(self._kept)

    def clear(self) -> None:
        """Forget what was accepted."""
        with self._changed:
            self._kept.clear()

    def heal(self) -> None:
        self.sending.heal()
        self.looking_up.heal()

    def keep(self, message: T) -> None:
        with self._changed:
            self._kept.append(message)
            self._changed.notify_all()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class HttpServer(ThreadingHTTPServer):
    """Answers for a recorder on loopback; port 0 takes a free one."""

    def __init__(self, handler: type["Handler"], recorder: Any, port: int) -> None:
        super().__init__((HOST, port), handler)
        self.recorder = recorder
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request, read and answered as JSON; HTTP/1.0, so that no open connection outlives a stop."""

    methods: ClassVar[dict[str, str]] = {}
    server: HttpServer

    @property
    def path_only(self) -> str:
        return urlsplit(self.path).path

    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def form(self) -> dict[str, str]:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        return {name: values[-1] for name, values in parse_qs(body).items()}

    def answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:
            # Whoever asked has given up waiting, which is what a late answer is for.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Log nothing: the test that fails shows it."""
