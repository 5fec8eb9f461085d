"""When a message is tried again, and when a carrier is asked about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MESSAGE_LIFETIME = timedelta(hours=72)  # as long as a first password lives; what is older helps nobody
ENDED_LIFETIME = timedelta(hours=20)  # of a message that data were deleted: its person is forgotten within a day (S59)


@dataclass
class MessageBudget:
    """How many messages may be queued on a day of Vietnam, and how many were when they were last counted."""

    most: int
    used: int = 0

    @property
    def is_spent(self) -> bool:
        return self.used >= self.most


@dataclass(frozen=True)
class RetryPolicy:
    """``delays``: seconds before each further attempt, the last one repeated; without any, there is none.

    ``settle_after``: seconds before a message of unknown outcome is looked up. ``carrier_timeout``: seconds that
    a carrier has to answer.
    """

    delays: Sequence[float]
    settle_after: float
    carrier_timeout: float

    @property
    def lease(self) -> timedelta:
        """How long a sender has a message to itself: longer than it waits for any carrier."""
        return timedelta(seconds=max(self.settle_after, 2 * self.carrier_timeout))

    @property
    def longest_wait(self) -> timedelta:
        """No message waits longer, unless a wrong clock set its time."""
        return max(self.lease, timedelta(seconds=max(self.delays, default=0.0)))

    def next_attempt(self, deferrals: int, at: datetime) -> datetime | None:
        """Return when a message is due again that was deferred so often before, or None for never."""
        if not self.delays:
            return None
        return at + timedelta(seconds=self.delays[min(deferrals, len(self.delays) - 1)])

    def look_up(self, at: datetime) -> datetime:
        """Return when a message whose outcome became unknown at ``at`` is looked up."""
        return at + timedelta(seconds=self.settle_after)
