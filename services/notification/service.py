"""What notification listens to, and what it answers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.notification import clients, handlers, models
from services.notification.clients.carrier import Callback
from services.notification.clients.carriers import Carriers
from services.notification.delivery import Sender
from services.notification.domain import occasion
from services.notification.domain.fallback import fallback_of
from services.notification.domain.message import Channel
from services.notification.domain.retry import MessageBudget, RetryPolicy
from services.notification.schemas.message import MessageView
from shared import logs
from shared.framework.consumers import listen
from shared.framework.providers import (
    ClientProvider,
    DatabaseProvider,
    FilesProvider,
    GreenFileStore,
    SealProvider,
    SettingProvider,
)
from shared.framework.rpc import rpc
from shared.framework.service import Service
from shared.framework.timers import every
from shared.framework.workers import WorkerPool
from shared.language.clock import utc_now
from shared.language.events import (
    AccountActivated,
    DeclarationAcknowledged,
    DeclarationExpired,
    DeclarationRejected,
    DeclarationSubmitted,
    DeclarationWithdrawn,
    FirstPasswordRenewed,
    RegistrationRepeated,
    ReminderRequested,
)
from shared.settings import Settings
from shared.storage.database import Database
from shared.storage.seals import Seal

SENDERS = 8  # messages of one channel under way at once
POLL_SECONDS = 1.0  # between two looks for messages that wait for another attempt
FORGET_SECONDS = 600.0
BRING_FORWARD_SECONDS = 30.0
COUNT_SECONDS = 10.0

log = logs.log(__name__)


def message_budget(settings: Settings) -> MessageBudget:
    return MessageBudget(settings.message_budget)


class Notification(Service):
    """Tells people, by SMS and by mail."""

    name = "notification"

    database: Database = DatabaseProvider(models.metadata)
    files: GreenFileStore = FilesProvider()
    seal: Seal = SealProvider()
    sms: Carriers = ClientProvider(clients.sms_carriers)
    mail: Carriers = ClientProvider(clients.mail_carriers)
    workers: WorkerPool = WorkerPool(SENDERS)
    public_url: str = SettingProvider("public")
    sms_accents: bool = SettingProvider("sms_accents")
    carrier_timeout: float = SettingProvider("carrier_timeout")
    settle_after: float = SettingProvider("settle_after")
    budget: MessageBudget = ClientProvider(message_budget)
    delays: tuple[float, ...] = SettingProvider("delays")
    message_days: int = SettingProvider("message_days")

    @property
    def retry(self) -> RetryPolicy:
        return RetryPolicy(self.delays, self.settle_after, self.carrier_timeout)

    @property
    def sender(self) -> Sender:
        carriers = {Channel.SMS: self.sms, Channel.MAIL: self.mail}
        return Sender(
            self.database, self.seal, self.files, carriers, self.workers, self.retry, self.budget, self.sms_accents
        )

    # events of the other services

    @listen(DeclarationAcknowledged)
    def on_declaration_acknowledged(self, event: DeclarationAcknowledged) -> None:
        self.sender.tell(occasion.submitted(event, self.public_url))

    @listen(DeclarationSubmitted, is_retired=True)
    def on_declaration_submitted(self, event: DeclarationSubmitted) -> None:
        self.sender.tell(occasion.submitted(event, self.public_url))

    @listen(ReminderRequested)
    def on_reminder_requested(self, event: ReminderRequested) -> None:
        self.sender.tell(occasion.submitted(event, self.public_url))

    @listen(RegistrationRepeated)
    def on_registration_repeated(self, event: RegistrationRepeated) -> None:
        self.sender.tell(occasion.repeated(event))

    @listen(AccountActivated)
    def on_account_activated(self, event: AccountActivated) -> None:
        self._tell_password(occasion.activated(event))

    @listen(FirstPasswordRenewed)
    def on_first_password_renewed(self, event: FirstPasswordRenewed) -> None:
        self._tell_password(occasion.password_renewed(event))

    def _tell_password(self, told: occasion.Occasion) -> None:
        fallback = fallback_of(told)
        self.sender.tell(replace(told, fallback=self.seal.close(fallback.dump())) if fallback else told)

    @listen(DeclarationRejected)
    def on_declaration_rejected(self, event: DeclarationRejected) -> None:
        self.sender.tell(occasion.rejected(event))

    @listen(DeclarationExpired)
    def on_declaration_expired(self, event: DeclarationExpired) -> None:
        self.database.run(handlers.expire, event)
        self.sender.tell(occasion.expired(event))

    @listen(DeclarationWithdrawn)
    def on_declaration_withdrawn(self, event: DeclarationWithdrawn) -> None:
        self.database.run(handlers.withdraw, event)

    # calls

    @rpc
    def note_delivery(self, message_id: str, url: str, form: dict[str, str], signature: str) -> None:
        """Note what a carrier reports in a call-back; believed where the carrier that has the message signed it.

        Raises:
            NotFound: there is no such message.
            Forbidden: ``wrong_signature``.
        """
        self.sender.note_delivery(message_id, Callback(url, form, signature))

    @rpc
    def list_messages(self, declaration_id: str) -> list[dict[str, Any]]:
        """Return what was sent about a declaration, the oldest first."""
        return [MessageView.of(message) for message in self.database.query(models.messages_about, declaration_id)]

    # timers

    @every(POLL_SECONDS)
    def send_messages(self) -> None:
        """Have free workers send what is due, each channel with its own."""
        self.sender.wake()

    @every(COUNT_SECONDS)
    def count_messages(self) -> None:
        """Count the day's messages, of all instances, against the budget."""
        self.sender.count_messages()

    @every(FORGET_SECONDS)
    def forget_fallbacks(self) -> None:
        """Forget the addresses kept for a fallback where no carrier reported in time."""
        self.database.run(handlers.forget_fallbacks, at=utc_now())

    @every(FORGET_SECONDS)
    def forget_messages(self) -> None:
        """Delete messages, and notes of withdrawals, that are older than MESSAGE_DAYS."""
        before = self.database.earliest_now(utc_now()) - timedelta(days=self.message_days)
        while self.database.run(handlers.forget_messages, before=before):
            pass

    @every(BRING_FORWARD_SECONDS)
    def bring_forward(self) -> None:
        """Correct what a wrong clock did: no message waits for a moment that is too far away."""
        brought = self.database.run(handlers.bring_forward, longest=self.retry.longest_wait, at=utc_now())
        if brought:
            log.warning("messages_brought_forward", messages=brought)
