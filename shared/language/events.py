"""The published language: every fact that one service announces to the others, in the order of the story.

An event is complete (nobody calls back), in the past tense, and named by its class; its wire name is
derived (`DeclarationSubmitted` → ``declaration_submitted``). Fields are never renamed, nor
removed while versions that need them run beside this one; a new one has a default; listeners ignore fields they do
not know. A consumer that needs less than the others hears an event of its own (decision 0022).
"""

import re
from dataclasses import dataclass, fields
from datetime import datetime
from typing import ClassVar

from shared.language.retention import ERASED_WITHIN, Retention
from shared.language.values import Address, Agency, Contact, DeclarationKind, IdDocument

EVENTS: dict[str, type["Event"]] = {}


@dataclass(frozen=True, kw_only=True)
class Event:
    """A fact. ``speaker`` is the service that announces it, ``name`` what it is called on the wire."""

    speaker: ClassVar[str]
    name: ClassVar[str]

    at: datetime

    def __init_subclass__(cls, *, by: str) -> None:
        cls.speaker = by
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        EVENTS[cls.name] = cls

    @property
    def subject(self) -> str:
        """The id of what the event is about: its first field."""
        return str(getattr(self, next(one.name for one in fields(self) if one.name != "at")))

    def kept_until(self, retention: Retention) -> datetime:
        """Return until when a copy of it may lie anywhere: as long as the declaration it is about keeps its data."""
        return self.at + retention.of(getattr(self, "kind", DeclarationKind.REGISTER))


@dataclass(frozen=True, kw_only=True)
class DeclarationSubmitted(Event, by="registration"):
    """Somebody declared, and the declaration was found well-formed."""

    declaration_id: str
    number: str
    tracking_code: str
    kind: str
    insurance_code: str
    full_name: str
    id_document: IdDocument
    address: Address
    contact: Contact
    agency: Agency
    photos: dict[str, str]
    expires_at: datetime
    form_key: str | None = None

    def kept_until(self, retention: Retention) -> datetime:
        return self.expires_at + ERASED_WITHIN


@dataclass(frozen=True, kw_only=True)
class DeclarationAcknowledged(Event, by="registration"):
    """The same declaration, for who tells the applicant: number and tracking code, where and by when to come."""

    declaration_id: str
    number: str
    tracking_code: str
    kind: str
    contact: Contact
    agency: Agency
    expires_at: datetime
    form_key: str | None = None

    def kept_until(self, retention: Retention) -> datetime:
        return self.expires_at + ERASED_WITHIN


@dataclass(frozen=True, kw_only=True)
class RegistrationRepeated(Event, by="registration"):
    """Somebody declared a registration under an insurance code that has an account, which ``contact`` reaches.

    Whoever declared is not told; ``same_phone`` says whether they declared with the account's own number.
    """

    declaration_id: str
    number: str
    account_id: str
    contact: Contact
    same_phone: bool
    agency: Agency


@dataclass(frozen=True, kw_only=True)
class ReminderRequested(Event, by="approval"):
    """An officer had number and tracking code sent again, because the applicant has them no more."""

    reminder_id: str
    declaration_id: str
    number: str
    tracking_code: str
    kind: str
    contact: Contact
    agency: Agency
    expires_at: datetime

    def kept_until(self, retention: Retention) -> datetime:
        return self.expires_at + ERASED_WITHIN


@dataclass(frozen=True, kw_only=True)
class DeclarationReceived(Event, by="approval"):
    """An officer received the declaration; it is assigned to them."""

    declaration_id: str
    number: str
    version: int


@dataclass(frozen=True, kw_only=True)
class DeclarationReturned(Event, by="approval"):
    """The officer returned the declaration to the queue."""

    declaration_id: str
    number: str
    version: int


@dataclass(frozen=True, kw_only=True)
class DeclarationApproved(Event, by="approval"):
    """An officer saw the person, and the household register knows the code and the name."""

    declaration_id: str
    number: str
    insurance_code: str
    full_name: str
    birth_date: str
    gender: str
    id_document: IdDocument
    address: Address
    contact: Contact
    agency: Agency
    kind: str = DeclarationKind.REGISTER  # older events were about registrations only


@dataclass(frozen=True, kw_only=True)
class PhotoReplaced(Event, by="approval"):
    """An officer replaced a picture of the declaration by a copy of an upload, which is used now."""

    declaration_id: str
    number: str
    purpose: str
    upload_id: str


@dataclass(frozen=True, kw_only=True)
class DeclarationRejected(Event, by="approval"):
    """An officer found the declaration not in order, and said why."""

    declaration_id: str
    number: str
    contact: Contact
    agency: Agency
    reason: str


@dataclass(frozen=True, kw_only=True)
class DeclarationWithdrawn(Event, by="registration"):
    """The applicant withdrew the declaration before it was decided; its personal data are deleted."""

    declaration_id: str
    number: str


@dataclass(frozen=True, kw_only=True)
class DeclarationExpired(Event, by="registration"):
    """Ten days passed without a decision; the declaration's personal data are deleted."""

    declaration_id: str
    number: str
    contact: Contact
    agency: Agency

    def kept_until(self, retention: Retention) -> datetime:
        return self.at + ERASED_WITHIN


@dataclass(frozen=True, kw_only=True)
class AccountActivated(Event, by="registration"):
    """The person has an account, and a first password that works once, until ``password_expires_at``.

    ``sealed_password`` is encrypted for notification alone (`shared.storage.seals`).
    """

    account_id: str
    declaration_id: str
    number: str
    insurance_code: str
    full_name: str
    contact: Contact
    agency: Agency
    sealed_password: str
    password_expires_at: datetime
    birth_date: str = ""  # announced by 0.1 only, for cards, which hears `CardRequested` since
    gender: str = ""


@dataclass(frozen=True, kw_only=True)
class FirstPasswordUndelivered(Event, by="notification"):
    """The SMS with a first password did not arrive, and will not; ``renewal_id`` is empty for the very first one."""

    message_id: str
    declaration_id: str
    number: str
    renewal_id: str = ""


@dataclass(frozen=True, kw_only=True)
class FirstPasswordRequested(Event, by="approval"):
    """An officer saw the holder of an account, who has no password that works: a new first one is to be made.

    ``version`` counts the requests of an account: an older one that arrives late changes nothing.
    """

    renewal_id: str
    version: int
    declaration_id: str
    number: str
    insurance_code: str
    agency: Agency


@dataclass(frozen=True, kw_only=True)
class FirstPasswordRenewed(Event, by="registration"):
    """The account has a new first password, sealed as that of `AccountActivated`."""

    renewal_id: str
    account_id: str
    declaration_id: str
    number: str
    insurance_code: str
    contact: Contact
    agency: Agency
    sealed_password: str
    password_expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class CardRequested(Event, by="registration"):
    """The account's holder is to have a card; what a card states, and nothing else."""

    account_id: str
    declaration_id: str
    insurance_code: str
    full_name: str
    birth_date: str
    gender: str
    agency: Agency


@dataclass(frozen=True, kw_only=True)
class CardIssued(Event, by="cards"):
    """The account's health-insurance card exists."""

    card_id: str
    account_id: str
    declaration_id: str
    insurance_code: str
    card_number: str
    serial: int
