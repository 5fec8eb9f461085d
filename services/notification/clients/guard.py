"""A carrier with a time-out and a circuit breaker around it, whose answers are values."""

import time
from dataclasses import dataclass

from services.notification.clients.carrier import Carrier, CarrierRefused, OutgoingMessage
from services.notification.domain.breaker import Breaker, Permit
from services.notification.domain.outcome import (
    Deferred,
    NotAccepted,
    Rejected,
    SendOutcome,
    Sent,
    SettledBy,
    Unanswerable,
    Unknown,
)
from shared import logs, metrics
from shared.framework.providers import in_time
from shared.language.clock import utc_now

log = logs.log(__name__)


class CarrierSilent(Exception):
    """The carrier did not answer in time."""


@dataclass
class GuardedCarrier:
    """One carrier under the name that messages remember it by.

    ``timeout`` is how many seconds it has to answer. Without a ``breaker`` it is never passed over.
    ``is_failover``: it is not the first of several.
    """

    name: str
    carrier: Carrier
    timeout: float
    breaker: Breaker | None = None
    is_failover: bool = False

    def admits(self) -> bool:
        """Say whether a message may go to the carrier now."""
        return self.breaker is None or self.breaker.admits(time.monotonic())

    def admit(self) -> Permit | None:
        """Return a permit for one message, or None while the carrier is passed over."""
        now = time.monotonic()
        return Permit(now, generation=0) if self.breaker is None else self.breaker.admit(now)

    def send(self, outgoing: OutgoingMessage, permit: Permit) -> SendOutcome:
        """Hand the message over, and let the breaker learn from the outcome."""
        outcome = self._try_to_send(outgoing, permit)
        self.record(permit, outcome)
        return outcome

    def look_up(self, outgoing: OutgoingMessage) -> Sent | NotAccepted | Unanswerable | Unknown:
        """Ask the carrier whether it has the message. The breaker learns nothing from it."""
        try:
            found = in_time(self.timeout, CarrierSilent(), self.carrier.find, outgoing)
        except CarrierRefused as refused:
            return Unknown(refused.outcome.code)
        except Exception as error:
            return Unknown(type(error).__name__)
        if found is None:
            return Unanswerable()
        return Sent(SettledBy.LOOKUP, reported=self.carrier.reports) if found else NotAccepted()

    def record(self, permit: Permit, outcome: SendOutcome) -> None:
        """Let the breaker learn, and operators know what it did."""
        if self.is_failover and isinstance(outcome, Sent):
            metrics.FAILOVERS.labels(self.name).inc()
        if self.breaker is None:
            return
        healthy = isinstance(outcome, Sent | Rejected)
        changed = (self.breaker.succeed if healthy else self.breaker.fail)(permit, time.monotonic())
        metrics.CARRIER_OUT.labels(self.name).set(self.breaker.is_open)
        if changed and healthy:
            log.info("carrier_back", carrier=self.name)
        elif changed:
            log.warning("carrier_passed_over", carrier=self.name)

    def _try_to_send(self, outgoing: OutgoingMessage, permit: Permit) -> SendOutcome:
        outgoing.may_be_sent = False
        try:
            in_time(self.timeout, CarrierSilent(), self._hand_over, outgoing, permit)
        except CarrierRefused as refused:
            return refused.outcome
        except Exception as error:
            code = type(error).__name__
            return Unknown(code) if outgoing.may_be_sent else Deferred(code)
        return Sent(reported=self.carrier.reports)

    def _hand_over(self, outgoing: OutgoingMessage, permit: Permit) -> None:
        if permit.probe:
            self.carrier.find(outgoing)  # something harmless first, so that a probe costs no message
        self.carrier.send(outgoing, utc_now())
