"""Processes of a bench: started, waited for, looked at, and surely ended."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.bench.load import HOST

SECONDS = 60.0  # what takes longer to come up has failed
GRACE = 5.0  # seconds a process has to leave by itself


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def child(
    command: Sequence[str], environment: Mapping[str, str] | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process as long as the block lasts."""
    with (log or Path(os.devnull)).open("ab") as lines:
        process = subprocess.Popen(command, env=environment, stdout=lines, stderr=lines)
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def status_of(port: int, path: str) -> int:
    """Return what a process answers, 0 where it does not."""
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def until_answering(port: int, path: str) -> None:
    until(lambda: status_of(port, path) == 200, f"{path} on port {port}", every=0.01)


def until(happened: Callable[[], object], what: str, seconds: float = SECONDS, every: float = 0.05) -> None:
    """Wait until something happened.

    Raises:
        TimeoutError: it did not, in the time given.
    """
    end_at = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end_at:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)


def resident(pid: int) -> float:
    """Return the memory a process has in RAM, in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def processor_seconds(pid: int) -> float:
    """Return the processor time a process took so far; 0 where it is gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
