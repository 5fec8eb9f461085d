"""What every carrier does with a parcel, and how it says no."""

from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Protocol

SMS_DOMAIN = "sms.sandbox"  # an SMS that travels as mail goes to <phone>@sms.sandbox
SMS_SUBJECT = "SMS"


@dataclass
class Parcel:
    """A message as a carrier gets it. ``message_id`` is the same in every attempt.

    A carrier sets ``handed_over`` just before the step after which it can no longer know by itself that the
    message was not accepted; what fails before that step is surely not sent.
    """

    message_id: str
    queued_at: datetime
    recipient: str = field(repr=False)
    text: str = field(repr=False)
    subject: str = field(default="", repr=False)
    html: str | None = field(default=None, repr=False)
    attachment: bytes | None = field(default=None, repr=False)
    attachment_name: str = ""
    handed_over: bool = False


class Deferred(Exception):
    """The carrier surely does not have it now, and may take it later."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Rejected(Exception):
    """The carrier will never take it: the recipient or the content is at fault."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Carrier(Protocol):
    """``reports``: it tells by itself, later, whether a message arrived."""

    reports: bool

    def send(self, parcel: Parcel, now: datetime) -> None:
        """Hand the parcel over; return once the carrier said yes.

        Raises:
            Deferred, Rejected: the carrier said no.
            OSError and others: ``parcel.handed_over`` tells whether the fate is unknown.
        """

    def find(self, parcel: Parcel) -> bool | None:
        """Say whether the carrier has it; None where it cannot be asked.

        Raises:
            Deferred: it does not answer now.
        """


def header_id(parcel: Parcel, sender: str) -> str:
    """Return the Message-ID, without its angle brackets."""
    return f"{parcel.message_id}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}"


def mail_of(parcel: Parcel, sender: str, *, sms: bool, now: datetime) -> EmailMessage:
    """Return the parcel as a mail; an SMS becomes a mail to its number."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<{header_id(parcel, sender)}>"
    mail["Date"] = format_datetime(now)
    mail["From"] = sender
    mail["To"] = address_of(parcel, sms=sms)
    mail["Subject"] = SMS_SUBJECT if sms else parcel.subject
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(parcel.text, cte="base64" if not parcel.text.isascii() else None)
    if parcel.html is not None:
        mail.add_alternative(parcel.html, subtype="html", cte="base64")
    if parcel.attachment is not None:
        mail.add_attachment(parcel.attachment, maintype="application", subtype="pdf", filename=parcel.attachment_name)
    return mail


def address_of(parcel: Parcel, *, sms: bool) -> str:
    return f"{parcel.recipient}@{SMS_DOMAIN}" if sms else parcel.recipient
