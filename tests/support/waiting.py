"""Waiting for something that another process or thread does. Every limit here is there to end a test that hangs."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SECONDS = 90.0  # a machine with other work to do is given time
PAUSE = 0.05


def until(happened: Callable[[], Any], what: str, seconds: float = SECONDS, pause: float = PAUSE) -> Any:
    """Return what ``happened`` returns once it is true, asking every ``pause`` seconds.

    Raises:
        TimeoutError: it never was, in the time given; the text says ``what`` was waited for.
    """
    end = time.monotonic() + seconds
    while True:
        found = happened()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all of these at the same instant, each in a thread of its own; return what each returned."""
    start = threading.Barrier(len(acts))

    def act_on_start(act: Callable[[], Any]) -> Any:
        start.wait(SECONDS)
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(act_on_start, acts))
