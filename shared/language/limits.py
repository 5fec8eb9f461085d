"""A limit: how often something may be done within a time."""

from dataclasses import dataclass
from datetime import timedelta

from limits import parse

from shared.language.errors import Problem, TooMany


@dataclass(frozen=True)
class Limit:
    """``most`` times in ``window``, which begins with the first; ``problem`` is what more is refused with."""

    name: str
    most: int
    window: timedelta
    problem: type[Problem] = TooMany


def read_limit(name: str, rate: str) -> Limit:
    """Return the limit that a setting writes as a rate, such as 5/day."""
    wanted = parse(rate)
    return Limit(name, wanted.amount, timedelta(seconds=wanted.get_expiry()))
