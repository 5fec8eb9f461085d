"""Notification's tables, how messages are mapped to them, and every query."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.notification.domain.message import (
    BUDGET_SPENT,
    HOLD,
    RESERVED_STATES,
    WAITING_STATES,
    Message,
    State,
)
from services.notification.domain.occasion import UNSOLICITED
from shared.language.errors import NotFound
from shared.storage.columns import UtcDateTime, insert_on
from shared.storage.database import mapping

HOLD_BATCH_SIZE = 1000  # messages in one statement

mapper = mapping()
metadata = mapper.metadata

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("message_id", sa.String(36), primary_key=True),
    sa.Column("occasion", sa.String(120), nullable=False),
    sa.Column("channel", sa.String(10), nullable=False),
    sa.Column("declaration_id", sa.String(36), nullable=False, index=True),
    sa.Column("number", sa.String(20), nullable=False),
    sa.Column("masked", sa.String(300), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("recipient", sa.String(254)),
    sa.Column("subject", sa.String(300)),
    sa.Column("text", sa.Text),
    sa.Column("html", sa.Text),
    sa.Column("sealed", sa.Text),
    sa.Column("form_key", sa.String(120)),
    sa.Column("segments", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("delayed", sa.Integer, nullable=False),
    sa.Column("possible_copies", sa.Integer, nullable=False, server_default="0"),
    sa.Column("settled_by", sa.String(20)),
    sa.Column("code", sa.String(60)),
    sa.Column("queued_at", UtcDateTime, nullable=False),
    sa.Column("due_at", UtcDateTime),
    sa.Column("done_at", UtcDateTime),
    sa.Column("carrier", sa.String(60)),
    sa.Column("delivery", sa.String(20)),
    sa.Column("delivered_at", UtcDateTime),
    sa.Column("fallback", sa.Text),
    # an event received twice, or by two consumers at once, adds one message
    sa.UniqueConstraint("occasion", "channel"),
)
# keeps the search for due messages fast, however many are settled
sa.Index(
    "ix_messages_due",
    messages.c.channel,
    messages.c.due_at,
    postgresql_where=messages.c.due_at.is_not(None),
    sqlite_where=messages.c.due_at.is_not(None),
)

sa.Index("ix_messages_queued_at", messages.c.queued_at)
# few messages have a fallback, and none for long
sa.Index(
    "ix_messages_fallback",
    messages.c.queued_at,
    postgresql_where=messages.c.fallback.is_not(None),
    sqlite_where=messages.c.fallback.is_not(None),
)

withdrawals = sa.Table(  # of declarations: a late event about a withdrawn one sends nothing
    "withdrawals",
    metadata,
    sa.Column("declaration_id", sa.String(36), primary_key=True),
    sa.Column("withdrawn_at", UtcDateTime, nullable=False),
)

mapper.map_imperatively(Message, messages)


WITHDRAWN = "withdrawn"
_QUEUED_CHANNELS = sa.union_all(
    sa.select(messages.c.channel).where(messages.c.occasion == sa.bindparam("occasion")),
    sa.select(sa.literal(WITHDRAWN)).where(withdrawals.c.declaration_id == sa.bindparam("declaration_id")),
)


def queued_channels(session: Session, occasion: str, declaration_id: str) -> set[str]:
    """Return the channels that have the message of an occasion already, and `WITHDRAWN` where none may be sent."""
    return set(session.scalars(_QUEUED_CHANNELS, {"occasion": occasion, "declaration_id": declaration_id}))


_DUE = (
    sa.select(Message)
    .where(messages.c.channel == sa.bindparam("channel"), messages.c.due_at <= sa.bindparam("now", type_=UtcDateTime))
    .order_by(messages.c.due_at)
    .limit(1)
    .with_for_update(skip_locked=True)
)


def due_message(session: Session, channel: str, now: datetime) -> Message | None:
    """Return the message that has been due longest, and lock it; skip those that are locked."""
    return session.scalars(_DUE, {"channel": channel, "now": now}).first()


def reserved_message(session: Session, message_id: str, attempt: int) -> Message | None:
    """Return the message, locked, if this attempt still has it reserved."""
    query = sa.select(Message).where(
        messages.c.message_id == message_id,
        messages.c.attempt == attempt,
        messages.c.state.in_([state.value for state in RESERVED_STATES]),
    )
    return session.scalars(query.with_for_update()).first()


_CHANGED = (  # by the outcome of an attempt
    *("state", "due_at", "carrier", "settled_by", "code", "delayed", "possible_copies", "done_at"),
    *("recipient", "subject", "text", "html", "sealed", "form_key", "fallback"),
)
_SAVE_OUTCOME = (
    sa.update(messages)
    .where(
        messages.c.message_id == sa.bindparam("the_message"),
        messages.c.attempt == sa.bindparam("the_attempt"),
        messages.c.state == sa.bindparam("the_state"),
        # a call-back may have come before the answer, and settled the message otherwise
        messages.c.delivery.is_not_distinct_from(sa.bindparam("the_delivery")),
    )
    .values({name: sa.bindparam(name) for name in _CHANGED})
)


def save_outcome(session: Session, before: Message, after: Message) -> bool:
    """Save a message as an outcome changed it, with one UPDATE; return False if its row has changed since."""
    key = {"the_message": before.message_id, "the_attempt": before.attempt, "the_state": before.state}
    changed = {name: getattr(after, name) for name in _CHANGED}
    saved = session.connection().execute(_SAVE_OUTCOME, {**key, "the_delivery": before.delivery, **changed})
    return saved.rowcount == 1


def locked_messages(session: Session, declaration_id: str) -> Sequence[Message]:
    """Return the messages of a declaration, locked in an order that rules out deadlocks."""
    query = sa.select(Message).where(messages.c.declaration_id == declaration_id)
    return session.scalars(query.order_by(messages.c.message_id).with_for_update()).all()


def password_texts(session: Session, declaration_id: str) -> Sequence[Message]:
    """Return the SMS with the first passwords of an account, locked in an order that rules out deadlocks."""
    return [message for message in locked_messages(session, declaration_id) if message.carries_password]


def occasions_of(session: Session, declaration_id: str) -> Sequence[str]:
    """Return what was told about a declaration, as keys of occasions."""
    return session.scalars(sa.select(messages.c.occasion).where(messages.c.declaration_id == declaration_id)).all()


def messages_about(session: Session, declaration_id: str) -> Sequence[Message]:
    """Return the messages of a declaration, the oldest first."""
    query = sa.select(Message).where(messages.c.declaration_id == declaration_id)
    return session.scalars(query.order_by(messages.c.queued_at, messages.c.channel.desc())).all()


def messages_in(session: Session, states: Sequence[str], limit: int) -> Sequence[Message]:
    """Return messages in these states, the newest first."""
    query = sa.select(Message).where(messages.c.state.in_(list(states)))
    return session.scalars(query.order_by(messages.c.queued_at.desc()).limit(limit)).all()


def hold_unsolicited(session: Session, channel: str, at: datetime) -> None:
    """Hold a batch of the due messages of a channel that anybody can cause, with one statement."""
    kinds = sa.or_(*(messages.c.occasion.startswith(f"{name}:", autoescape=True) for name in UNSOLICITED))
    queued = sa.and_(messages.c.channel == channel, messages.c.state == State.QUEUED.value, kinds)
    due = sa.select(messages.c.message_id).where(queued, messages.c.due_at <= at).limit(HOLD_BATCH_SIZE)
    row = sa.update(messages).where(messages.c.message_id.in_(due.with_for_update(skip_locked=True)))
    session.connection().execute(row.values(code=BUDGET_SPENT, due_at=at + HOLD))


def messages_since(session: Session, moment: datetime) -> int:
    """Return how many messages were queued since a moment."""
    counted = sa.select(sa.func.count()).select_from(messages).where(messages.c.queued_at >= moment)
    return int(session.execute(counted).scalar_one())


def get_message(session: Session, message_id: str) -> Message:
    found = session.scalars(sa.select(Message).where(messages.c.message_id == message_id).with_for_update()).first()
    if found is None:
        raise NotFound
    return found


def forget_fallbacks(session: Session, before: datetime) -> None:
    """Forget the fallbacks of messages queued before a moment and still without a delivery report."""
    old = sa.update(messages).where(
        messages.c.fallback.is_not(None), messages.c.queued_at < before, messages.c.due_at.is_(None)
    )
    session.execute(old.values(fallback=None))


def bring_forward(session: Session, beyond: datetime, now: datetime) -> int:
    """Make messages due now that wait, unreserved, for a moment beyond; return how many."""
    waiting = messages.c.state.in_([state.value for state in WAITING_STATES])
    late = sa.update(messages).where(messages.c.due_at > beyond, waiting)
    return session.connection().execute(late.values(due_at=now)).rowcount


def forget_messages(session: Session, before: datetime, limit: int) -> int:
    """Delete messages queued before a moment and no longer under way; return how many."""
    settled = sa.and_(messages.c.queued_at < before, messages.c.due_at.is_(None))
    old = sa.select(messages.c.message_id).where(settled).limit(limit).with_for_update(skip_locked=True)
    return session.connection().execute(sa.delete(messages).where(messages.c.message_id.in_(old))).rowcount


def forget_withdrawals(session: Session, before: datetime) -> None:
    session.execute(sa.delete(withdrawals).where(withdrawals.c.withdrawn_at < before))


_WITHDRAWN = sa.select(withdrawals.c.declaration_id).where(
    withdrawals.c.declaration_id == sa.bindparam("declaration_id")
)


def is_withdrawn(session: Session, declaration_id: str) -> bool:
    return session.execute(_WITHDRAWN, {"declaration_id": declaration_id}).first() is not None


def note_withdrawal(session: Session, declaration_id: str, at: datetime) -> None:
    row = insert_on(session.get_bind().dialect.name, withdrawals).on_conflict_do_nothing()
    session.execute(row, {"declaration_id": declaration_id, "withdrawn_at": at})
