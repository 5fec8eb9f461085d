"""A message: on its way to one person by one carrier, until its fate is known and its content forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.notification.domain import letter as mail
from services.notification.domain.delivery import NOT_ARRIVED, Delivery, goes_forward
from services.notification.domain.occasion import Occasion
from services.notification.domain.sms import segments
from services.notification.domain.texts import GAP
from shared.language.values import masked_phone

PATIENCE = timedelta(hours=72)  # as long as a first password lives; what is older helps nobody
PRINTING = timedelta(seconds=2)  # a mail with a form waits so long before it is looked for
PRINTED_WITHIN = timedelta(hours=1)  # a mail whose form is not there by then goes without


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
    CALLBACK = "callback"
    SENT_AGAIN = "sent_again"


@dataclass
class Message:
    """One text for one person by one carrier.

    ``due_at`` is when somebody has to look at it next, and ``attempt`` counts who took it: what an earlier
    hand still has to say is then no longer heard. ``carrier`` is the last one it was given to: while its fate
    is unknown, nobody else gets it. ``text`` bears `texts.GAP` where ``sealed`` goes; ``fallback`` is the sealed
    mail that stands in where an SMS does not arrive.
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
    fallback: str | None = field(default=None, repr=False)
    carrier: str | None = None
    segments: int = 0
    state: str = State.QUEUED
    attempt: int = 0
    delayed: int = 0
    settled_by: str | None = None
    code: str | None = None
    done_at: datetime | None = None
    delivery: str | None = None
    delivered_at: datetime | None = None

    @property
    def bound_to(self) -> str | None:
        """The only carrier that may have it: one that could not be asked whether it has it already."""
        return self.carrier if self.settled_by == SettledBy.SENT_AGAIN else None

    @property
    def needs_fallback(self) -> bool:
        """Whether a mail has to stand in: it did not arrive, and never will."""
        lost = self.state == State.FAILED or self.delivery in NOT_ARRIVED
        return lost and self.fallback is not None

    def is_due(self, at: datetime) -> bool:
        return self.due_at is not None and self.due_at <= at

    def take(self, at: datetime, lease: timedelta, carrier: str | None = None) -> None:
        """Take the message in hand until ``at + lease``: to send it by ``carrier``, or to learn what became of it.

        Found in `sending` past its lease, it belongs to a sender that died: nobody knows whether it went out.
        """
        if self.state == State.QUEUED:
            self.state = State.SENDING
            self.carrier = self.bound_to or carrier
        elif self.state == State.SENDING:
            self.state = State.UNKNOWN
        self.attempt += 1
        self.due_at = at + lease

    def pass_on(self, carrier: str, at: datetime, lease: timedelta) -> None:
        """The carrier it was meant for surely does not have it: the next one gets it, by the same hand."""
        self.carrier = carrier
        self.due_at = at + lease

    def sent(self, at: datetime, settled_by: SettledBy | None = None, *, reported: bool = False) -> None:
        """The carrier has it. ``reported``: it will tell whether it arrived."""
        if settled_by is not None:
            self.settled_by = settled_by
        kept = self.fallback if reported and self.delivery != Delivery.DELIVERED else None
        self._end(State.SENT, at, code=self.code if self.delivery in NOT_ARRIVED else None)
        self.fallback = kept

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
        kept = self.fallback
        self._end(State.FAILED, at, code)
        self.fallback = kept

    def lose(self, code: str, wait: timedelta, at: datetime) -> None:
        """Nobody knows whether the carrier has it; it is looked up after ``wait``."""
        if self.delivery is not None:  # the carrier called back before it answered
            self.sent(at, SettledBy.CALLBACK, reported=True)
            return
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

    def report(self, told: Delivery, code: str | None, at: datetime) -> bool:
        """The carrier says how far it came; return whether that is news.

        Who reports on a message has it: one that waits, or whose fate was unknown, is sent.
        """
        if not goes_forward(self.delivery, told):
            return False
        self.delivery = told
        if told in NOT_ARRIVED:
            self.code = code
        if told == Delivery.DELIVERED:
            self.delivered_at, self.fallback = at, None
        if self.state in (State.QUEUED, State.UNKNOWN):
            self.sent(at, SettledBy.CALLBACK, reported=True)
        return True

    def cancel(self, at: datetime) -> None:
        """Nobody is to be told any more; not even a trace of whom stays."""
        if self.state in OPEN_STATES:
            self._end(State.CANCELLED, at, code=None)
        self.masked, self.fallback = "", None

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
        self.recipient = self.subject = self.text = self.html = self.sealed = self.form_key = self.fallback = None


def messages_of(
    occasion: Occasion, ids: Sequence[str], *, accents: bool, request_id: str, at: datetime
) -> list[Message]:
    """Return what an occasion sends: one SMS, and one mail where there is an address. ``ids`` are two fresh ones."""
    told = [sms_of(occasion, ids[0], accents=accents, request_id=request_id, at=at)]
    if occasion.contact.email:
        told.append(mail_of(occasion, ids[1], request_id=request_id, at=at))
    return told


def sms_of(occasion: Occasion, message_id: str, *, accents: bool, request_id: str, at: datetime) -> Message:
    """Return the SMS of an occasion."""
    sms = occasion.sms(accents=accents)
    return Message(
        message_id=message_id,
        occasion=occasion.key,
        channel=Channel.SMS,
        declaration_id=occasion.declaration_id,
        number=occasion.number,
        masked=masked_phone(occasion.contact.phone),
        recipient=occasion.contact.phone,
        text=sms,
        sealed=occasion.sealed,
        fallback=occasion.fallback,
        segments=segments(sms),
        request_id=request_id,
        queued_at=at,
        due_at=at,
    )


def mail_of(occasion: Occasion, message_id: str, *, request_id: str, at: datetime) -> Message:
    """Return the mail of an occasion, whose contact has an address."""
    assert occasion.contact.email is not None
    written = occasion.letter()
    return Message(
        message_id=message_id,
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
        due_at=at + PRINTING if occasion.form_key else at,
    )


def with_password(text: str, password: str) -> str:
    """Return the text as the person reads it; it is never kept."""
    return text.replace(GAP, password)


def masked_mail(address: str) -> str:
    """Return the address with its person hidden: a•••@example.org."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}•••@{domain}"
