"""Whether a message arrived, as its carrier tells it later, in any order and as often as it likes."""

from enum import StrEnum


class Delivery(StrEnum):
    """How far a message came after its carrier took it; the last three are final."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"


NOT_ARRIVED = (Delivery.UNDELIVERED, Delivery.FAILED)
RANKS = {
    None: 0,
    Delivery.QUEUED: 1,
    Delivery.SENT: 2,
    Delivery.DELIVERED: 3,
    Delivery.UNDELIVERED: 3,
    Delivery.FAILED: 3,
}
# Twilio's words for ours: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
TWILIO = {
    "accepted": Delivery.QUEUED,
    "scheduled": Delivery.QUEUED,
    "queued": Delivery.QUEUED,
    "sending": Delivery.QUEUED,
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.DELIVERED,
    "undelivered": Delivery.UNDELIVERED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.FAILED,
}


def goes_forward(known: str | None, told: Delivery) -> bool:
    """Say whether ``told`` is news: a call-back that was overtaken, or came twice, is none."""
    return RANKS[told] > RANKS[Delivery(known) if known else None]
