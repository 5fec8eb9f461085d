"""The form of a carrier's call-back, and what officers see of a message."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields

from services.notification.domain.message import Message, State
from shared.language.clock import stamp


class TwilioForm(Schema):
    """A status call-back of Twilio; it has more fields, and may get others."""

    class Meta:
        unknown = INCLUDE

    MessageSid = fields.String(required=True)
    MessageStatus = fields.String(required=True)
    ErrorCode = fields.String()


class MessageView(Schema):
    """A message about a declaration. ``state`` is ours, ``delivery`` what its carrier says, where it says anything."""

    occasion = fields.String(required=True)
    channel = fields.String(required=True)
    recipient = fields.String(required=True)
    state = fields.String(required=True)
    delivery = fields.String(required=True, allow_none=True)
    queued_at = fields.AwareDateTime(required=True)
    sent_at = fields.AwareDateTime(required=True, allow_none=True)
    delivered_at = fields.AwareDateTime(required=True, allow_none=True)


class MessagesView(Schema):
    """What was sent about a declaration, the oldest first; null while notification does not answer."""

    messages = fields.List(fields.Nested(MessageView), required=True, allow_none=True)


def message_view(message: Message) -> dict[str, Any]:
    return {
        "occasion": message.occasion.partition(":")[0],
        "channel": message.channel,
        "recipient": message.masked,
        "state": message.state,
        "delivery": message.delivery,
        "queued_at": stamp(message.queued_at),
        "sent_at": stamp(message.done_at) if message.done_at and message.state == State.SENT else None,
        "delivered_at": stamp(message.delivered_at) if message.delivered_at else None,
    }
