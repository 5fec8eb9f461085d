"""Whether a message arrived, as its carrier reports it later, in any order and as often as it likes."""

from dataclasses import dataclass
from enum import StrEnum


class Delivery(StrEnum):
    """How far a message came after its carrier accepted it; the last three are final."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"


@dataclass(frozen=True)
class DeliveryReport:
    """What a carrier reports of one message; ``code`` says why it did not arrive."""

    delivery: Delivery
    code: str | None = None


NOT_ARRIVED = (Delivery.UNDELIVERED, Delivery.FAILED)
RANKS = {
    None: 0,
    Delivery.QUEUED: 1,
    Delivery.SENT: 2,
    Delivery.DELIVERED: 3,
    Delivery.UNDELIVERED: 3,
    Delivery.FAILED: 3,
}


def goes_forward(known: str | None, reported: Delivery) -> bool:
    """Say whether ``reported`` is news: a report that was overtaken, or came twice, is none."""
    return RANKS[reported] > RANKS[Delivery(known) if known else None]
