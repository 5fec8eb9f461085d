"""Workers beside nameko's own, for slow work that no caller waits for."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import eventlet
from eventlet.event import Event
from eventlet.greenpool import GreenPool
from nameko.extensions import DependencyProvider

from shared import logs

SHUTDOWN_SECONDS = 6.0  # work under way at the end may take so long; SIGTERM is obeyed within ten

Work = Callable[[], bool]  # does one piece of work; says whether there was one
Job = Callable[[], object]

log = logs.log(__name__)


class WorkerPool(DependencyProvider):
    """At most ``workers`` green threads for each channel.

    A channel whose workers are all busy (a carrier that does not answer) holds up no other channel.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pools: dict[str, GreenPool] = {}
        self._wakes: Counter[str] = Counter()
        self._stopping = False

    def get_dependency(self, worker_ctx: Any) -> "WorkerPool":
        return self

    def stop(self) -> None:
        self._stopping = True
        with eventlet.Timeout(SHUTDOWN_SECONDS, False):
            self.wait_idle()

    def wait_idle(self) -> None:
        """Return once no worker has anything to do."""
        for pool in self._pools.values():
            pool.waitall()

    def wake(self, channel: str, work: Work) -> None:
        """Have a free worker repeat ``work`` until it returns False; a wake that finds all busy is remembered."""
        self._wakes[channel] += 1
        self._spawn(channel, partial(self._run, channel, work, seen=-1))

    def reserve(self, channel: str, work: Work) -> Event | None:
        """Hold a free worker ready for a job; return the event to send the job to, or None if all are busy.

        A job or None must be sent in any case. Afterwards the worker does ``work`` if it was woken meanwhile.
        """
        job = Event()
        return job if self._spawn(channel, partial(self._run_job, channel, work, self._wakes[channel], job)) else None

    def _spawn(self, channel: str, run: Callable[[], None]) -> bool:
        pool = self._pools.setdefault(channel, GreenPool(self.workers))
        if pool.free() <= 0 or self._stopping:
            return False
        pool.spawn_n(run)
        return True

    def _run_job(self, channel: str, work: Work, seen: int, job: Event) -> None:
        self._run(channel, work, seen, job.wait())

    def _run(self, channel: str, work: Work, seen: int, job: Job | None = None) -> None:
        try:
            if job is not None:
                job()
            # nothing switches between the last comparison and the end, so that no wake is missed
            while seen != self._wakes[channel] and not self._stopping:
                seen = self._wakes[channel]
                while not self._stopping and work():
                    pass
        except Exception:
            log.exception("worker_failed", channel=channel)
