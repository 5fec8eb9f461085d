"""The proxy of docker-compose.yml for a test: the same configuration, with other ports, folders and gateways.

`Names` stands for the name server of compose: it says which addresses the gateways have, and a test changes them.
"""

import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import orjson

from tests.support.processes import HOST, end, free_port, start, status_of
from tests.support.servers import nginx
from tests.support.waiting import until
from vssid.certificate import CHAIN, make

TEMPLATE = Path(__file__).parents[2] / "deploy" / "nginx" / "nginx.conf.template"
GATEWAY = "gateway"
ADDRESS_FOLLOWS = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04"  # the name asked for, type A, a second to live


class Names:
    """Answers every question for a name with ``addresses``, and counts what it was ``asked``."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.asked = addresses, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                asked, who = self._socket.recvfrom(512)
                found, self.asked = self.addresses, self.asked + 1
                counts = (b"\0\1", len(found).to_bytes(2, "big"), b"\0\0\0\0")
                records = (ADDRESS_FOLLOWS + socket.inet_aton(one) for one in found)
                self._socket.sendto(b"".join((asked[:2], b"\x81\x80", *counts, asked[12:], *records)), who)


class PublicProxy:
    """nginx; ``public`` and ``operators`` are its ports, ``certificate`` is the file that its callers trust."""

    def __init__(self, folder: Path, names: Names, gateway_port: int) -> None:
        self.public, self.operators = free_port(), free_port()
        self.certificate, self._log = folder / CHAIN, folder / "access.log"
        make(folder, "localhost")
        values = {
            "PUBLIC": f"{HOST}:{self.public}",
            "OPERATORS": f"{HOST}:{self.operators}",
            "GATEWAY": f"{GATEWAY}:{gateway_port}",
            "RESOLVER": f"{HOST}:{names.port}",
            "CERTIFICATE": str(folder),
            "TEMPORARY": str(folder),
            "ACCESS_LOG": str(self._log),
        }
        configuration = folder / "nginx.conf"
        configuration.write_text(filled(TEMPLATE.read_text("utf-8"), values), "utf-8")
        # root would give its workers to a user who may not enter the folder of a test
        directives = "daemon off;" + ("user root;" if os.geteuid() == 0 else "")
        self._command = [*nginx(folder), "-c", str(configuration), "-g", directives]
        self._messages = folder / "nginx.log"

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.public}"

    @property
    def operators_url(self) -> str:
        return f"http://{HOST}:{self.operators}"

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of the access log."""
        return [orjson.loads(line) for line in self._log.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]

    def written(self) -> str:
        """Return all that nginx has written, anywhere."""
        return self._log.read_text("utf-8") + self._messages.read_text("utf-8")

    @contextmanager
    def running(self) -> Iterator[Self]:
        process = start(self._command, log=self._messages)
        try:
            until(self._answers, f"nginx answers; see {self._messages}")
            yield self
        finally:
            end(process)

    def _answers(self) -> bool:
        return status_of(self.operators, "/healthz") != 0


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a template with its values, as envsubst would."""
    return re.sub(r"\$\{([A-Z_]+)\}", lambda name: values[name[1]], template)


class SilentGateway:
    """A gateway that keeps what it is sent and ends each connection without an answer."""

    def __init__(self, address: str, port: int) -> None:
        self.requests: list[bytes] = []
        self._socket = socket.create_server((address, port))
        self._over = threading.Event()
        self._server = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.join()
        self._socket.close()

    def _serve(self) -> None:
        self._socket.settimeout(0.1)  # who waits in accept for ever keeps the socket open, whoever closes it
        while not self._over.is_set():
            with suppress(OSError):
                connection, _ = self._socket.accept()
                with connection:
                    connection.settimeout(10)
                    self.requests.append(connection.recv(65536))
