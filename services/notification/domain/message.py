"""A message: on its way to one person by one carrier, until its outcome is known and its content forgotten."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from services.notification.domain.delivery import NOT_ARRIVED, Delivery, DeliveryReport, goes_forward
from services.notification.domain.letter import Mail
from services.notification.domain.occasion import Occasion, has_first_password, is_about_ended, renewal_of
from services.notification.domain.outcome import (
    Deferred,
    NotAccepted,
    Outcome,
    Rejected,
    Sent,
    SettledBy,
    Unanswerable,
    Unknown,
)
from services.notification.domain.retry import ENDED_LIFETIME, MESSAGE_LIFETIME, RetryPolicy
from services.notification.domain.sms import segments
from services.notification.domain.texts import PLACEHOLDER
from shared.language.events import FirstPasswordUndelivered
from shared.language.values import masked_phone

FORM_DELAY = timedelta(seconds=2)  # a mail with a form waits so long before the form is looked for
BUDGET_SPENT = "budget_spent"  # the code of a message that waits for a new day's budget
HOLD = timedelta(minutes=10)  # between two looks at a message that waits for a new day's budget
MOST_COPIES = 2  # that a carrier may have of a message: the first, and one more after it said that it has none
FORM_LIFETIME = timedelta(hours=1)  # a mail whose form is not there by then goes without


class Channel(StrEnum):
    SMS = "sms"
    MAIL = "mail"


class State(StrEnum):
    """Where a message stands; the last three are final."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = (State.QUEUED, State.SENDING, State.UNKNOWN)
RESERVED_STATES = (State.SENDING, State.UNKNOWN)  # in one of these while a sender works on it
WAITING_STATES = (State.QUEUED, State.UNKNOWN)


@dataclass
class Message:
    """One text for one person by one carrier.

    ``due_at`` is when somebody has to look at it next. ``attempt`` counts the reservations, so that a sender whose
    reservation has expired changes nothing. ``possible_copies`` counts how often a carrier may have got it, and nobody
    knows. ``carrier`` is the last one it was given to: while its outcome is
    unknown, no other gets it. ``text`` holds `texts.PLACEHOLDER` where ``sealed`` goes; ``fallback`` is
    the sealed mail that replaces an SMS which does not arrive.
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
    possible_copies: int = 0
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
        """Whether a mail has to replace it: it did not arrive, and never will."""
        return self._is_undelivered and self.fallback is not None

    @property
    def lost_password(self) -> bool:
        """Whether a first password did not arrive by it, and nothing else brings it."""
        return self._is_undelivered and self.carries_password

    @property
    def carries_password(self) -> bool:
        """Whether a first password stands in it: in the SMS of its occasion, never in the mail."""
        return self.channel == Channel.SMS and has_first_password(self.occasion)

    def undelivered_event(self, at: datetime) -> FirstPasswordUndelivered:
        """Return the fact that somebody waits for a password in vain."""
        return FirstPasswordUndelivered(
            message_id=self.message_id,
            declaration_id=self.declaration_id,
            number=self.number,
            renewal_id=renewal_of(self.occasion),
            at=at,
        )

    @property
    def _is_undelivered(self) -> bool:
        return self.state == State.FAILED or self.delivery in NOT_ARRIVED

    def is_due(self, at: datetime) -> bool:
        return self.due_at is not None and self.due_at <= at

    def hold(self, at: datetime) -> None:
        """Let it wait: the day's budget is spent. It is looked at again soon, in case an operator raised it."""
        self.code, self.due_at = BUDGET_SPENT, at + HOLD

    def reserve(self, at: datetime, lease: timedelta, carrier: str | None = None) -> None:
        """Reserve it until ``at + lease``: to send it by ``carrier``, or to learn what came of it.

        Found in `sending` past its lease, its sender died: nobody knows whether it went out.
        """
        if self.state == State.QUEUED:
            self.state = State.SENDING
            self.carrier = self.bound_to or carrier
        elif self.state == State.SENDING:
            self.state = State.UNKNOWN
            self.possible_copies += 1
        self.attempt += 1
        self.due_at = at + lease

    def reassign(self, carrier: str, at: datetime, lease: timedelta) -> None:
        """Give it to the next carrier: the one it was meant for certainly does not have it."""
        self.carrier = carrier
        self.due_at = at + lease

    def apply(self, outcome: Outcome, at: datetime, retry: RetryPolicy) -> None:
        """Do what follows from an outcome; where nobody has reserved the message, nothing does."""
        if self.state not in RESERVED_STATES:
            return
        match outcome:
            case Sent():
                self._mark_sent(outcome, at)
            case Deferred(code):
                self._defer(code, retry.next_attempt(self.delayed, at), at)
            case Rejected(code):
                self._mark_failed(code, at)
            case Unknown(code):
                self._mark_unknown(code, retry.look_up(at), at)
            case NotAccepted():
                self._send_again(SettledBy.LOOKUP, at)
            case Unanswerable():
                self._send_again(SettledBy.SENT_AGAIN, at)

    def report(self, report: DeliveryReport, at: datetime) -> bool:
        """Note how far the carrier says it came; return whether that is news.

        A carrier that reports on a message has it: one that waits, or whose outcome was unknown, is sent.
        """
        if not goes_forward(self.delivery, report.delivery):
            return False
        self.delivery = report.delivery
        if report.delivery in NOT_ARRIVED:
            self.code = report.code
        if report.delivery == Delivery.DELIVERED:
            self.delivered_at, self.fallback = at, None
        if self.state in WAITING_STATES:
            self._mark_sent(Sent(SettledBy.CALLBACK, reported=True), at)
        return True

    def cancel(self, at: datetime) -> None:
        """Tell nobody any more; not even a trace of the recipient stays."""
        if self.state in OPEN_STATES:
            self._end(State.CANCELLED, at, code=None)
        self.masked, self.fallback = "", None

    def make_due(self, at: datetime) -> bool:
        """Make it due now, where it waits; say whether it did."""
        if self.state not in WAITING_STATES:
            return False
        self.due_at = at
        return True

    def _mark_sent(self, sent: Sent, at: datetime) -> None:
        self.settled_by = sent.settled_by or self.settled_by
        kept = self.fallback if sent.reported and self.delivery != Delivery.DELIVERED else None
        self._end(State.SENT, at, code=self.code if self.delivery in NOT_ARRIVED else None)
        self.fallback = kept

    def _defer(self, code: str, again_at: datetime | None, at: datetime) -> None:
        if again_at is None or self._is_too_old(at):
            self._mark_failed(code, at)
            return
        self.state, self.code, self.due_at = State.QUEUED, code, again_at
        self.delayed += 1

    def _mark_failed(self, code: str, at: datetime) -> None:
        kept = self.fallback
        self._end(State.FAILED, at, code)
        self.fallback = kept

    def _mark_unknown(self, code: str, look_up_at: datetime, at: datetime) -> None:
        if self.delivery is not None:  # the carrier called back before it answered
            self._mark_sent(Sent(SettledBy.CALLBACK, reported=True), at)
        elif self._is_too_old(at):
            self._mark_failed("outcome_unknown", at)
        else:
            self.possible_copies += self.state == State.SENDING
            self.state, self.code, self.due_at = State.UNKNOWN, code, look_up_at

    def _send_again(self, settled_by: SettledBy, at: datetime) -> None:
        """Send it once more, under the same id, and never a third time: a look-up may deny what it does not know."""
        if self.possible_copies >= MOST_COPIES:
            self._mark_failed("outcome_unknown", at)
        else:
            self.state, self.settled_by, self.due_at = State.QUEUED, settled_by, at

    def _is_too_old(self, at: datetime) -> bool:
        lifetime = ENDED_LIFETIME if is_about_ended(self.occasion) else MESSAGE_LIFETIME
        return at - self.queued_at > lifetime

    def _end(self, state: State, at: datetime, code: str | None) -> None:
        self.state, self.code, self.done_at, self.due_at = state, code, at, None
        self.recipient = self.subject = self.text = self.html = self.sealed = self.form_key = self.fallback = None


class Settled(NamedTuple):
    """A message in the state that an outcome or a report led to, and whether a mail was queued to replace it."""

    message: Message
    fell_back: bool


def sms_of(occasion: Occasion, message_id: str, *, accents: bool, request_id: str, at: datetime) -> Message:
    """Return the SMS of an occasion."""
    sms = occasion.sms(accents=accents)
    return Message(
        message_id=message_id,
        occasion=occasion.key,
        channel=Channel.SMS,
        declaration_id=occasion.declaration_id,
        number=occasion.number,
        masked=_trace(occasion, masked_phone(occasion.contact.phone)),
        recipient=occasion.contact.phone,
        text=sms,
        sealed=occasion.sealed,
        fallback=occasion.fallback,
        segments=segments(sms),
        request_id=request_id,
        queued_at=at,
        due_at=at,
    )


def mail_of(occasion: Occasion, message_id: str, mail: Mail, *, request_id: str, at: datetime) -> Message:
    """Return the mail of an occasion whose contact has an address."""
    assert occasion.contact.email is not None
    return Message(
        message_id=message_id,
        occasion=occasion.key,
        channel=Channel.MAIL,
        declaration_id=occasion.declaration_id,
        number=occasion.number,
        masked=_trace(occasion, masked_mail(occasion.contact.email)),
        recipient=occasion.contact.email,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        form_key=occasion.form_key,
        request_id=request_id,
        queued_at=at,
        due_at=at + FORM_DELAY if occasion.form_key else at,
    )


def _trace(occasion: Occasion, masked: str) -> str:
    """Return what stays of the recipient: nothing where the person is to be forgotten."""
    return "" if is_about_ended(occasion.key) else masked


def with_password(text: str, password: str) -> str:
    """Return the text as the person reads it; it is never kept."""
    return text.replace(PLACEHOLDER, password)


def masked_mail(address: str) -> str:
    """Return the address with its person hidden: a•••@example.org."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}•••@{domain}"
