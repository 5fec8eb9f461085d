"""What came of handing a message to a carrier, or of asking the carrier about it; `Message.apply` acts on it."""

from dataclasses import dataclass
from enum import StrEnum


class SettledBy(StrEnum):
    """How the outcome was learnt where the carrier did not tell it at once."""

    LOOKUP = "lookup"
    CALLBACK = "callback"
    SENT_AGAIN = "sent_again"


@dataclass(frozen=True)
class Sent:
    """The carrier has it. ``reported``: the carrier will tell whether it arrived."""

    settled_by: SettledBy | None = None
    reported: bool = False


@dataclass(frozen=True)
class Deferred:
    """The carrier certainly does not have it now, and may accept it later."""

    code: str


@dataclass(frozen=True)
class Rejected:
    """It will never be accepted: the recipient or the content is at fault."""

    code: str


@dataclass(frozen=True)
class Unknown:
    """It may have been accepted; nobody knows."""

    code: str


@dataclass(frozen=True)
class NotAccepted:
    """The carrier was asked and does not have it."""


@dataclass(frozen=True)
class Unanswerable:
    """The carrier cannot be asked whether it has it."""


SendOutcome = Sent | Deferred | Rejected | Unknown
Outcome = SendOutcome | NotAccepted | Unanswerable
