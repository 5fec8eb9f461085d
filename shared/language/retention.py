"""How long personal data are kept: of decided declarations by kind, and of what has ended not at all (S59)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

ERASED_WITHIN = timedelta(days=1)  # after the end of a declaration nobody decided, or that was withdrawn
ANNOUNCED_LIFETIME = timedelta(hours=20)  # of events that the broker has confirmed, in case it loses them
LONGEST_DAYS = 36_500


@dataclass(frozen=True)
class Retention:
    """How long a decided declaration keeps its data and pictures; ``kinds`` differ from ``usual``."""

    usual: timedelta
    kinds: Mapping[str, timedelta] = field(default_factory=dict)

    def of(self, kind: str) -> timedelta:
        return self.kinds.get(kind, self.usual)


def read_retention(text: str) -> Retention:
    """Return the retention that ``90`` or ``90,child=30`` says, in days.

    Raises:
        ValueError: it is not one number, and for each kind named at most one of its own.
    """
    usual, *kinds = text.split(",")
    pairs = [one.split("=") for one in kinds]
    named = {kind.strip(): _days(days) for kind, days in pairs}
    if len(named) < len(pairs):
        raise ValueError("a kind is named twice")
    return Retention(_days(usual), named)


def _days(text: str) -> timedelta:
    days = float(text)
    if not 0 < days <= LONGEST_DAYS:
        raise ValueError("not a number of days above 0, or more than a hundred years")
    return timedelta(days=days)
