"""What carriers tell of a message, and what officers are shown."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import INCLUDE, Schema, fields

from services.notification.domain.delivery import NOT_ARRIVED, TWILIO, Delivery
from services.notification.domain.message import Message, State

ERROR_CODE = re.compile(r"[0-9]{1,6}", re.ASCII)


class TwilioForm(Schema):
    """A status call-back of Twilio; it has more fields, and may have others tomorrow."""

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
    """What was sent about a declaration, the oldest first; null while the notification desk does not answer."""

    messages = fields.List(fields.Nested(MessageView), required=True, allow_none=True)


def delivery_told(form: Mapping[str, str]) -> tuple[Delivery | None, str | None]:
    """Return how far the message came, and why no further; None for a word of Twilio's that says nothing of it."""
    told = TWILIO.get(form.get("MessageStatus", ""))
    code = form.get("ErrorCode", "")
    return told, f"twilio_{code}" if told in NOT_ARRIVED and ERROR_CODE.fullmatch(code) else None


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


def stamp(moment: datetime) -> str:
    """Return a moment in RFC 3339, UTC, to the second's thousandth."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
