"""A server over HTTP, or HTTPS, that answers a test's subject as the test tells it."""

import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.processes import HOST

DRIPS = 200  # more bytes than anybody waits for


class HttpServer(ThreadingHTTPServer):
    """Answers as it is told, and remembers path and token of what it was asked."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None, body: bytes = b"") -> None:
        super().__init__((HOST, 0), Handler)
        self.scheme = "https" if context else "http"
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.status, self.body, self.drips = 200, body, False
        self.headers: dict[str, str] = {}
        self.statuses: dict[str, int] = {}  # of paths that are answered otherwise
        self.asked: list[tuple[str, str | None]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://{HOST}:{self.server_port}"

    def handle_error(self, *_: Any) -> None:
        """A caller that hangs up is what some of these tests want."""


class Handler(BaseHTTPRequestHandler):
    server: HttpServer

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(self.server.statuses.get(self.path, self.server.status))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for _ in range(DRIPS if self.server.drips else 0):
            self.wfile.write(b" ")
            time.sleep(0.05)
        self.wfile.write(self.server.body)

    def log_message(self, *_: Any) -> None:
        """A test's output is its own."""
