"""Work on what strangers sent, a few pieces at a time, in processes that the operating system ends.

A picture of a few kilobytes can cost gigabytes and minutes to decode. Here that costs one process, which gets no
secrets of ours, and whose memory and processor time the kernel bounds; a time-out on the wall ends it in any case.

This file is both sides: `IsolatedWork` is used by services, and ``python -m`` runs a process that works for it. What
crosses between the two is plain data in MessagePack, so that a process which was taken over cannot take us over.
"""

import contextlib
import importlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from shared import logs
from shared.language.errors import Problem, Unavailable, from_wire, to_wire

CPU_SECONDS = 6.0  # of one piece of work; a photograph of a phone takes less than one
WALL_SECONDS = 8.0
MEMORY = 1024**3  # bytes of address space, the interpreter included
START_SECONDS = 20.0  # for the first piece of work, which loads the libraries
QUEUE_SECONDS = 5.0  # waited for a free process: the caller waits little longer
JOBS = 200  # after so many a process is replaced, so that what leaks does not grow
RETRY_AFTER = 2  # seconds a caller is asked to wait where all processes are busy
LONGEST_FRAME = 64 * 1024**2  # bytes
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")

Result = TypeVar("Result")
log = logs.log(__name__)


class WorkEnded(Exception):
    """The work took more time or memory than it may, and its process was ended."""


class IsolatedWork:
    """Processes for work on what strangers sent: ``processes`` at once, ``waiting`` more pieces in a queue."""

    def __init__(self, processes: int, waiting: int) -> None:
        self._count = processes
        self._free = threading.Semaphore(processes)
        self._places = threading.Semaphore(processes + waiting)
        self._idle: list[Process] = []

    def start(self, module: str) -> None:
        """Start every process and have it load a module, so that the first piece of work need not wait for that."""
        self._idle = [Process() for _ in range(self._count)]
        for process in self._idle:
            process.ask(f"{__name__}:load", (module,))

    @property
    def is_full(self) -> bool:
        """Whether the next piece of work would be refused."""
        if self._places.acquire(blocking=False):
            self._places.release()
            return False
        return True

    def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function of a module, and return its result; what goes in and out is bytes, text or dataclasses.

        Raises:
            Problem: what the function refuses.
            Unavailable: ``busy``, too much waits already.
            WorkEnded: it took too much time or memory, or broke.
        """
        if not self._places.acquire(blocking=False):
            raise Unavailable("busy", retry_after=RETRY_AFTER)
        try:
            if not self._free.acquire(timeout=QUEUE_SECONDS):
                raise Unavailable("busy", retry_after=RETRY_AFTER)
            try:
                return self._run(function, arguments)
            finally:
                self._free.release()
        finally:
            self._places.release()

    def _run(self, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        process = self._idle.pop() if self._idle else Process()
        if not process.is_running:
            process.end()
            process = Process()
        try:
            outcome, value = process.ask(f"{function.__module__}:{function.__qualname__}", arguments)
        except (OSError, EOFError, msgspec.DecodeError) as error:
            process.end()
            log.warning("isolated_work_ended", function=function.__qualname__, error=type(error).__name__)
            raise WorkEnded(function.__qualname__) from error
        except BaseException:  # we are told to stop while we wait
            process.end()
            raise
        self._keep(process)
        if outcome == "problem":
            raise from_wire(value)
        if outcome == "failed":
            log.error("isolated_work_failed", function=function.__qualname__, error=value)
            raise WorkEnded(function.__qualname__)
        result: Result = msgspec.convert(value, get_type_hints(function)["return"])
        return result

    def _keep(self, process: "Process") -> None:
        if process.jobs < JOBS:
            self._idle.append(process)
        else:
            process.end()

    def stop(self) -> None:
        """End the processes that idle."""
        while self._idle:
            self._idle.pop().end()


class Process:
    """A process that works for us, one piece at a time."""

    def __init__(self) -> None:
        self.jobs = 0
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 our own interpreter, and a number
                [sys.executable, "-m", "shared.framework.isolated", str(theirs.fileno())],
                env={name: os.environ[name] for name in INHERITED if name in os.environ},
                cwd=Path(__file__).parents[2],  # where the packages lie, installed or not
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def ask(self, name: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
        """Have a function called; return "result", "problem" or "failed", and what belongs to it.

        Raises:
            OSError, EOFError: the process ended, or did not answer in time.
        """
        self._socket.settimeout(WALL_SECONDS if self.jobs else START_SECONDS)
        self.jobs += 1
        send(self._socket, msgspec.msgpack.encode((name, arguments)))
        return msgspec.msgpack.decode(receive(self._socket), type=tuple[str, Any])

    def end(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


def send(sock: socket.socket, frame: bytes) -> None:
    sock.sendall(len(frame).to_bytes(4, "big") + frame)


def receive(sock: socket.socket) -> bytes:
    """Return the next frame.

    Raises:
        EOFError: the other side ended, or sent more than any frame may have.
    """
    length = int.from_bytes(_receive(sock, 4), "big")
    if length > LONGEST_FRAME:
        raise EOFError("too long")
    return _receive(sock, length)


def _receive(sock: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = sock.recv(min(count - len(parts), 1024 * 1024))
        if not part:
            raise EOFError("ended")
        parts += part
    return bytes(parts)


# the other side


def work(sock: socket.socket) -> None:
    """Do what is asked for, until nobody asks any more; the kernel ends what takes too much."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with contextlib.suppress(OSError):
        os.nice(5)  # whoever submits goes first
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends our parent, and its end us
    while True:
        try:
            frame = receive(sock)
        except (EOFError, OSError):
            return
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # past it SIGPROF ends this process
        reply = _reply(*msgspec.msgpack.decode(frame, type=tuple[str, list[Any]]))
        signal.setitimer(signal.ITIMER_PROF, 0)
        try:
            send(sock, reply)
        except OSError:  # our parent is gone
            return


def load(module: str) -> bool:
    """Import a module."""
    importlib.import_module(module)
    return True


def _reply(name: str, arguments: list[Any]) -> bytes:
    try:
        module, _, function_name = name.partition(":")
        function = getattr(importlib.import_module(module), function_name)
        hints = [kind for parameter, kind in get_type_hints(function).items() if parameter != "return"]
        given = (msgspec.convert(value, kind) for value, kind in zip(arguments, hints, strict=True))
        return msgspec.msgpack.encode(("result", function(*given)))
    except Problem as problem:
        return msgspec.msgpack.encode(("problem", to_wire(problem)))
    except Exception as error:
        return msgspec.msgpack.encode(("failed", type(error).__name__))


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as given:
        given.setblocking(True)  # our parent's sockets may be green, and then both ends do not block
        work(given)
