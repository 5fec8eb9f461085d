"""What became of SMS, told by the carrier the way carriers do: out of order, and twice."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from tests.support.recorders import Sms
from tests.support.running import FaultySystem

EVERY = 10  # SMS of which one has receipts
STATUSES = ("delivered", "sent", "delivered")
GIVES_UP_AFTER = 120.0  # seconds a receipt is offered again while nobody accepts it
PAUSE = 0.5


class Receipts:
    """A thread that sends receipts for what the carrier kept, until it is told that there will be no more."""

    def __init__(self, system: FaultySystem) -> None:
        self._system = system
        self._over = threading.Event()
        self._seen = 0
        self.delivered = 0
        self.refused: list[str] = []

    @contextmanager
    def running(self) -> Iterator["Receipts"]:
        thread = threading.Thread(target=self._run, daemon=True, name="receipts")
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()

    def wait_for_all(self) -> None:
        """Return when there is a receipt for every SMS that has one."""
        while self._seen < len(self._system.texts.messages()):
            time.sleep(PAUSE)

    def _run(self) -> None:
        while not self._over.wait(PAUSE):
            for sms in self._system.texts.messages()[self._seen :]:
                if self._seen % EVERY == 0 and sms.status_callback:
                    self._tell(sms)
                self._seen += 1

    def _tell(self, sms: Sms) -> None:
        troubles = [trouble for status in STATUSES if (trouble := self._offer(sms, status))]
        self.refused += troubles
        self.delivered += not troubles

    def _offer(self, sms: Sms, status: str) -> str:
        """Offer a receipt until it is taken; return what was answered where it never is."""
        end, answered = time.monotonic() + GIVES_UP_AFTER, ""
        while time.monotonic() < end and not self._over.is_set():
            try:
                answer = self._system.texts.call_back(sms, status, to=self._system.url)
            except requests.RequestException as error:
                answered = type(error).__name__
            else:
                if answer.ok:
                    return ""
                answered = f"{answer.status_code}: {answer.text[:200]}"
            time.sleep(PAUSE)
        return f"a receipt was answered {answered}"
