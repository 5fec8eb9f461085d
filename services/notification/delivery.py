"""How messages leave: workers reserve them, send them or look them up, and settle them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from services.notification import handlers, models
from services.notification.clients.carrier import Callback, OutgoingMessage
from services.notification.clients.carriers import Carriers
from services.notification.clients.guard import GuardedCarrier
from services.notification.domain.delivery import DeliveryReport
from services.notification.domain.message import FORM_LIFETIME, Channel, Message, Settled, State, with_password
from services.notification.domain.occasion import Occasion
from services.notification.domain.outcome import Deferred, Outcome, Rejected
from services.notification.domain.retry import MESSAGE_LIFETIME, MessageBudget, RetryPolicy
from shared import logs, metrics
from shared.framework.providers import in_time
from shared.framework.workers import WorkerPool
from shared.language.clock import utc_now, vietnam_midnight
from shared.language.errors import Unavailable
from shared.storage.database import Database
from shared.storage.seals import BrokenSeal, Seal

SETTLE_BACKOFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 4.0)  # between tries to save an outcome

log = logs.log(__name__)


class FormNotPrinted(Exception):
    """The form that is attached is not in the store yet."""


class StoreSilent(Exception):
    """The store did not answer in time."""


class FormStore(Protocol):
    def get(self, key: str) -> bytes:
        """Return the file.

        Raises:
            FileNotFoundError: there is none.
        """


@dataclass(frozen=True)
class Sender:
    """Sends what is queued, on the workers of each channel; no transaction is open while a carrier answers."""

    database: Database
    seal: Seal
    files: FormStore
    carriers: Mapping[Channel, Carriers]
    workers: WorkerPool
    retry: RetryPolicy
    budget: MessageBudget
    accents: bool = False

    def tell(self, occasion: Occasion) -> None:
        """Queue the messages of an occasion; workers that are free send them at once.

        Nobody is told what comes too late: the person must be forgotten by then.
        """
        if self._is_too_late(occasion):
            log.warning("occasion_too_late", declaration_id=occasion.declaration_id, occasion=occasion.text)
            return
        workers = {channel: self.workers.reserve(channel, self._work(channel)) for channel in Channel}
        carriers = {channel: self.carriers[channel].preferred() for channel, worker in workers.items() if worker}
        reserved: dict[str, Message] = {}
        try:
            reserved = self._queue(occasion, carriers)
        finally:
            for channel, worker in workers.items():
                if worker is not None:
                    worker.send(partial(self.process, reserved[channel]) if channel in reserved else None)
        if len(reserved) < len(workers):
            self.wake()

    def _is_too_late(self, occasion: Occasion) -> bool:
        """Say whether nobody may be told any more, by our clock and by the database's: it cannot be made good."""
        now = utc_now()
        return (
            occasion.until is not None and occasion.until <= now and occasion.until <= self.database.earliest_now(now)
        )

    def wake(self) -> None:
        """Have free workers process what is due."""
        for channel in Channel:
            self._wake(channel)

    def process_next(self, channel: Channel) -> bool:
        """Send or look up the next due message of a channel; say whether there was one."""
        try:
            message = self._reserve_due(channel)
        except Unavailable:
            log.warning("messages_not_reserved", dependency="database", channel=str(channel))
            return False
        if message is None:
            return False
        self._wake(channel)  # there may be more, for another worker
        self.process(message)
        return True

    def process(self, message: Message) -> None:
        """Send a reserved message, or look it up, and save the outcome."""
        logs.begin_work("notification", {"request_id": message.request_id, "message_id": message.message_id})
        outcome = self._attempt(message)
        if outcome is not None:
            self._settle(message, outcome)

    def count_messages(self) -> None:
        """Count the messages of Vietnam's day against the budget, and say so once where it is spent."""
        was_spent = self.budget.is_spent
        self.budget.used = self.database.query(models.messages_since, vietnam_midnight(utc_now()))
        metrics.MESSAGE_BUDGET_USED.set(self.budget.used / self.budget.most)
        if self.budget.is_spent and not was_spent:
            log.error("message_budget_spent", used=self.budget.used, budget=self.budget.most)

    def note_delivery(self, message_id: str, callback: Callback) -> None:
        """Note what the carrier of a message reports of it.

        Raises:
            NotFound: there is no such message.
            Forbidden: ``wrong_signature``, the report is not from the carrier that has the message.
        """
        read_report = partial(self._read_report, callback)
        noted = self.database.run(handlers.note_delivery, message_id, read_report, seal=self.seal, at=utc_now())
        if noted is None:
            return
        message = noted.message
        metrics.DELIVERIES.labels(str(message.delivery)).inc()
        log.info(
            "delivery_noted",
            message_id=message_id,
            carrier=message.carrier,
            delivery=message.delivery,
            code=message.code,
        )
        self._report_fallback(noted)

    def outgoing(self, message: Message) -> OutgoingMessage:
        """Return the message as its carrier gets it; a password is in clear only here, in memory.

        Raises:
            BrokenSeal: the password cannot be unsealed.
        """
        assert message.recipient is not None and message.text is not None
        text = message.text
        if message.sealed is not None:
            text = with_password(text, self.seal.open(message.sealed, MESSAGE_LIFETIME.total_seconds()))
        return OutgoingMessage(
            message_id=message.message_id,
            queued_at=message.queued_at,
            recipient=message.recipient,
            text=text,
            subject=message.subject or "",
            html=message.html,
            attachment_name=f"to-khai-{message.number}.pdf",
        )

    # queue and reserve

    def _work(self, channel: Channel) -> "partial[bool]":
        return partial(self.process_next, channel)

    def _wake(self, channel: Channel) -> None:
        self.workers.wake(channel, self._work(channel))

    def _queue(self, occasion: Occasion, carriers: Mapping[Channel, str]) -> dict[str, Message]:
        """Return the messages that are stored as reserved, by channel."""
        reserved = self.database.run(
            handlers.queue_messages,
            occasion,
            accents=self.accents,
            request_id=logs.request_id(),
            at=utc_now(),
            lease=self.retry.lease,
            carriers=carriers,
            budget_spent=self.budget.is_spent,
        )
        return {message.channel: message for message in reserved}

    def _reserve_due(self, channel: Channel) -> Message | None:
        carrier = self.carriers[channel].preferred()
        lease, spent = self.retry.lease, self.budget.is_spent
        return self.database.run(
            handlers.reserve_due, channel, lease=lease, at=utc_now(), carrier=carrier, budget_spent=spent
        )

    # send or look up

    def _attempt(self, message: Message) -> Outcome | None:
        """Return the outcome of this attempt; None where the message is no longer reserved by it."""
        try:
            outgoing = self.outgoing(message)
        except BrokenSeal:
            return Rejected("broken_seal")
        if message.state == State.UNKNOWN:
            return self._carriers_of(message).look_up(message.carrier, outgoing)
        try:
            self._attach_form(message, outgoing)
        except Exception as error:  # the store failed, not a carrier
            return Deferred(type(error).__name__)
        return self._send(message, outgoing)

    def _send(self, message: Message, outgoing: OutgoingMessage) -> Outcome | None:
        """Hand the message to the first carrier that accepts it.

        Only after a carrier that certainly does not have it, the next one is tried.
        """
        outcome: Outcome = Deferred("carriers_out")
        for carrier in self._carriers_of(message).candidates(message.bound_to):
            if message.is_due(utc_now()):  # this process was held up, and another may be sending it by now
                log.warning("lease_expired", message_id=message.message_id)
                return None
            permit = carrier.admit()
            if permit is None:
                continue
            if carrier.name != message.carrier and not self._reassign(message, carrier):
                return None
            outcome = carrier.send(outgoing, permit)
            if not isinstance(outcome, Deferred):
                break
        return outcome

    def _reassign(self, message: Message, carrier: GuardedCarrier) -> bool:
        """Save that another carrier gets the message, before it does; say whether it may."""
        try:
            kept = self.database.run(handlers.reassign, message, carrier.name, lease=self.retry.lease, at=utc_now())
        except Unavailable:
            log.warning("messages_not_reserved", dependency="database", channel=str(message.channel))
            return False
        if kept is None:
            log.warning("message_reserved_by_another", message_id=message.message_id)
            return False
        message.carrier, message.due_at = kept.carrier, kept.due_at
        return True

    def _attach_form(self, message: Message, outgoing: OutgoingMessage) -> None:
        if message.form_key is None:
            return
        try:
            outgoing.attachment = in_time(self.retry.carrier_timeout, StoreSilent(), self.files.get, message.form_key)
        except FileNotFoundError:
            if utc_now() - message.queued_at < FORM_LIFETIME:
                raise FormNotPrinted from None
            log.warning("form_missing", message_id=message.message_id)

    def _carriers_of(self, message: Message) -> Carriers:
        return self.carriers[Channel(message.channel)]

    def _read_report(self, callback: Callback, message: Message) -> DeliveryReport | None:
        return self._carriers_of(message).read_callback(message.carrier, callback)

    # settle

    def _settle(self, message: Message, outcome: Outcome) -> None:
        try:
            settled = self._save(message, outcome)
        except Unavailable:
            log.error("outcome_not_saved", message_id=message.message_id)
            return
        if settled is None:
            log.warning("message_reserved_by_another", message_id=message.message_id)
            return
        _report_attempt(settled.message)
        self._report_fallback(settled)

    def _save(self, message: Message, outcome: Outcome) -> Settled | None:
        """Save the outcome; while the database does not answer, try again: a look-up is needed otherwise."""
        for pause in SETTLE_BACKOFF_SECONDS:
            try:
                return self._save_once(message, outcome)
            except Unavailable:
                time.sleep(pause)
        return self._save_once(message, outcome)

    def _save_once(self, message: Message, outcome: Outcome) -> Settled | None:
        return self.database.run(handlers.settle, message, outcome, retry=self.retry, seal=self.seal, at=utc_now())

    def _report_fallback(self, settled: Settled) -> None:
        if settled.fell_back:
            message = settled.message
            log.warning("message_fell_back", message_id=message.message_id, code=message.code)
            self._wake(Channel.MAIL)


def _report_attempt(message: Message) -> None:
    outcome = "delayed" if message.state == State.QUEUED else str(message.state)
    metrics.MESSAGES.labels(str(message.channel), outcome).inc()
    write = {State.SENT: log.info, State.FAILED: log.error}.get(State(message.state), log.warning)
    write(
        "message_attempted",
        channel=message.channel,
        carrier=message.carrier,
        outcome=outcome,
        code=message.code,
        settled_by=message.settled_by,
        attempt=message.attempt,
    )
