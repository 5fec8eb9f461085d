"""Lean carriers: Twilio's one call and SMTP, in a process of their own, that note who was told what and when.

The recorders of the tests can fail in every way and therefore cost more than the service that speaks to them; these
only say yes. ``GET /recorded`` tells what came; any other GET is answered at once, which is what the load
generator's own ceiling is measured against.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from urllib.request import urlopen

from tests.bench.load import HOST, length_in
from tests.support.processes import child, free_port, until_answering

ACCOUNT_TEXT = "Tai khoan:"
recorded: list[tuple[float, str, str, bool]] = []  # when, by which channel, to whom, and whether about an account


class Twilio(asyncio.Protocol):
    """Takes messages; HTTP/1.1 with keep-alive."""

    def connection_made(self, transport: Any) -> None:
        self._transport, self._kept = transport, b""

    def data_received(self, data: bytes) -> None:
        self._kept += data
        while (end := self._kept.find(b"\r\n\r\n")) >= 0:
            whole = end + 4 + length_in(self._kept[:end])
            if len(self._kept) < whole:
                return
            taken, self._kept = self._kept[:whole], self._kept[whole:]
            self._answer(taken, end)

    def _answer(self, taken: bytes, end: int) -> None:
        if taken.startswith(b"POST"):
            form = parse_qs(taken[end + 4 :].decode())
            recorded.append((time.monotonic(), "sms", form["To"][0], ACCOUNT_TEXT in form["Body"][0]))
            status, body = b"201 Created", b'{"sid":"SM0","status":"queued"}'
        else:
            wanted = taken.startswith(b"GET /recorded ")
            status, body = b"200 OK", json.dumps(recorded).encode() if wanted else b'{"status":"ready"}'
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)


class Smtp(asyncio.Protocol):
    """Takes mail; the recipient is all it looks at."""

    def connection_made(self, transport: Any) -> None:
        self._transport, self._kept, self._in_data, self._to = transport, b"", False, ""
        transport.write(b"220 bench\r\n")

    def data_received(self, data: bytes) -> None:
        self._kept += data
        while True:
            end = self._kept.find(b"\r\n.\r\n" if self._in_data else b"\r\n")
            if end < 0:
                return
            line, self._kept = self._kept[:end], self._kept[end + (5 if self._in_data else 2) :]
            self._take(line)

    def _take(self, line: bytes) -> None:
        if self._in_data:
            self._in_data = False
            recorded.append((time.monotonic(), "mail", self._to, False))
            self._transport.write(b"250 kept\r\n")
        elif line[:4].upper() == b"QUIT":
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
        else:
            self._in_data = line[:4].upper() == b"DATA"
            if line[:4].upper() == b"RCPT":
                self._to = line.decode().partition("<")[2].partition(">")[0]
            self._transport.write(b"354 go on\r\n" if self._in_data else b"250 ok\r\n")


async def serve(http: int, smtp: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Twilio, HOST, http), await loop.create_server(Smtp, HOST, smtp)]
    await asyncio.gather(*(one.serve_forever() for one in servers))


@contextmanager
def carriers() -> Iterator["Carriers"]:
    """Run the carriers in a process of their own."""
    http, smtp = free_port(), free_port()
    with child([sys.executable, "-m", "tests.bench.carriers", str(http), str(smtp)]) as process:
        until_answering(http, "/")
        yield Carriers(http, smtp, process.pid)


@dataclass(frozen=True)
class Told:
    """A message a carrier took: when, by which channel, to whom, and whether it opens an account."""

    at: float
    channel: str
    to: str
    account: bool


class Carriers:
    """The running carriers, as the notification service and the bench reach them."""

    def __init__(self, http: int, smtp: int, pid: int) -> None:
        self.http, self.pid = http, pid
        self.sms_url = f"twilio://ACbench:token@?from=%2B15005550006&base_url=http://{HOST}:{http}"
        self.mail_url = f"smtp://{HOST}:{smtp}"

    def told(self) -> list[Told]:
        """Return every message taken so far."""
        with urlopen(f"http://{HOST}:{self.http}/recorded", timeout=30) as answer:
            return [Told(*row) for row in json.load(answer)]


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
