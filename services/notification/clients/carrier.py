"""What every carrier does with a message, and how it refuses one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Protocol, runtime_checkable

from services.notification.domain.delivery import DeliveryReport
from services.notification.domain.outcome import Deferred, Rejected

SMS_DOMAIN = "sms.sandbox"  # an SMS that travels as mail goes to <phone>@sms.sandbox
SMS_SUBJECT = "SMS"


@dataclass
class OutgoingMessage:
    """A message as a carrier gets it. ``message_id`` is the same in every attempt.

    A carrier sets ``may_be_sent`` just before the step after which it can no longer know by itself that the
    message was not accepted; what fails before that step is certainly not sent.
    """

    message_id: str
    queued_at: datetime
    recipient: str = field(repr=False)
    text: str = field(repr=False)
    subject: str = field(default="", repr=False)
    html: str | None = field(default=None, repr=False)
    attachment: bytes | None = field(default=None, repr=False)
    attachment_name: str = ""
    may_be_sent: bool = False


@dataclass(frozen=True)
class Callback:
    """A request of a carrier to us, as it came in: the address it called, the form it sent, and its signature."""

    url: str
    form: Mapping[str, str] = field(repr=False)
    signature: str = field(repr=False)


class CarrierRefused(Exception):
    """The carrier said no, or could not be asked; ``outcome`` says what that means."""

    def __init__(self, outcome: Deferred | Rejected) -> None:
        self.outcome = outcome
        super().__init__(outcome.code)


class Carrier(Protocol):
    """``reports``: it tells by itself, later, whether a message arrived."""

    reports: bool

    def send(self, outgoing: OutgoingMessage, now: datetime) -> None:
        """Hand the message over; return once the carrier accepted it.

        Raises:
            CarrierRefused: the carrier does not accept it.
            OSError and others: ``outgoing.may_be_sent`` tells whether the outcome is unknown.
        """

    def find(self, outgoing: OutgoingMessage) -> bool | None:
        """Say whether the carrier has it; None where it cannot be asked.

        Raises:
            CarrierRefused: it does not answer now.
        """


@runtime_checkable
class ReportingCarrier(Protocol):
    """A carrier that calls back."""

    def read_callback(self, callback: Callback) -> DeliveryReport | None:
        """Return what the carrier reports, or None where it says nothing about the delivery.

        Raises:
            Forbidden: ``wrong_signature``, the call is not from this carrier.
        """


def header_id(outgoing: OutgoingMessage, sender: str) -> str:
    """Return the Message-ID, without its angle brackets."""
    return f"{outgoing.message_id}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}"


def mail_of(outgoing: OutgoingMessage, sender: str, *, sms: bool, now: datetime) -> EmailMessage:
    """Return the message as a mail; an SMS becomes a mail to its number."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<{header_id(outgoing, sender)}>"
    mail["Date"] = format_datetime(now)
    mail["From"] = sender
    mail["To"] = address_of(outgoing, sms=sms)
    mail["Subject"] = SMS_SUBJECT if sms else outgoing.subject
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(outgoing.text, cte="base64" if not outgoing.text.isascii() else None)
    if outgoing.html is not None:
        mail.add_alternative(outgoing.html, subtype="html", cte="base64")
    if outgoing.attachment is not None:
        mail.add_attachment(
            outgoing.attachment, maintype="application", subtype="pdf", filename=outgoing.attachment_name
        )
    return mail


def address_of(outgoing: OutgoingMessage, *, sms: bool) -> str:
    return f"{outgoing.recipient}@{SMS_DOMAIN}" if sms else outgoing.recipient
