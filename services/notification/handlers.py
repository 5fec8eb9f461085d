"""The work of notification: queue messages, reserve them, settle them. It announces a password that did not arrive."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.notification import media, models
from services.notification.domain.delivery import DeliveryReport
from services.notification.domain.fallback import load_fallback
from services.notification.domain.message import WAITING_STATES, Channel, Message, Settled, State, mail_of, sms_of
from services.notification.domain.occasion import (
    Occasion,
    has_first_password,
    is_about_pending,
    is_unsolicited,
    password_version,
)
from services.notification.domain.outcome import Outcome
from services.notification.domain.retry import MESSAGE_LIFETIME, RetryPolicy
from shared.language.errors import Refused
from shared.language.events import DeclarationExpired, DeclarationWithdrawn
from shared.language.values import new_id
from shared.storage.database import insert
from shared.storage.outbox import announce
from shared.storage.seals import BrokenSeal, Seal

BATCH_SIZE = 1000  # messages deleted in one transaction


def queue_messages(
    session: Session,
    occasion: Occasion,
    *,
    accents: bool,
    request_id: str,
    at: datetime,
    lease: timedelta = timedelta(),
    carriers: Mapping[Channel, str] | None = None,
    budget_spent: bool = False,
) -> list[Message]:
    """Store the messages of an occasion; one that comes again adds nothing.

    What anybody can cause is held where the day's budget is spent. ``carriers`` names a carrier for each channel that
    has a worker ready: such a message is stored as reserved, and is returned. The others wait in the queue.
    """
    queued = models.queued_channels(session, occasion.key, occasion.declaration_id)
    if has_first_password(occasion.key) and _make_way(session, occasion, at):
        queued |= {Channel.SMS}
    ready = carriers if carriers and models.WITHDRAWN not in queued else {}
    reserved = []
    for message in _messages_of(occasion, accents=accents, request_id=request_id, at=at):
        if message.channel in queued:
            continue
        channel = Channel(message.channel)
        if budget_spent and is_unsolicited(occasion.key):
            message.hold(at)
        if channel in ready and message.is_due(at):
            message.reserve(at, lease, ready[channel])
            reserved.append(message)
        if not insert(session, models.messages, message) and message in reserved:
            reserved.remove(message)
    return reserved


def _make_way(session: Session, occasion: Occasion, at: datetime) -> bool:
    """Cancel the older first passwords that wait, which open nothing any more; say whether there is a newer one."""
    version, has_newer = password_version(occasion.key), False
    for text in models.password_texts(session, occasion.declaration_id):
        has_newer |= password_version(text.occasion) > version
        if password_version(text.occasion) < version and text.state in WAITING_STATES:
            text.cancel(at)
    return has_newer


def _is_outdated(session: Session, message: Message) -> bool:
    """Say whether the first password in a message was replaced by a newer one."""
    if not message.carries_password:
        return False
    occasions = models.occasions_of(session, message.declaration_id)
    return max(map(password_version, occasions)) > password_version(message.occasion)


def _messages_of(occasion: Occasion, *, accents: bool, request_id: str, at: datetime) -> list[Message]:
    """Return what an occasion sends: one SMS, and one mail where there is an address."""
    messages = [sms_of(occasion, new_id(), accents=accents, request_id=request_id, at=at)]
    if occasion.contact.email:
        messages.append(_mail_of(occasion, request_id=request_id, at=at))
    return messages


def _mail_of(occasion: Occasion, *, request_id: str, at: datetime) -> Message:
    return mail_of(occasion, new_id(), media.mail_from(occasion.letter()), request_id=request_id, at=at)


def withdraw(session: Session, event: DeclarationWithdrawn) -> None:
    """Cancel what is not sent yet, and forget whom the declaration's messages went to."""
    models.note_withdrawal(session, event.declaration_id, event.at)
    for message in models.locked_messages(session, event.declaration_id):
        message.cancel(event.at)


def expire(session: Session, event: DeclarationExpired) -> None:
    """Do so with what was told while the declaration was pending; an approval may have crossed the expiry."""
    for message in models.locked_messages(session, event.declaration_id):
        if is_about_pending(message.occasion):
            message.cancel(event.at)


def forget_messages(session: Session, *, before: datetime) -> int:
    """Delete a batch of the messages that were queued before, and notes of withdrawals as old; return how many."""
    models.forget_withdrawals(session, before)
    return models.forget_messages(session, before, BATCH_SIZE)


def reserve_due(
    session: Session,
    channel: str,
    *,
    lease: timedelta,
    at: datetime,
    carrier: str | None = None,
    budget_spent: bool = False,
) -> Message | None:
    """Reserve the next due message of a channel for a carrier, or return None where there is none.

    What anybody can cause is held where the day's budget is spent. One whose declaration was withdrawn, or whose first
    password was replaced, is cancelled here: its event may have come late.
    """
    while (message := models.due_message(session, channel, at)) is not None:
        if models.is_withdrawn(session, message.declaration_id) or _is_outdated(session, message):
            message.cancel(at)
        elif budget_spent and is_unsolicited(message.occasion) and message.state == State.QUEUED:
            models.hold_unsolicited(session, channel, at)
        else:
            message.reserve(at, lease, carrier)
            return message
        session.flush()
    return None


def reassign(session: Session, reserved: Message, carrier: str, *, lease: timedelta, at: datetime) -> Message | None:
    """Give a reserved message to another carrier; None where it is no longer reserved by this attempt."""
    after = replace(reserved)
    after.reassign(carrier, at, lease)
    if models.save_outcome(session, reserved, after):
        return after
    message = models.reserved_message(session, reserved.message_id, reserved.attempt)
    if message is not None:
        message.reassign(carrier, at, lease)
    return message


def settle(
    session: Session, reserved: Message, outcome: Outcome, *, retry: RetryPolicy, seal: Seal, at: datetime
) -> Settled | None:
    """Apply an outcome to a reserved message; None where it is no longer reserved by this attempt."""
    after = replace(reserved)
    after.apply(outcome, at, retry)
    is_over = after.needs_fallback or after.lost_password
    if not is_over and models.save_outcome(session, reserved, after):
        return Settled(after, fell_back=False)
    # it was changed meanwhile: its carrier called back, its lease expired, or it was cancelled
    message = models.reserved_message(session, reserved.message_id, reserved.attempt)
    if message is None:
        return None
    message.apply(outcome, at, retry)
    _announce_lost_password(session, message, at)
    return Settled(message, fall_back(session, message, seal, at=at))


def note_delivery(
    session: Session,
    message_id: str,
    read_report: Callable[[Message], DeliveryReport | None],
    *,
    seal: Seal,
    at: datetime,
) -> Settled | None:
    """Note how far a message came; None where that is no news. ``read_report`` returns what its carrier reports.

    Raises:
        NotFound: there is no such message.
        Forbidden: ``wrong_signature``, the report is not from the carrier that has the message.
    """
    message = models.get_message(session, message_id)
    report = read_report(message)
    if report is None or not message.report(report, at):
        return None
    _announce_lost_password(session, message, at)
    return Settled(message, fall_back(session, message, seal, at=at))


def _announce_lost_password(session: Session, message: Message, at: datetime) -> None:
    """Let officers know that somebody waits for a password in vain."""
    if message.lost_password:
        announce(session, message.undelivered_event(at))


def fall_back(session: Session, message: Message, seal: Seal, *, at: datetime) -> bool:
    """Queue the mail that replaces an SMS which did not arrive, once; return whether it was due."""
    if not message.needs_fallback:
        return False
    sealed, message.fallback = message.fallback, None
    try:
        # the row forgets it in time; the seal may be as old as the last attempt to send the SMS
        dumped = seal.open(sealed or "", 2 * MESSAGE_LIFETIME.total_seconds())
    except BrokenSeal:
        return False
    occasion = load_fallback(dumped).occasion(message.message_id, message.declaration_id, message.number)
    session.add(_mail_of(occasion, request_id=message.request_id, at=at))
    return True


def bring_forward(session: Session, *, longest: timedelta, at: datetime) -> int:
    """Make due what waits longer than anything may: the clock was set back since; return how many."""
    return models.bring_forward(session, beyond=at + longest, now=at)


def forget_fallbacks(session: Session, *, at: datetime) -> None:
    """Forget the addresses kept for a fallback where no carrier reported within 72 hours."""
    models.forget_fallbacks(session, before=at - MESSAGE_LIFETIME)


def list_messages(session: Session, states: Sequence[str], limit: int) -> Sequence[Message]:
    return models.messages_in(session, states, limit)


def retry_message(session: Session, message_id: str, *, at: datetime) -> Message:
    """Make a message due now: one that waits is sent, one of unknown outcome is looked up.

    Raises:
        NotFound: there is none.
        Refused: ``already_settled``, its content is forgotten.
    """
    message = models.get_message(session, message_id)
    if not message.make_due(at):
        raise Refused("already_settled", state=str(message.state))
    return message
