"""The form of a carrier's call-back, and what officers see of a message."""

from datetime import datetime
from typing import Any

from marshmallow import INCLUDE, Schema, fields

from services.notification.domain.delivery import Delivery
from services.notification.domain.message import Channel, Message, State
from shared.forms import Choice, PlainText, UtcTime, View


class TwilioForm(Schema):
    """A status call-back of Twilio; it has more fields, and may get others."""

    class Meta:
        unknown = INCLUDE

    MessageSid = PlainText(required=True, example="SM0123456789abcdef0123456789abcdef")
    MessageStatus = PlainText(required=True, example="delivered")
    ErrorCode = PlainText(example="30003")


class MessageView(View):
    """A message about a declaration. ``state`` is ours, ``delivery`` what its carrier says, where it says anything."""

    occasion = PlainText(required=True, example="declaration_submitted")
    channel = Choice(Channel, required=True)
    recipient = PlainText(required=True, attribute="masked", example="+84•••••678")
    state = Choice(State, required=True, example=State.SENT)
    delivery = Choice(Delivery, required=True, allow_none=True, example=Delivery.DELIVERED)
    queued_at = UtcTime(required=True)
    sent_at = UtcTime(required=True, allow_none=True)
    delivered_at = UtcTime(required=True, allow_none=True)

    @classmethod
    def of(cls, thing: Message, now: datetime | None = None, **also: Any) -> dict[str, Any]:
        sent_at = thing.done_at if thing.state == State.SENT else None
        return super().of(thing, now, occasion=thing.occasion.partition(":")[0], sent_at=sent_at, **also)


class MessagesView(View):
    """What was sent about a declaration, the oldest first; null while notification does not answer."""

    messages = fields.List(fields.Nested(MessageView), required=True, allow_none=True)
