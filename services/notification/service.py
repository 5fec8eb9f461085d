"""The counter of the notification desk: what it hears, and how messages leave the house."""

import time
from collections.abc import Callable
from datetime import timedelta

from services.notification import clients, handlers, models
from services.notification.clients.carrier import Carrier, Deferred, Parcel, Rejected
from services.notification.domain import occasion
from services.notification.domain.message import PATIENCE, Channel, Message, SettledBy, State, with_password
from services.notification.domain.occasion import Occasion
from shared import logs, metrics
from shared.database import Database as DeskDatabase
from shared.database import again_on_conflict
from shared.errors import Unavailable
from shared.events import (
    AccountActivated,
    DeclarationExpired,
    DeclarationRejected,
    DeclarationSubmitted,
    DeclarationWithdrawn,
)
from shared.framework import (
    Client,
    Crew,
    Database,
    Desk,
    Files,
    GreenStore,
    Sealed,
    Setting,
    every,
    in_time,
    listen,
)
from shared.seals import BrokenSeal, Seal
from shared.words import utc_now

SENDERS = 8  # messages of one channel under way at once
LOOK_SECONDS = 1.0  # between two looks for messages that wait for another try
PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0)  # between tries to write a fate down

log = logs.log(__name__)


class CarrierSilent(Exception):
    """The carrier did not answer in time."""


class Notification(Desk):
    """Tells people, by SMS and by mail."""

    name = "notification"

    database: DeskDatabase = Database(models.metadata)
    files: GreenStore = Files()
    seal: Seal = Sealed()
    sms: Carrier = Client(clients.sms_carrier)
    mail: Carrier = Client(clients.mail_carrier)
    crew: Crew = Crew(SENDERS)
    public_url: str = Setting("public")
    sms_accents: bool = Setting("sms_accents")
    carrier_timeout: float = Setting("carrier_timeout")
    settle_after: float = Setting("settle_after")
    delays: tuple[float, ...] = Setting("delays")

    # what the other desks tell

    @listen(DeclarationSubmitted)
    def on_declaration_submitted(self, event: DeclarationSubmitted) -> None:
        self._tell(occasion.submitted(event, self.public_url))

    @listen(AccountActivated)
    def on_account_activated(self, event: AccountActivated) -> None:
        self._tell(occasion.activated(event))

    @listen(DeclarationRejected)
    def on_declaration_rejected(self, event: DeclarationRejected) -> None:
        self._tell(occasion.rejected(event))

    @listen(DeclarationExpired)
    def on_declaration_expired(self, event: DeclarationExpired) -> None:
        self._tell(occasion.expired(event))

    @listen(DeclarationWithdrawn)
    def on_declaration_withdrawn(self, event: DeclarationWithdrawn) -> None:
        def withdraw() -> None:
            with self.database.begin() as session:
                handlers.withdraw(session, event)

        again_on_conflict(withdraw)

    def _tell(self, told: Occasion) -> None:
        at, request_id = utc_now(), logs.request_id()

        def queue() -> None:
            with self.database.begin() as session:
                handlers.tell(session, told, accents=self.sms_accents, request_id=request_id, at=at)

        again_on_conflict(queue)
        self.send_messages()

    # what is due

    @every(LOOK_SECONDS)
    def send_messages(self) -> None:
        """Have free hands send what is due, each channel in a lane of its own."""
        for channel in Channel:
            self._ring(channel)

    def _ring(self, channel: str) -> None:
        self.crew.ring(channel, lambda: self._handle_next(channel))

    def _handle_next(self, channel: str) -> bool:
        """Send the next message of a channel, or learn its fate; say whether there was one."""
        try:
            with self.database.begin() as session:
                message = handlers.take_due(session, channel, lease=self._lease, at=utc_now())
        except Unavailable:
            log.warning("messages_wait", dependency="database", channel=str(channel))
            return False
        if message is None:
            return False
        self._ring(channel)  # there may be more, for another hand
        logs.begin_work(self.name, {"request_id": message.request_id, "message_id": message.message_id})
        try:
            parcel = self._parcel(message)
        except BrokenSeal:
            self._settle(message, lambda kept: kept.fail("broken_seal", utc_now()))
            return True
        act = self._look_up(message, parcel) if message.state == State.UNKNOWN else self._send(message, parcel)
        self._settle(message, act)
        return True

    @property
    def _lease(self) -> timedelta:
        """How long a hand has a message for itself: longer than any carrier is waited for."""
        return timedelta(seconds=max(self.settle_after, 2 * self.carrier_timeout))

    def _parcel(self, message: Message) -> Parcel:
        """Return the message as its carrier gets it; a password is in clear only here, in memory."""
        assert message.recipient is not None and message.text is not None
        text = message.text
        if message.sealed is not None:
            text = with_password(text, self.seal.open(message.sealed, PATIENCE.total_seconds()))
        return Parcel(
            message_id=message.message_id,
            queued_at=message.queued_at,
            recipient=message.recipient,
            text=text,
            subject=message.subject or "",
            html=message.html,
            attachment_name=f"to-khai-{message.number}.pdf",
        )

    def _send(self, message: Message, parcel: Parcel) -> Callable[[Message], None]:
        """Hand the parcel to its carrier; return what becomes of the message. No transaction is open."""
        try:
            in_time(self.carrier_timeout, CarrierSilent(), self._hand_over, message, parcel)
        except Rejected as no:
            code = no.code
            return lambda kept: kept.fail(code, utc_now())
        except Deferred as no:
            code = no.code
            return lambda kept: kept.delay(code, self.delays, utc_now())
        except Exception as error:
            # whatever it was: before the hand-over it was surely not sent, after it nobody knows
            code = type(error).__name__
            if parcel.handed_over:
                return lambda kept: kept.lose(code, timedelta(seconds=self.settle_after), utc_now())
            return lambda kept: kept.delay(code, self.delays, utc_now())
        return lambda kept: kept.sent(utc_now())

    def _hand_over(self, message: Message, parcel: Parcel) -> None:
        if message.form_key is not None:
            try:
                parcel.attachment = self.files.get(message.form_key)
            except FileNotFoundError:
                log.warning("form_missing", message_id=message.message_id)
        self._carrier(message).send(parcel, utc_now())

    def _look_up(self, message: Message, parcel: Parcel) -> Callable[[Message], None]:
        """Ask the carrier whether it has the message; return what becomes of it."""
        try:
            found = in_time(self.carrier_timeout, CarrierSilent(), self._carrier(message).find, parcel)
        except Exception as error:
            code = error.code if isinstance(error, Deferred) else type(error).__name__
            return lambda kept: kept.lose(code, timedelta(seconds=self.settle_after), utc_now())
        if found is None:
            return lambda kept: kept.repeat(utc_now())
        if not found:
            return lambda kept: kept.miss(utc_now())
        return lambda kept: kept.sent(utc_now(), SettledBy.LOOKUP)

    def _carrier(self, message: Message) -> Carrier:
        return self.sms if message.channel == Channel.SMS else self.mail

    def _settle(self, taken: Message, act: Callable[[Message], None]) -> None:
        """Write the fate down; while the database does not answer, a few times more, for it is not known twice."""
        for pause in (*PAUSES, None):
            try:
                with self.database.begin() as session:
                    message = handlers.settle(session, taken, act)
                break
            except Unavailable:
                if pause is None:
                    log.error("fate_not_written", message_id=taken.message_id)
                    return
                time.sleep(pause)
        if message is None:
            log.warning("message_in_other_hands", message_id=taken.message_id)
            return
        outcome = "delayed" if message.state == State.QUEUED else str(message.state)
        metrics.MESSAGES.labels(str(message.channel), outcome).inc()
        tell = {State.SENT: log.info, State.FAILED: log.error}.get(State(message.state), log.warning)
        tell(
            "message_attempted",
            channel=message.channel,
            outcome=outcome,
            code=message.code,
            settled_by=message.settled_by,
            attempt=message.attempt,
        )
