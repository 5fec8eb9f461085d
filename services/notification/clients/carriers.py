"""The carriers of one channel, in the order they are wanted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.notification.clients.carrier import Carrier
from services.notification.domain.breaker import Breaker, Leave


@dataclass
class Line:
    """One carrier under the name that messages remember it by. Without a ``breaker`` it is never passed over."""

    name: str
    carrier: Carrier
    breaker: Breaker | None = None

    def admits(self, now: float) -> bool:
        return self.breaker is None or self.breaker.admits(now)

    def admit(self, now: float) -> Leave | None:
        return Leave(now, 0) if self.breaker is None else self.breaker.admit(now)

    def heed(self, leave: Leave, now: float, *, well: bool) -> bool:
        """Learn from what came of a message; say whether the breaker opened or closed by it."""
        if self.breaker is None:
            return False
        return self.breaker.succeed(leave, now) if well else self.breaker.fail(leave, now)


class Carriers:
    """What to try first, and what next. ``timeout`` is how many seconds each of them has to answer.

    The only carrier there is has no breaker: where nobody else can be asked, every message is tried.
    """

    def __init__(self, carriers: Sequence[tuple[str, Carrier]], *, timeout: float) -> None:
        several = len(carriers) > 1
        self.timeout = timeout
        self.lines = [Line(name, carrier, Breaker() if several else None) for name, carrier in numbered(carriers)]

    def preferred(self, now: float) -> str:
        """Return the name of the carrier that a message would go to now."""
        return next((line.name for line in self.lines if line.admits(now)), self.lines[0].name)

    def named(self, name: str | None) -> Line | None:
        """Return the carrier a message was given to, or None where it is no longer in the list."""
        if name is None:
            return self.lines[0]  # given away before carriers had names, when there was only one
        return next((line for line in self.lines if line.name == name), None)

    def route(self, bound_to: str | None) -> list[Line]:
        """Return the carriers to try, one after the other: all of them, or the one a message is bound to."""
        return [line for line in self.lines if bound_to in (None, line.name)]


def numbered(carriers: Sequence[tuple[str, Carrier]]) -> Iterator[tuple[str, Carrier]]:
    """Yield the carriers with a number after a name that comes again."""
    seen: dict[str, int] = {}
    for name, carrier in carriers:
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}-{seen[name]}"), carrier
