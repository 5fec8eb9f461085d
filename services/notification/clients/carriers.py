"""The carriers of one channel, in order of preference."""

from collections.abc import Iterator, Sequence

from services.notification.clients.carrier import Callback, Carrier, OutgoingMessage, ReportingCarrier
from services.notification.clients.guard import GuardedCarrier
from services.notification.domain.breaker import Breaker
from services.notification.domain.delivery import DeliveryReport
from services.notification.domain.outcome import NotAccepted, Sent, Unanswerable, Unknown
from shared.language.errors import Forbidden


class Carriers:
    """Which carrier to try first, and which next. ``timeout`` is how many seconds each of them has to answer.

    A single carrier has no breaker: where there is no other, every message is tried.
    """

    def __init__(self, carriers: Sequence[tuple[str, Carrier]], *, timeout: float) -> None:
        several = len(carriers) > 1
        self.timeout = timeout
        self.in_order = [
            GuardedCarrier(name, carrier, timeout, Breaker() if several else None, is_failover=place > 0)
            for place, (name, carrier) in enumerate(numbered(carriers))
        ]

    def preferred(self) -> str:
        """Return the name of the carrier that a message would go to now."""
        return next((one.name for one in self.in_order if one.admits()), self.in_order[0].name)

    def named(self, name: str | None) -> GuardedCarrier | None:
        """Return the carrier a message was given to, or None where it is no longer in the list."""
        if name is None:
            return self.in_order[0]  # reserved before messages remembered their carrier, when there was only one
        return next((one for one in self.in_order if one.name == name), None)

    def candidates(self, bound_to: str | None) -> list[GuardedCarrier]:
        """Return the carriers to try, one after the other: all of them, or the one a message is bound to."""
        return [one for one in self.in_order if bound_to in (None, one.name)]

    def look_up(self, name: str | None, outgoing: OutgoingMessage) -> Sent | NotAccepted | Unanswerable | Unknown:
        """Ask the carrier that was given the message whether it has it."""
        guarded = self.named(name)
        return Unknown("carrier_gone") if guarded is None else guarded.look_up(outgoing)

    def read_callback(self, name: str | None, callback: Callback) -> DeliveryReport | None:
        """Return what the carrier that was given a message reports of it, or None where that says nothing.

        Raises:
            Forbidden: ``wrong_signature``, the call is not from that carrier.
        """
        guarded = self.named(name) if name else None
        if guarded is None or not isinstance(guarded.carrier, ReportingCarrier):
            raise Forbidden("wrong_signature")
        return guarded.carrier.read_callback(callback)


def numbered(carriers: Sequence[tuple[str, Carrier]]) -> Iterator[tuple[str, Carrier]]:
    """Yield the carriers, each repeated name with a number behind it."""
    seen: dict[str, int] = {}
    for name, carrier in carriers:
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}-{seen[name]}"), carrier
