"""Looks at a system while things go wrong: how many cards there are, and whether every process still answers."""

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg2

from tests.support.running import FaultySystem

PAUSE = 0.5  # seconds between two looks
HEALTH_BOUND = 5.0  # seconds: who answers later than this hangs
STARTS_WITHIN = 30.0
GRACE = 3.0  # seconds after a fault in which nobody is looked at that was hit


@dataclass
class Watch:
    """Two threads that look until told to stop."""

    system: FaultySystem
    cards: int = 0
    answered: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # seconds, by process
    hung: list[str] = field(default_factory=list)
    _spared: dict[str, float] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def looking(self) -> Iterator["Watch"]:
        threads = [threading.Thread(target=one) for one in (self._count_cards, self._feel_pulses)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    @contextmanager
    def sparing(self, name: str) -> Iterator[None]:
        """Look away from a process that is being hit."""
        self._spared[name] = float("inf")
        try:
            yield
        finally:
            self._spared[name] = time.monotonic() + GRACE

    def _count_cards(self) -> None:
        while not self._over.wait(PAUSE):
            with suppress(psycopg2.Error):
                self.cards = self.system.count("cards", "cards")

    def _feel_pulses(self) -> None:
        while not self._over.wait(PAUSE):
            for name in list(self.system.processes):
                if not self._is_spared(name) and not self._has_left(name):
                    self._feel(name)

    def _has_left(self, name: str) -> bool:
        """Say whether a process ended by itself; it is started again, as an operator would, and remembered."""
        code = self.system.processes[name].poll()
        if code is None or self._is_spared(name):
            return False
        self.hung.append(f"{name} left by itself with {code}")
        self.system.start(name)
        self._spared[name] = time.monotonic() + STARTS_WITHIN
        return True

    def _is_spared(self, name: str) -> bool:
        return time.monotonic() < self._spared.get(name, 0.0)

    def _feel(self, name: str) -> None:
        began = time.monotonic()
        status = self.system.answers(name, "/healthz", timeout=HEALTH_BOUND)
        took = time.monotonic() - began
        if self._is_spared(name):  # it was hit while we asked
            return
        self.answered[name].append(took)
        if status != 200:
            self.hung.append(f"{name}: {status} after {took:.1f} s")

    def pulse(self, name: str) -> tuple[float, float]:
        """Return the median and the longest time a process took to say that it lives, in milliseconds."""
        took = self.answered[name] or [0.0]
        return statistics.median(took) * 1000, max(took) * 1000
