"""Whether a carrier is trusted with messages just now: a small circuit breaker, one for each carrier and process."""

from collections.abc import Sequence
from dataclasses import dataclass

FAILURES = 3  # in a row, and the carrier is passed over
FAILING_SECONDS = 4.0  # nothing but failures for so long is enough too: a stall is noticed at its first message
BACKOFF_SECONDS = (
    5.0,
    10.0,
    20.0,
    40.0,
    80.0,
    160.0,
    300.0,
)  # how long it is passed over, longer after each failed probe
STEADY_SECONDS = 300.0  # healthy for so long, and the backoff begins with the shortest again
PROBE_SECONDS = 30.0  # a probe without a result is given up; no carrier is waited for longer


@dataclass(frozen=True)
class Permit:
    """Permission to hand over one message. A ``probe`` tries whether a carrier that failed is back."""

    since: float
    generation: int
    probe: bool = False


@dataclass
class Breaker:
    """Passes a carrier over once it fails, and lets one probe at a time find out whether it is back.

    Every ``now`` is in seconds of one monotonic clock. ``generation`` counts openings, closings and probes: the
    result of a permit of an earlier generation says nothing about the carrier as it is now.
    """

    backoff: Sequence[float] = BACKOFF_SECONDS
    generation: int = 0
    failures: int = 0
    failing_since: float | None = None
    healthy_at: float | None = None
    level: int = 0
    closed_at: float | None = None
    resume_at: float | None = None

    @property
    def is_open(self) -> bool:
        return self.resume_at is not None

    def admits(self, now: float) -> bool:
        """Say whether a message may go to the carrier, without a permit for one."""
        return self.resume_at is None or now >= self.resume_at

    def admit(self, now: float) -> Permit | None:
        """Return a permit for one message, or None where it must go elsewhere."""
        if self.resume_at is None:
            return Permit(now, self.generation)
        if now < self.resume_at:
            return None
        self.generation += 1
        self.resume_at = now + PROBE_SECONDS
        return Permit(now, self.generation, probe=True)

    def succeed(self, permit: Permit, now: float) -> bool:
        """The carrier did what it should; say whether this closed the breaker."""
        if permit.generation != self.generation:
            return False
        self.failures, self.failing_since, self.healthy_at = 0, None, now
        if not self.is_open:
            return False
        self.generation += 1
        self.resume_at, self.closed_at = None, now
        return True

    def fail(self, permit: Permit, now: float) -> bool:
        """The carrier failed, or was silent for too long; say whether this opened the breaker."""
        if permit.generation != self.generation:
            return False
        if self.is_open:
            self._open(now)
            return False
        self._count_failure(permit)
        if not self._has_failed_enough(now):
            return False
        if self.closed_at is None or now - self.closed_at >= STEADY_SECONDS:
            self.level = 0
        self._open(now)
        return True

    def _count_failure(self, permit: Permit) -> None:
        since = permit.since if self.healthy_at is None else max(permit.since, self.healthy_at)
        self.failing_since = since if self.failing_since is None else min(since, self.failing_since)
        self.failures += 1

    def _has_failed_enough(self, now: float) -> bool:
        assert self.failing_since is not None
        return self.failures >= FAILURES or now - self.failing_since >= FAILING_SECONDS

    def _open(self, now: float) -> None:
        self.resume_at = now + self.backoff[min(self.level, len(self.backoff) - 1)]
        self.level += 1
        self.generation += 1
        self.failures, self.failing_since, self.closed_at = 0, None, None
