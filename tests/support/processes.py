"""Processes of a test: where they listen, what they answer, what they cost, and that they end."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from shared.settings import Settings
from tests.support.waiting import until

HOST = "127.0.0.1"
PORTS = range(12_000, 32_000)  # outgoing connections have ports from 32,768 on (Linux), or from 49,152 on
GRACE_SECONDS = 5.0  # before a helper process that was told to end is killed
STOPS_WITHIN = 60.0  # the product stops within ten seconds; a test only ends a process that hangs
COMMAND = Path(sys.executable).with_name("vssid")
SETTING_NAMES = {one.name.upper() for one in fields(Settings)}


def free_port() -> int:
    """Return a port nobody listens on, below those the system gives to outgoing connections.

    A port of that range may be taken by any connection before the process that is to listen on it has come up.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise RuntimeError(f"no port is free from {PORTS.start} to {PORTS.stop}")


def inherited() -> dict[str, str]:
    """Return the environment of this process without settings of ours."""
    return {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}


def end_with_parent() -> None:
    """Have the kernel end this process when the thread that started it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def start(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    log: Path = Path(os.devnull),
    before: Callable[[], None] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a process that writes into a log; ``before`` runs in it first."""
    with log.open("ab") as lines:
        return subprocess.Popen(command, env=environment, stdout=lines, stderr=lines, preexec_fn=before)


@contextmanager
def child(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process as long as the block lasts."""
    process = start(command, environment)
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process, gently where it lets us."""
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process as a power cut would."""
    process.kill()
    process.wait()


def status_of(port: int, path: str, timeout: float = 5, host: str = HOST) -> int:
    """Return the status a process answers with, 0 where it does not answer."""
    connection = HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def until_answering(port: int, path: str) -> None:
    """Wait until a process answers with 200."""
    until(lambda: status_of(port, path) == 200, f"{path} on port {port}", pause=0.01)


def resident_megabytes(pid: int) -> float:
    """Return the memory a process has in RAM."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def processor_seconds(pid: int) -> float:
    """Return the processor time a process took so far; 0 where it has ended."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
