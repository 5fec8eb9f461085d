"""The work of the notification desk: get, act. It announces nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.notification import models
from services.notification.domain.delivery import Delivery
from services.notification.domain.fallback import read_fallback
from services.notification.domain.message import PATIENCE, Message, mail_of, messages_of
from services.notification.domain.occasion import Occasion
from shared.language.errors import Forbidden, Refused
from shared.language.events import DeclarationWithdrawn
from shared.language.values import new_id
from shared.storage.database import insert
from shared.storage.seals import BrokenSeal, Seal


def tell(
    session: Session,
    occasion: Occasion,
    *,
    accents: bool,
    request_id: str,
    at: datetime,
    lease: timedelta = timedelta(),
    hands: Mapping[str, str] | None = None,
) -> list[Message]:
    """Keep the messages of an occasion; one that comes again adds nothing.

    ``hands`` names a carrier for each channel that has somebody ready to send: such a message is in his hand from
    the beginning, and is returned. The others wait in the queue.
    """
    told = models.channels_told(session, occasion.key, occasion.declaration_id)
    ready = hands if hands and models.WITHDRAWN not in told else {}
    taken = []
    for message in messages_of(occasion, [new_id(), new_id()], accents=accents, request_id=request_id, at=at):
        if message.channel in told:
            continue
        if message.channel in ready and message.is_due(at):
            message.take(at, lease, ready[message.channel])
            taken.append(message)
        insert(session, models.messages, message)
    return taken


def withdraw(session: Session, event: DeclarationWithdrawn) -> None:
    """Cancel what is not sent yet, and forget whom the declaration's messages went to."""
    models.note_withdrawal(session, event.declaration_id, event.at)
    for message in models.messages_of(session, event.declaration_id):
        message.cancel(event.at)


def take_due(
    session: Session, channel: str, *, lease: timedelta, at: datetime, carrier: str | None = None
) -> Message | None:
    """Take the next message of a channel in hand for a carrier, or return None where none is due.

    One whose declaration was taken back is cancelled here: its fact may have come after the withdrawal.
    """
    while (message := models.due_message(session, channel, at)) is not None:
        if not models.is_withdrawn(session, message.declaration_id):
            message.take(at, lease, carrier)
            return message
        message.cancel(at)
        session.flush()
    return None


def settle(session: Session, taken: Message, act: Callable[[Message], None]) -> Message | None:
    """Write down what became of a message in hand; None where another hand has it by now, or nobody wants it."""
    after = replace(taken)
    act(after)
    if not after.needs_fallback and models.put_fate(session, taken, after):
        return after
    # something happened to it meanwhile: its carrier called back, or it is no longer ours
    message = models.message_in_hand(session, taken.message_id, taken.attempt)
    if message is not None:
        act(message)
    return message


def pass_on(session: Session, taken: Message, carrier: str, *, lease: timedelta, at: datetime) -> Message | None:
    """Write down that the next carrier gets a message in hand; None as in `settle`."""
    return settle(session, taken, lambda message: message.pass_on(carrier, at, lease))


def note_delivery(
    session: Session,
    message_id: str,
    told: Delivery | None,
    code: str | None,
    *,
    is_signed: Callable[[Message], bool],
    at: datetime,
) -> Message | None:
    """Write down how far a message came; return it where that is news, else None.

    Raises:
        NotFound: there is no such message.
        Forbidden: ``wrong_signature``, the carrier that has the message did not say this.
    """
    message = models.get_message(session, message_id)
    if not is_signed(message):
        raise Forbidden("wrong_signature")
    return message if told is not None and message.report(told, code, at) else None


def fall_back(session: Session, message: Message, seal: Seal, *, at: datetime) -> bool:
    """Queue the mail that stands in for an SMS that did not arrive, once; return whether it was due."""
    if not message.needs_fallback:
        return False
    sealed, message.fallback = message.fallback, None
    try:
        # the row forgets it in time; the seal may be as old as the last try to send the SMS
        written = seal.open(sealed or "", 2 * PATIENCE.total_seconds())
    except BrokenSeal:
        return False
    due = read_fallback(written).occasion(message.message_id, message.declaration_id, message.number)
    session.add(mail_of(due, new_id(), request_id=message.request_id, at=at))
    return True


def bring_forward(session: Session, *, longest: timedelta, at: datetime) -> int:
    """Make due what waits longer than anything may: a clock that was put back since set its time; return how many."""
    return models.bring_forward(session, beyond=at + longest, now=at)


def forget_fallbacks(session: Session, *, at: datetime) -> None:
    """Forget whom a mail could go to, where no carrier told for 72 hours whether the SMS arrived."""
    models.forget_fallbacks(session, before=at - PATIENCE)


def list_messages(session: Session, states: Sequence[str], limit: int) -> Sequence[Message]:
    return models.messages_in(session, states, limit)


def retry_message(session: Session, message_id: str, *, at: datetime) -> Message:
    """Make a message due now: one that waits is sent, one of unknown fate is looked up.

    Raises:
        NotFound: there is none.
        Refused: ``already_settled``, its content is forgotten.
    """
    message = models.get_message(session, message_id)
    if not message.hurry(at):
        raise Refused("already_settled", state=str(message.state))
    return message
