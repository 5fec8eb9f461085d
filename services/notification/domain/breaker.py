"""Whether a carrier is trusted with messages just now: a small circuit breaker, one for each carrier and process."""

from collections.abc import Sequence
from dataclasses import dataclass

FAILURES = 3  # in a row, and the carrier is passed over
TROUBLE_SECONDS = 4.0  # nothing but failures for so long is enough too: a stall is noticed at its first message
PAUSES = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)  # seconds it is left alone, longer each time it fails again
STEADY_SECONDS = 300.0  # well for so long, and its next pause is the shortest again
PROBE_SECONDS = 30.0  # after so long a probe is given up; no carrier is waited for longer


@dataclass(frozen=True)
class Leave:
    """Leave to hand one message over. A ``probe`` tries whether a carrier that was out is back."""

    since: float
    turn: int
    probe: bool = False


@dataclass
class Breaker:
    """Passes a carrier over once it fails, and lets one probe at a time find out whether it is back.

    Every ``now`` is in seconds of one clock that only goes forward. ``turn`` counts openings, closings and
    probes: what comes of a leave of an earlier turn says nothing about the carrier as it is now.
    """

    pauses: Sequence[float] = PAUSES
    turn: int = 0
    failures: int = 0
    trouble_since: float | None = None
    well_at: float | None = None
    level: int = 0
    closed_at: float | None = None
    resume_at: float | None = None

    @property
    def is_open(self) -> bool:
        return self.resume_at is not None

    def admits(self, now: float) -> bool:
        """Say whether a message may go to the carrier, without taking leave for one."""
        return self.resume_at is None or now >= self.resume_at

    def admit(self, now: float) -> Leave | None:
        """Return leave for one message, or None where it must go elsewhere."""
        if self.resume_at is None:
            return Leave(now, self.turn)
        if now < self.resume_at:
            return None
        self.turn += 1
        self.resume_at = now + PROBE_SECONDS
        return Leave(now, self.turn, probe=True)

    def succeed(self, leave: Leave, now: float) -> bool:
        """The carrier did what it should; say whether this closed the breaker."""
        if leave.turn != self.turn:
            return False
        self.failures, self.trouble_since, self.well_at = 0, None, now
        if not self.is_open:
            return False
        self.turn += 1
        self.resume_at, self.closed_at = None, now
        return True

    def fail(self, leave: Leave, now: float) -> bool:
        """The carrier failed, or was silent for too long; say whether this opened the breaker."""
        if leave.turn != self.turn:
            return False
        if self.is_open:
            self._open(now)
            return False
        began = leave.since if self.well_at is None else max(leave.since, self.well_at)
        self.trouble_since = began if self.trouble_since is None else min(began, self.trouble_since)
        self.failures += 1
        if self.failures < FAILURES and now - self.trouble_since < TROUBLE_SECONDS:
            return False
        if self.closed_at is None or now - self.closed_at >= STEADY_SECONDS:
            self.level = 0
        self._open(now)
        return True

    def _open(self, now: float) -> None:
        self.resume_at = now + self.pauses[min(self.level, len(self.pauses) - 1)]
        self.level += 1
        self.turn += 1
        self.failures, self.trouble_since, self.closed_at = 0, None, None
