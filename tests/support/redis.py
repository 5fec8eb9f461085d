"""A Redis of a test's own, which it stops, freezes and starts again."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis

from tests.support.processes import HOST, end_with_parent, free_port, kill, start
from tests.support.servers import ensure_program
from tests.support.waiting import until


class RedisServer:
    """Keeps everything in memory, so that it is empty after each start."""

    def __init__(self) -> None:
        ensure_program("redis-server", "redis-server")
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", HOST, "--save", "", "--appendonly", "no"]
        self._process = start(command, before=end_with_parent)
        until(self._answers, "Redis answers")

    def stop(self) -> None:
        """End it, whatever it does, as a power cut would."""
        if self._process is not None:
            kill(self._process)

    def freeze(self) -> None:
        """Have it say nothing any more, and keep every connection."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with suppress(redis.RedisError), redis.Redis(host=HOST, port=self.port) as client:
            return bool(client.ping())
        return False


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()
