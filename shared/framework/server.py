"""The web server of the gateway: eventlet's, strict in what it reads and bounded in what it holds open.

One caller must not keep the others out, also where no proxy stands in front: connections are counted in all and by
address, a request must arrive in time, and what two servers could read differently is refused.
"""

import errno
import re
import resource
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import eventlet
from eventlet import greenio, wsgi
from nameko.web.server import HttpOnlyProtocol, WebServer

from shared import logs, metrics
from shared.language.errors import FieldError, Invalid, Problem, Unavailable
from shared.settings import cannot_listen

SOCKET_SECONDS = 15  # a caller who sends nothing, or reads nothing, for so long is disconnected
IDLE_SECONDS = 15.0  # before the first byte of a request, and of the next on the same connection
SLOW_SECONDS = 1.0  # a request that has been arriving for longer gives way where connections are full
HEADER_SECONDS = 10.0  # from there to the end of the headers, however many bytes trickle in
SHUTDOWN_SECONDS = 1.0  # a connection that is kept alive may bring one more request during the shutdown
DRAIN_SECONDS = 6.0  # requests under way at a shutdown may take so long; SIGTERM is obeyed within ten
ACCEPT_PAUSE_SECONDS = 0.1  # before the next try to accept where the system allows no further connection
RETRY_AFTER = 2  # seconds a caller is asked to wait where too many connections are open
BACKLOG = 512
CONNECTIONS = 2000  # open at once, where the system allows as many files
CONNECTIONS_BY_ADDRESS = 100
OTHER_FILES = 200  # besides connections: database, broker, store, log
LARGEST_DISCARDED = 16 * 1024 * 1024  # bytes of a body that nobody read; of a longer one the connection is closed
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r?\n")
LENGTH = re.compile(r"[0-9]{1,15}")
Connection = list[Any]  # the way eventlet keeps one, and more behind it; its state is one of eventlet's
ADDRESS, SOCKET, STATE, INPUT, BEGAN = range(5)

log = logs.log(__name__)


def is_idle(connection: Connection) -> bool:
    """Say whether a connection waits for its next request, or its first."""
    return bool(connection[STATE] == wsgi.STATE_IDLE)


def is_slow(connection: Connection, now: float) -> bool:
    """Say whether the caller's request has been arriving for a while, and is not here yet."""
    body = connection[INPUT]
    if body is None:
        is_here = False
    elif body.chunked_input:
        is_here = body.chunk_length == 0
    else:
        is_here = body.position >= (body.content_length or 0)
    return not is_here and now - connection[BEGAN] > SLOW_SECONDS


class HeaderLines:
    """The file a request's headers are read from; it remembers them as they came."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._lines: list[bytes] = []

    def readline(self, *size: int) -> bytes:
        line: bytes = self._file.readline(*size)
        self._lines.append(line)
        return line

    def are_plain(self) -> bool:
        """Say whether every line is a name, a colon and a value, which Python's parser does not insist on."""
        *lines, end = self._lines or [b""]
        return end in (b"\r\n", b"\n") and all(map(HEADER.fullmatch, lines))


class Protocol(HttpOnlyProtocol):
    """One connection. Headers that another server might read differently are refused, and end the connection."""

    def _read_request_line(self) -> Any:
        with eventlet.Timeout(IDLE_SECONDS, False):
            return super()._read_request_line()
        return b""

    def parse_request(self) -> bool:
        self.conn_state[INPUT], self.conn_state[BEGAN] = None, time.monotonic()
        lines = HeaderLines(self.rfile)  # type: ignore[has-type]
        self.rfile = lines
        parsed = False
        with eventlet.Timeout(HEADER_SECONDS, False):
            parsed = bool(super().parse_request())
        if not parsed:
            self.close_connection = True
            return False
        if not lines.are_plain() or not self._is_framing_plain():
            self._refuse()
            return False
        return True

    def _is_framing_plain(self) -> bool:
        """Say whether the length of the body has one reading only (RFC 9112, section 6)."""
        headers = self.headers
        lengths, encodings = headers.get_all("content-length", []), headers.get_all("transfer-encoding", [])
        if len(lengths) > 1 or not all(LENGTH.fullmatch(one) for one in lengths):
            return False
        if encodings and (lengths or [one.lower() for one in encodings] != ["chunked"]):
            return False
        return len(headers.get_all("host", [])) <= 1

    def send_error(self, *_: Any) -> None:
        """Refuse a request line that the standard library cannot read, in our words and without the caller's."""
        self._refuse()

    def _refuse(self) -> None:
        language = self.headers.get("accept-language", "") if hasattr(self, "headers") else ""
        self.wfile.write(self.server.refusal(Invalid(errors=[FieldError("", "malformed_header")]), language))
        self.close_connection = True
        metrics.TURNED_AWAY.labels("malformed").inc()

    def handle_one_response(self) -> None:
        # what follows a chunked body is not taken for another request: its end may be read in more than one way
        length = int(self.headers.get("content-length", 0))
        if self.headers.get("transfer-encoding") or length > LARGEST_DISCARDED:
            self.close_connection = True
        self.conn_state[INPUT] = self.environ["eventlet.input"]
        super().handle_one_response()

    def log_message(self, *_: Any) -> None:
        """Write nothing: what a caller sent may hold personal data."""


class HttpServer(WebServer):
    """nameko's web server; it accepts with bounds, and closes without failing a caller.

    A subclass gives the WSGI application (`get_wsgi_app`) and the words of refusals (`refusal`).
    """

    def __init__(self) -> None:
        super().__init__()
        self._connections: list[Connection] = []
        self._by_address: Counter[str] = Counter()
        self._closed = self._starting = False

    def get_wsgi_server(self, sock: Any, wsgi_app: Any, **options: Any) -> Any:
        server = super().get_wsgi_server(sock, wsgi_app, **{"protocol": Protocol, **options})
        server.socket_timeout = SOCKET_SECONDS
        server.log_output = False
        server.minimum_chunk_size = 1
        server.refusal = self.refusal
        return server

    def refusal(self, problem: Problem, language: str = "") -> bytes:
        """Return a problem as it goes over the wire before there is a request, after which the connection ends."""
        raise NotImplementedError

    # accepting

    def start(self) -> None:
        if self._starting:
            return
        self._starting = True
        self._most = min(CONNECTIONS, files_allowed() - OTHER_FILES)
        settings = self.container.config["SETTINGS"]
        # behind a proxy all connections have its address; the proxy counts those of callers
        self._most_by_address = CONNECTIONS_BY_ADDRESS if settings.trusted_proxies == 0 else self._most
        self._sock = listening_socket(*self.bind_addr)
        self._serv = self.get_wsgi_server(self._sock, self.get_wsgi_app())
        self._gt = self.container.spawn_managed_thread(self.run)

    def run(self) -> None:
        while self._is_accepting:
            try:
                sock, address = self._sock.accept()
            except OSError as error:
                self._recover(error)
                continue
            self._take(sock, address)

    def _recover(self, error: OSError) -> None:
        """Go on after an accept that failed; raise where the socket itself is at fault."""
        if error.errno in EXHAUSTED:
            log.error("connections_exhausted", connections=len(self._connections))
            self._end_waiting(lambda _: True)
            eventlet.sleep(ACCEPT_PAUSE_SECONDS)
        elif error.errno != errno.ECONNABORTED:
            raise error

    def _take(self, sock: Any, address: Any) -> None:
        """Serve a connection, if need be in the place of another."""
        host = address[0]
        full = self._by_address[host] >= self._most_by_address and not self._end_waiting(lambda other: other == host)
        if full or (len(self._connections) >= self._most and not self._end_waiting(lambda _: True)):
            self._turn_away(sock)
        else:
            self._serve(sock, address)

    def _turn_away(self, sock: Any) -> None:
        metrics.TURNED_AWAY.labels("connections").inc()
        with suppress(OSError):
            sock.setblocking(False)
            sock.send(self.refusal(Unavailable("busy", retry_after=RETRY_AFTER)))
        greenio.shutdown_safe(sock)
        sock.close()

    def _end_waiting(self, is_meant: Callable[[str], bool]) -> bool:
        """End the oldest connection, of the addresses meant, that nobody is working for; say whether there is one.

        One that waits for a request goes first, then one whose request has been arriving for a while.
        """
        now = time.monotonic()
        meant = [one for one in self._connections if is_meant(one[ADDRESS][0])]
        for connection in (*filter(is_idle, meant), *(one for one in meant if is_slow(one, now))):
            self._forget(connection)
            greenio.shutdown_safe(connection[SOCKET])
            return True
        return False

    def _serve(self, sock: Any, address: Any) -> None:
        sock.settimeout(SOCKET_SECONDS)
        connection = [address, sock, wsgi.STATE_IDLE, None, time.monotonic()]
        self._connections.append(connection)
        self._by_address[address[0]] += 1
        self.container.spawn_managed_thread(partial(self._converse, connection))

    def _converse(self, connection: Connection) -> None:
        try:
            self._serv.process_request(connection)
        except OSError:
            return  # the caller closed the connection: there is nobody to answer
        finally:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if not any(one is connection for one in self._connections):
            return
        self._connections = [one for one in self._connections if one is not connection]
        self._by_address -= Counter([connection[ADDRESS][0]])

    # closing

    def close(self) -> None:
        """Stop accepting connections, and return when every request under way is answered.

        An idle connection is not ended at once: its next request may be on the way already.
        """
        if self._closed or self._serv is None:
            return
        self._closed = True
        self._serv.keepalive = False
        self._stop_listening()
        self._wait_for_connections(SHUTDOWN_SECONDS)
        for connection in filter(is_idle, self._connections):
            greenio.shutdown_safe(connection[SOCKET])
        self._wait_for_connections(DRAIN_SECONDS)

    def _stop_listening(self) -> None:
        """Accept what waits in the backlog, then close the socket: closing alone would reset those connections."""
        self._gt.kill()
        self._sock.settimeout(0)
        try:
            while True:
                plain, address = self._sock.accept()
                self._serve(greenio.GreenSocket(plain), address)
        except OSError:
            self._sock.close()

    def _wait_for_connections(self, seconds: float) -> None:
        with eventlet.Timeout(seconds, False):
            while self._connections:
                eventlet.sleep(0.02)


def listening_socket(host: str, port: int) -> Any:
    """Return a socket that listens; a port that another process listens on is an error, and not shared with it.

    Raises:
        SettingsError: the port is taken, or the address is not this machine's.
    """
    try:
        sock = eventlet.listen((host, port), backlog=BACKLOG, reuse_port=False)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    sock.settimeout(None)
    return sock


def files_allowed() -> int:
    """Raise the number of files this process may open as far as the system lets it, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft
