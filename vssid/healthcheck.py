"""``python -m vssid.healthcheck``: whether the process of this container is ready; one that hangs is ended.

A container is restarted when its process ends, not when it hangs. So what has answered before, and gives no sign of
life three times in a row, is killed here. One that is alive and waits for a server is left alone: a restart would not
bring that back.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

MOST_SILENCES = 3
ALIVE_SECONDS, READY_SECONDS = 3.0, 4.0
SILENCES = Path("/tmp/silences")  # noqa: S108 a container's own, and gone with it


def check(base: str, silences: Path, end: Callable[[], None]) -> bool:
    """Return whether the process at an address is ready; ``end`` is called where it hangs.

    ``silences`` counts how often it gave no sign of life since it last did; there is no such file before it first did.
    """
    if _answers(f"{base}/healthz", ALIVE_SECONDS):
        silences.write_text("0")
        return _answers(f"{base}/readyz", READY_SECONDS)
    if silences.exists():
        count = int(silences.read_text() or 0) + 1
        silences.write_text(str(count))
        if count >= MOST_SILENCES:
            end()
    return False


def _answers(url: str, seconds: float) -> bool:
    try:
        with urlopen(url, timeout=seconds):  # noqa: S310 our own process
            return True
    except HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def end_main_process() -> None:
    """Kill what the container's first process started; a process that is stopped ends by this, too."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and _parent(folder) == 1:
            os.kill(int(folder.name), signal.SIGKILL)


def _parent(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended meanwhile
        return 0


if __name__ == "__main__":
    sys.exit(0 if check("http://127.0.0.1:8000", SILENCES, end_main_process) else 1)
