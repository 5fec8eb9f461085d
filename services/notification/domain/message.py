"""A message: on its way to one person by one carrier, until its fate is known and its content forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.notification.domain import letter as mail
from services.notification.domain.occasion import Occasion
from services.notification.domain.sms import segments
from services.notification.domain.texts import GAP
from shared.words import masked_phone

PATIENCE = timedelta(hours=72)  # as long as a first password lives; what is older helps nobody


class Channel(StrEnum):
    SMS = "sms"
    MAIL = "mail"


class State(StrEnum):
    """Where a message stands; only the first three are ever looked at again."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = (State.QUEUED, State.SENDING, State.UNKNOWN)


class SettledBy(StrEnum):
    """How the fate of a message was learnt that its carrier did not tell at once."""

    LOOKUP = "lookup"
    SENT_AGAIN = "sent_again"


@dataclass
class Message:
    """One text for one person by one carrier.

    ``due_at`` is when somebody has to look at it next, and ``attempt`` counts who took it: what an earlier
    hand still has to say is then no longer heard. ``text`` bears `texts.GAP` where ``sealed`` goes.
    """

    message_id: str
    occasion: str
    channel: str
    declaration_id: str
    number: str
    masked: str
    request_id: str
    queued_at: datetime
    due_at: datetime | None
    recipient: str | None = field(default=None, repr=False)
    subject: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)
    sealed: str | None = field(default=None, repr=False)
    form_key: str | None = None
    segments: int = 0
    state: str = State.QUEUED
    attempt: int = 0
    delayed: int = 0
    settled_by: str | None = None
    code: str | None = None
    done_at: datetime | None = None

    def take(self, at: datetime, lease: timedelta) -> None:
        """Take the message in hand until ``at + lease``: to send it, or to learn what became of it.

        Found in `sending` past its lease, it belongs to a sender that died: nobody knows whether it went out.
        """
        if self.state == State.QUEUED:
            self.state = State.SENDING
        elif self.state == State.SENDING:
            self.state = State.UNKNOWN
        self.attempt += 1
        self.due_at = at + lease

    def sent(self, at: datetime, settled_by: SettledBy | None = None) -> None:
        """The carrier has it."""
        if settled_by is not None:
            self.settled_by = settled_by
        self._end(State.SENT, at, code=None)

    def delay(self, code: str, delays: Sequence[float], at: datetime) -> None:
        """The carrier surely does not have it: try again later, each time a little later, but not for ever."""
        if not delays or at - self.queued_at > PATIENCE:
            self.fail(code, at)
            return
        self.state = State.QUEUED
        self.code = code
        self.due_at = at + timedelta(seconds=delays[min(self.delayed, len(delays) - 1)])
        self.delayed += 1

    def fail(self, code: str, at: datetime) -> None:
        """It will never arrive."""
        self._end(State.FAILED, at, code)

    def lose(self, code: str, wait: timedelta, at: datetime) -> None:
        """Nobody knows whether the carrier has it; it is looked up after ``wait``."""
        if at - self.queued_at > PATIENCE:
            self.fail("fate_unknown", at)
            return
        self.state = State.UNKNOWN
        self.code = code
        self.due_at = at + wait

    def miss(self, at: datetime) -> None:
        """The carrier was asked and does not have it: send it."""
        self.state = State.QUEUED
        self.settled_by = SettledBy.LOOKUP
        self.due_at = at

    def repeat(self, at: datetime) -> None:
        """The carrier cannot be asked: send it once more, under the same id, and never a third time."""
        if self.settled_by == SettledBy.SENT_AGAIN:
            self.fail("fate_unknown", at)
            return
        self.state = State.QUEUED
        self.settled_by = SettledBy.SENT_AGAIN
        self.due_at = at

    def cancel(self, at: datetime) -> None:
        """Nobody is to be told any more; not even a trace of whom stays."""
        if self.state in OPEN_STATES:
            self._end(State.CANCELLED, at, code=None)
        self.masked = ""

    def hurry(self, at: datetime) -> bool:
        """Make it due now, where it waits; say whether it did."""
        if self.state not in (State.QUEUED, State.UNKNOWN):
            return False
        self.due_at = at
        return True

    def _end(self, state: State, at: datetime, code: str | None) -> None:
        self.state = state
        self.code = code
        self.done_at = at
        self.due_at = None
        self.recipient = self.subject = self.text = self.html = self.sealed = self.form_key = None


def messages_of(
    occasion: Occasion, ids: Sequence[str], *, accents: bool, request_id: str, at: datetime
) -> list[Message]:
    """Return what an occasion sends: one SMS, and one mail where there is an address. ``ids`` are two fresh ones."""
    sms = occasion.sms(accents=accents)
    told = [
        Message(
            message_id=ids[0],
            occasion=occasion.key,
            channel=Channel.SMS,
            declaration_id=occasion.declaration_id,
            number=occasion.number,
            masked=masked_phone(occasion.contact.phone),
            recipient=occasion.contact.phone,
            text=sms,
            sealed=occasion.sealed,
            segments=segments(sms),
            request_id=request_id,
            queued_at=at,
            due_at=at,
        )
    ]
    if occasion.contact.email:
        written = occasion.letter()
        told.append(
            Message(
                message_id=ids[1],
                occasion=occasion.key,
                channel=Channel.MAIL,
                declaration_id=occasion.declaration_id,
                number=occasion.number,
                masked=masked_mail(occasion.contact.email),
                recipient=occasion.contact.email,
                subject=written.subject,
                text=mail.plain(written),
                html=mail.html(written),
                form_key=occasion.form_key,
                request_id=request_id,
                queued_at=at,
                due_at=at,
            )
        )
    return told


def with_password(text: str, password: str) -> str:
    """Return the text as the person reads it; it is never kept."""
    return text.replace(GAP, password)


def masked_mail(address: str) -> str:
    """Return the address with its person hidden: a•••@example.org."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}•••@{domain}"
