"""The load generator: keep-alive connections in one thread, requests laid out as bytes before they are wanted.

Times are those of the monotonic clock, which every process of a machine shares.
"""

import json
import select
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

HOST = "127.0.0.1"
OVERTIME = 30.0  # seconds beyond its own end after which a script is given up
TICK = 0.002  # seconds between two looks for something to ask
NO_ANSWER = 0  # the status of a request whose connection ended


class Script(Protocol):
    """What is asked, one request after another, and what is done with each answer."""

    def ask(self, now: float) -> tuple[bytes, Any] | None:
        """Return the next request and a tag for its answer; None where there is nothing to ask now."""

    def answered(self, tag: Any, status: int, body: bytes, now: float) -> None: ...

    def is_over(self, now: float) -> bool:
        """Say whether the script is done once the answers under way are in."""


@dataclass
class Outcome:
    """What came of a load: seconds from each request's due time to its good answer, and all answers by status."""

    good: int
    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    processor: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.took) / self.seconds if self.seconds else 0.0

    @property
    def refused(self) -> dict[int, int]:
        return {status: times for status, times in self.statuses.items() if status != self.good}


class Closed:
    """So many requests at once as there are connections, for some seconds or until they run out."""

    def __init__(self, requests: Iterable[bytes], seconds: float, good: int = 200) -> None:
        self._requests, self._end = iter(requests), time.monotonic() + seconds
        self.outcome, self.bodies = Outcome(good), []
        self._ended = False

    def ask(self, now: float) -> tuple[bytes, Any] | None:
        request = next(self._requests, None) if now < self._end else None
        self._ended = request is None
        return None if request is None else (request, now)

    def answered(self, tag: Any, status: int, body: bytes, now: float) -> None:
        self.outcome.statuses[status] += 1
        if status == self.outcome.good:
            self.outcome.took.append(now - tag)

    def is_over(self, now: float) -> bool:
        return self._ended or now >= self._end


class Connection:
    """One keep-alive connection and the answer that is coming in on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=OVERTIME)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tag: Any = None
        self._kept = b""

    def send(self, request: bytes, tag: Any) -> None:
        self.tag, self._kept = tag, b""
        self.socket.sendall(request)

    def receive(self) -> tuple[int, bytes] | None:
        """Return status and body once the answer is whole."""
        try:
            more = self.socket.recv(65536)
        except OSError:
            more = b""
        if not more:
            return NO_ANSWER, b""
        self._kept += more
        end = self._kept.find(b"\r\n\r\n")
        if end < 0:
            return None
        body = self._kept[end + 4 :]
        return (int(self._kept[9:12]), body) if len(body) >= length_in(self._kept[:end]) else None


def length_in(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def drive(port: int, connections: int, script: Any) -> Outcome:
    """Ask what the script asks over so many connections until it is over; return its outcome."""
    began, processor = time.monotonic(), time.process_time()
    loop = _Loop(port, connections)
    try:
        loop.run(script)
    finally:
        loop.close()
    script.outcome.seconds = time.monotonic() - began
    script.outcome.processor = time.process_time() - processor
    return script.outcome


class _Loop:
    """The connections of one drive."""

    def __init__(self, port: int, connections: int) -> None:
        self._port, self._poller = port, select.epoll()
        self._idle: list[Connection] = []
        self._all: dict[int, Connection] = {}
        for _ in range(connections):
            self._open()

    def _open(self) -> None:
        made = Connection(self._port)
        self._all[made.socket.fileno()] = made
        self._poller.register(made.socket, select.EPOLLIN)
        self._idle.append(made)

    def run(self, script: Any) -> None:
        over_since = None
        while True:
            now = time.monotonic()
            self._ask(script, now)
            if script.is_over(now):
                over_since = over_since or now
                if len(self._idle) == len(self._all) or now > over_since + OVERTIME:
                    return
            for number, _ in self._poller.poll(TICK):
                self._receive(self._all[number], script)

    def _ask(self, script: Any, now: float) -> None:
        while self._idle:
            wanted = script.ask(now)
            if wanted is None:
                return
            self._idle.pop().send(*wanted)

    def _receive(self, one: Connection, script: Any) -> None:
        answer = one.receive()
        if answer is None:
            return
        if answer[0] == NO_ANSWER:
            self._drop(one)
            self._open()
        else:
            self._idle.append(one)
        if one.tag is not None:
            script.answered(one.tag, *answer, time.monotonic())
        one.tag = None

    def _drop(self, one: Connection) -> None:
        if one in self._idle:
            self._idle.remove(one)
        del self._all[one.socket.fileno()]
        self._poller.unregister(one.socket)
        one.socket.close()

    def close(self) -> None:
        for one in list(self._all.values()):
            self._drop(one)
        self._poller.close()


def request(method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", *(f"{name}: {text}" for name, text in (headers or {}).items())]
    data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, "", ""]).encode() + data


def endless(requests: list[bytes]) -> Iterator[bytes]:
    while True:
        yield from requests


def percentile(took: Iterable[float], share: float) -> float | None:
    """Return the time within which this share of them was done, or None where there were none."""
    ordered = sorted(took)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
