"""The counter of the notification desk: what it hears, and how messages leave the house."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from services.notification import clients, handlers, models
from services.notification.clients.carrier import Deferred, Parcel, Rejected
from services.notification.clients.carriers import Carriers, Line
from services.notification.clients.twilio import TwilioCarrier
from services.notification.domain import occasion
from services.notification.domain.breaker import Leave
from services.notification.domain.fallback import fallback_of
from services.notification.domain.message import (
    PATIENCE,
    PRINTED_WITHIN,
    Channel,
    Message,
    SettledBy,
    State,
    with_password,
)
from services.notification.domain.occasion import Occasion
from services.notification.schemas.message import MessageView, delivery_told
from shared import logs, metrics
from shared.framework.consumers import listen
from shared.framework.providers import (
    ClientProvider,
    Crew,
    DatabaseProvider,
    FilesProvider,
    GreenFileStore,
    SealProvider,
    SettingProvider,
    in_time,
)
from shared.framework.rpc import rpc
from shared.framework.service import Service
from shared.framework.timers import every
from shared.language.clock import utc_now
from shared.language.errors import Unavailable
from shared.language.events import (
    AccountActivated,
    DeclarationExpired,
    DeclarationRejected,
    DeclarationSubmitted,
    DeclarationWithdrawn,
)
from shared.storage.database import Database
from shared.storage.seals import BrokenSeal, Seal

SENDERS = 8  # messages of one channel under way at once
LOOK_SECONDS = 1.0  # between two looks for messages that wait for another try
FORGET_SECONDS = 600.0
FAR_SECONDS = 30.0  # between two looks for messages that wait for a moment too far away
PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0)  # between tries to write a fate down

Act = Callable[[Message], None]  # what becomes of a message

log = logs.log(__name__)


class FormNotPrinted(Exception):
    """The form that goes along is not in the store yet."""


class CarrierSilent(Exception):
    """The carrier did not answer in time."""


class Lost(Exception):
    """The carrier got the message and did not say yes: nobody knows whether it has it."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Notification(Service):
    """Tells people, by SMS and by mail."""

    name = "notification"

    database: Database = DatabaseProvider(models.metadata)
    files: GreenFileStore = FilesProvider()
    seal: Seal = SealProvider()
    sms: Carriers = ClientProvider(clients.sms_carriers)
    mail: Carriers = ClientProvider(clients.mail_carriers)
    crew: Crew = Crew(SENDERS)
    public_url: str = SettingProvider("public")
    sms_accents: bool = SettingProvider("sms_accents")
    carrier_timeout: float = SettingProvider("carrier_timeout")
    settle_after: float = SettingProvider("settle_after")
    delays: tuple[float, ...] = SettingProvider("delays")

    # what the other desks tell

    @listen(DeclarationSubmitted)
    def on_declaration_submitted(self, event: DeclarationSubmitted) -> None:
        self._tell(occasion.submitted(event, self.public_url))

    @listen(AccountActivated)
    def on_account_activated(self, event: AccountActivated) -> None:
        told = occasion.activated(event)
        stands_in = fallback_of(told)
        self._tell(replace(told, fallback=self.seal.close(stands_in.written())) if stands_in else told)

    @listen(DeclarationRejected)
    def on_declaration_rejected(self, event: DeclarationRejected) -> None:
        self._tell(occasion.rejected(event))

    @listen(DeclarationExpired)
    def on_declaration_expired(self, event: DeclarationExpired) -> None:
        self._tell(occasion.expired(event))

    @listen(DeclarationWithdrawn)
    def on_declaration_withdrawn(self, event: DeclarationWithdrawn) -> None:
        self.database.run(handlers.withdraw, event)

    def _tell(self, told: Occasion) -> None:
        """Keep the messages of an occasion, and have free hands send them."""
        ready = {channel: self.crew.hire(channel, self._worker(channel)) for channel in Channel}
        hands = {channel: self._preferred(channel) for channel, hand in ready.items() if hand is not None}
        taken: dict[str, Message] = {}
        try:
            taken = self._queue(told, hands)
        finally:
            for channel, hand in ready.items():
                if hand is not None:
                    hand.send(partial(self._handle, taken[channel]) if channel in taken else None)
        if len(taken) < len(ready):
            self.send_messages()

    def _queue(self, told: Occasion, hands: dict[Channel, str]) -> dict[str, Message]:
        taken = self.database.run(
            handlers.tell,
            told,
            accents=self.sms_accents,
            request_id=logs.request_id(),
            at=utc_now(),
            lease=self._lease,
            hands=hands,
        )
        return {message.channel: message for message in taken}

    # what carriers tell later, and what officers ask

    @rpc
    def note_delivery(self, message_id: str, url: str, form: dict[str, str], signature: str) -> None:
        """Take a status call-back of Twilio's: believed where the carrier that has the message signed it."""
        told, code = delivery_told(form)
        at = utc_now()
        with self.database.begin() as session:
            message = handlers.note_delivery(
                session,
                message_id,
                told,
                code,
                is_signed=lambda kept: self._has_signed(kept, url, form, signature),
                at=at,
            )
            fell_back = message is not None and handlers.fall_back(session, message, self.seal, at=at)
        if message is None:
            return
        metrics.DELIVERIES.labels(str(told)).inc()
        log.info("delivery_noted", message_id=message_id, carrier=message.carrier, delivery=told, code=code)
        self._note_fallback(message, fell_back)

    def _has_signed(self, message: Message, url: str, form: dict[str, str], signature: str) -> bool:
        line = self._carriers(message.channel).named(message.carrier) if message.carrier else None
        return (
            line is not None
            and isinstance(line.carrier, TwilioCarrier)
            and line.carrier.has_signed(url, form, signature)
        )

    @rpc
    def list_messages(self, declaration_id: str) -> list[dict[str, Any]]:
        """Return what was sent about a declaration, the oldest first."""
        with self.database.read() as session:
            return [MessageView.of(message) for message in models.messages_about(session, declaration_id)]

    # what is due

    @every(LOOK_SECONDS)
    def send_messages(self) -> None:
        """Have free hands send what is due, each channel in a lane of its own."""
        for channel in Channel:
            self._ring(channel)

    @every(FORGET_SECONDS)
    def forget_fallbacks(self) -> None:
        """Forget whom a mail could go to, where no carrier told in time whether the SMS arrived."""
        with self.database.begin() as session:
            handlers.forget_fallbacks(session, at=utc_now())

    @every(FAR_SECONDS)
    def bring_forward(self) -> None:
        """Let nobody wait for a moment that a wrong clock had set."""
        longest = max(self._lease, timedelta(seconds=max(self.delays, default=0.0)))
        with self.database.begin() as session:
            brought = handlers.bring_forward(session, longest=longest, at=utc_now())
        if brought:
            log.warning("messages_brought_forward", messages=brought)

    def _ring(self, channel: str) -> None:
        self.crew.ring(channel, self._worker(channel))

    def _worker(self, channel: str) -> Callable[[], bool]:
        return lambda: self._handle_next(channel)

    def _preferred(self, channel: str) -> str:
        return self._carriers(channel).preferred(time.monotonic())

    def _handle_next(self, channel: str) -> bool:
        """Send the next message of a channel, or learn its fate; say whether there was one."""
        carrier = self._preferred(channel)
        try:
            with self.database.begin() as session:
                message = handlers.take_due(session, channel, lease=self._lease, at=utc_now(), carrier=carrier)
        except Unavailable:
            log.warning("messages_wait", dependency="database", channel=str(channel))
            return False
        if message is None:
            return False
        self._ring(channel)  # there may be more, for another hand
        self._handle(message)
        return True

    def _handle(self, message: Message) -> None:
        """Send a message in hand, or learn its fate."""
        logs.begin_work(self.name, {"request_id": message.request_id, "message_id": message.message_id})
        try:
            parcel = self._parcel(message)
        except BrokenSeal:
            self._settle(message, lambda kept: kept.fail("broken_seal", utc_now()))
            return
        act = self._look_up(message, parcel) if message.state == State.UNKNOWN else self._send(message, parcel)
        if act is not None:
            self._settle(message, act)

    @property
    def _lease(self) -> timedelta:
        """How long a hand has a message for itself: longer than any carrier is waited for."""
        return timedelta(seconds=max(self.settle_after, 2 * self.carrier_timeout))

    def _carriers(self, channel: str) -> Carriers:
        return self.sms if channel == Channel.SMS else self.mail

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

    def _send(self, message: Message, parcel: Parcel) -> Act | None:
        """Hand the parcel to the first carrier that takes it; return what becomes of the message.

        Only one that surely does not have it makes way for the next. No transaction is open meanwhile. None where
        the message is in other hands by now.
        """
        try:
            self._attach(message, parcel)
        except Exception as error:  # the store, so no carrier is at fault
            return self._delayed(type(error).__name__)
        code = "carriers_out"
        for line in self._carriers(message.channel).route(message.bound_to):
            leave = line.admit(time.monotonic())
            if leave is None:
                continue
            if line.name != message.carrier and not self._pass_on(message, line):
                return None
            try:
                self._hand_over(message, line, leave, parcel)
            except Deferred as no:
                code = no.code
            except Rejected as no:
                return _failed(no.code)
            except Lost as lost:
                return self._lost(lost.code)
            else:
                return _sent(line)
        return self._delayed(code)

    def _attach(self, message: Message, parcel: Parcel) -> None:
        if message.form_key is None:
            return
        try:
            parcel.attachment = in_time(self.carrier_timeout, CarrierSilent(), self.files.get, message.form_key)
        except FileNotFoundError:
            if utc_now() - message.queued_at < PRINTED_WITHIN:
                raise FormNotPrinted from None
            log.warning("form_missing", message_id=message.message_id)

    def _delayed(self, code: str) -> Act:
        return lambda kept: kept.delay(code, self.delays, utc_now())

    def _pass_on(self, message: Message, line: Line) -> bool:
        """Write down that another carrier gets the message, before it does; say whether that may be."""
        at = utc_now()
        try:
            with self.database.begin() as session:
                kept = handlers.pass_on(session, message, line.name, lease=self._lease, at=at)
        except Unavailable:
            log.warning("messages_wait", dependency="database", channel=str(message.channel))
            return False
        if kept is None:
            log.warning("message_in_other_hands", message_id=message.message_id)
            return False
        message.carrier = line.name
        return True

    def _hand_over(self, message: Message, line: Line, leave: Leave, parcel: Parcel) -> None:
        """Hand the parcel to one carrier, and learn from it how the carrier is.

        Raises:
            Rejected: the carrier will never take it.
            Deferred: the carrier surely does not have it.
            Lost: nobody knows.
        """
        parcel.handed_over = False
        try:
            in_time(self._carriers(message.channel).timeout, CarrierSilent(), _through, line, leave, parcel)
        except Rejected:
            self._heed(line, leave, well=True)
            raise
        except Exception as error:
            self._heed(line, leave, well=False)
            if isinstance(error, Deferred):
                raise
            code = type(error).__name__
            raise (Lost(code) if parcel.handed_over else Deferred(code)) from error
        self._heed(line, leave, well=True)
        if line is not self._carriers(message.channel).lines[0]:
            metrics.FAILOVERS.labels(line.name).inc()

    def _heed(self, line: Line, leave: Leave, *, well: bool) -> None:
        """Let the carrier's breaker learn, and operators know what it did."""
        turned = line.heed(leave, time.monotonic(), well=well)
        if line.breaker is not None:
            metrics.CARRIER_OUT.labels(line.name).set(line.breaker.is_open)
        if turned and well:
            log.info("carrier_back", carrier=line.name)
        elif turned:
            log.warning("carrier_passed_over", carrier=line.name)

    def _look_up(self, message: Message, parcel: Parcel) -> Act:
        """Ask the carrier whether it has the message; return what becomes of it."""
        carriers = self._carriers(message.channel)
        line = carriers.named(message.carrier)
        if line is None:
            return self._lost("carrier_gone")
        try:
            found = in_time(carriers.timeout, CarrierSilent(), line.carrier.find, parcel)
        except Exception as error:
            return self._lost(error.code if isinstance(error, Deferred) else type(error).__name__)
        if found is None:
            return lambda kept: kept.repeat(utc_now())
        return _sent(line, SettledBy.LOOKUP) if found else lambda kept: kept.miss(utc_now())

    def _lost(self, code: str) -> Act:
        return lambda kept: kept.lose(code, timedelta(seconds=self.settle_after), utc_now())

    def _settle(self, taken: Message, act: Act) -> None:
        """Write the fate down; while the database does not answer, a few times more, for it is not known twice."""
        for pause in (*PAUSES, None):
            try:
                with self.database.begin() as session:
                    message = handlers.settle(session, taken, act)
                    fell_back = message is not None and handlers.fall_back(session, message, self.seal, at=utc_now())
                break
            except Unavailable:
                if pause is None:
                    log.error("fate_not_written", message_id=taken.message_id)
                    return
                time.sleep(pause)
        if message is None:
            log.warning("message_in_other_hands", message_id=taken.message_id)
            return
        self._note_attempt(message)
        self._note_fallback(message, fell_back)

    def _note_attempt(self, message: Message) -> None:
        outcome = "delayed" if message.state == State.QUEUED else str(message.state)
        metrics.MESSAGES.labels(str(message.channel), outcome).inc()
        tell = {State.SENT: log.info, State.FAILED: log.error}.get(State(message.state), log.warning)
        tell(
            "message_attempted",
            channel=message.channel,
            carrier=message.carrier,
            outcome=outcome,
            code=message.code,
            settled_by=message.settled_by,
            attempt=message.attempt,
        )

    def _note_fallback(self, message: Message, fell_back: bool) -> None:
        if fell_back:
            log.warning("message_fell_back", message_id=message.message_id, code=message.code)
            self._ring(Channel.MAIL)


def _through(line: Line, leave: Leave, parcel: Parcel) -> None:
    """Send; one that was out is asked something harmless first, so that no message is lost on a probe."""
    if leave.probe:
        line.carrier.find(parcel)
    line.carrier.send(parcel, utc_now())


def _sent(line: Line, settled_by: SettledBy | None = None) -> Act:
    return lambda kept: kept.sent(utc_now(), settled_by, reported=line.carrier.reports)


def _failed(code: str) -> Act:
    return lambda kept: kept.fail(code, utc_now())
