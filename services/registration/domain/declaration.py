"""A declaration: what it says, who may declare, and how it ends."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from services.registration.domain.kinds import WrongKind
from shared.language.clock import vietnam_day
from shared.language.errors import FieldError, Invalid, NotFound, Refused
from shared.language.events import (
    DeclarationAcknowledged,
    DeclarationApproved,
    DeclarationExpired,
    DeclarationReceived,
    DeclarationRejected,
    DeclarationReturned,
    DeclarationSubmitted,
    DeclarationWithdrawn,
    RegistrationRepeated,
)
from shared.language.values import (
    Address,
    Agency,
    Condition,
    Contact,
    IdDocument,
    Status,
    condition,
    is_tracking_code,
)

NUMBER = re.compile(r"[0-9]{4}-[0-9]{7,12}")
TRACKING_CHARACTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that are mistaken for another when read aloud
TRACKING_LENGTH = 10
# gaps in the statistical office's codes from 001 to 096
NO_PROVINCES = {3, 5, 7, 9, 13, 16, 18, 21, 23, 28, 29, 32, 39, 41, 43, 47, 50, 53, 55, 57, 59} | {
    *(61, 63, 65, 69, 71, 73, 76, 78, 81, 85, 88, 90)
}
PROVINCES_OF_BIRTH = frozenset(range(1, 97)) - NO_PROVINCES
COUNTRIES_OF_BIRTH = range(101, 400)  # people born abroad; the table of codes is not public (I19)
ID_NUMBERS = {
    "cccd": re.compile(r"[0-9]{12}"),
    "cmnd": re.compile(r"[0-9]{9}"),
    "passport": re.compile(r"[A-Z0-9]{6,12}"),  # I21: forms differ, the officer looks at the passport
}


@dataclass(frozen=True)
class Applicant:
    """The personal part of a declaration; it is deleted when the declaration expires or is withdrawn."""

    full_name: str
    id_document: IdDocument
    address: Address
    contact: Contact
    photos: dict[str, str]
    form_key: str | None = None


@dataclass
class Declaration:
    """A declaration from submission to its end. ``applicant`` is None once the personal data are deleted."""

    declaration_id: str
    number: str
    tracking_code: str
    kind: str
    agency: Agency
    insurance_code: str | None
    phone: str | None
    applicant: Applicant | None
    submitted_at: datetime
    expires_at: datetime
    status: str = Status.PENDING
    received_at: datetime | None = None
    handled_version: int = 0
    decided_at: datetime | None = None
    reason: str | None = None
    history: list[dict[str, str]] = field(default_factory=list)

    def submit(self) -> DeclarationSubmitted:
        """Note the submission, and return it as a fact."""
        assert self.applicant is not None and self.insurance_code is not None
        self.note("submitted", self.submitted_at)
        return DeclarationSubmitted(
            declaration_id=self.declaration_id,
            number=self.number,
            tracking_code=self.tracking_code,
            kind=self.kind,
            insurance_code=self.insurance_code,
            full_name=self.applicant.full_name,
            id_document=self.applicant.id_document,
            address=self.applicant.address,
            contact=self.applicant.contact,
            agency=self.agency,
            photos=self.applicant.photos,
            form_key=self.applicant.form_key,
            expires_at=self.expires_at,
            at=self.submitted_at,
        )

    def acknowledged_event(self) -> DeclarationAcknowledged:
        """Return the submission as a fact for who tells the applicant."""
        assert self.applicant is not None
        return DeclarationAcknowledged(
            declaration_id=self.declaration_id,
            number=self.number,
            tracking_code=self.tracking_code,
            kind=self.kind,
            contact=self.applicant.contact,
            agency=self.agency,
            form_key=self.applicant.form_key,
            expires_at=self.expires_at,
            at=self.submitted_at,
        )

    def repeats(self, account_id: str, contact: Contact) -> RegistrationRepeated:
        """Return the fact that the person it names has an account, which is reached by ``contact``."""
        return RegistrationRepeated(
            declaration_id=self.declaration_id,
            number=self.number,
            account_id=account_id,
            contact=contact,
            same_phone=contact.phone == self.phone,
            agency=self.agency,
            at=self.submitted_at,
        )

    def condition(self, now: datetime) -> Condition | None:
        return condition(self.received_at, now) if self.status == Status.PENDING else None

    def check_tracking_code(self, given: str) -> None:
        """Refuse a caller who does not know the tracking code, as if nothing were there."""
        if not is_tracking_code(given, self.number, self.tracking_code):
            raise NotFound

    def check_pending(self) -> None:
        """Raise Refused, ``already_decided``, unless the declaration is pending."""
        if self.status != Status.PENDING:
            raise Refused("already_decided", status=self.status)

    def receive(self, event: DeclarationReceived) -> None:
        if self._is_newer(event.version):
            self.received_at = event.at
            self.note("received", event.at)

    def return_to_queue(self, event: DeclarationReturned) -> None:
        if self._is_newer(event.version):
            self.received_at = None
            self.note("returned", event.at)

    def approve(self, event: DeclarationApproved) -> bool:
        """Note the approval; return False where it changes nothing.

        A withdrawal that came first stands. An approval that comes after the expiry stands too: officers decide only
        before ``expires_at``, so it was made in time (docs/decisions/0008).

        Raises:
            WrongKind: what was approved is not of this declaration's kind.
        """
        if event.kind != self.kind:
            raise WrongKind(event.kind)
        if self.status not in (Status.PENDING, Status.EXPIRED):
            return False
        self._decide(Status.APPROVED, event.at)
        return True

    def reject(self, event: DeclarationRejected) -> None:
        if self.status == Status.PENDING:
            self._decide(Status.REJECTED, event.at)
            self.reason = event.reason

    def withdraw(self, at: datetime) -> DeclarationWithdrawn:
        """Withdraw the declaration and forget whose it was.

        Raises:
            Refused: ``already_decided``.
        """
        self.check_pending()
        self._decide(Status.WITHDRAWN, at)
        self.forget()
        return DeclarationWithdrawn(declaration_id=self.declaration_id, number=self.number, at=at)

    def expire(self, at: datetime) -> DeclarationExpired:
        """End a declaration that nobody decided in time, and forget whose it was (S59)."""
        assert self.applicant is not None
        event = DeclarationExpired(
            declaration_id=self.declaration_id,
            number=self.number,
            contact=self.applicant.contact,
            agency=self.agency,
            at=at,
        )
        self._decide(Status.EXPIRED, at)
        self.forget()
        return event

    def forget(self) -> None:
        """Forget whose the declaration was, and why it was rejected, which an officer wrote about that person."""
        self.insurance_code = self.phone = self.applicant = self.reason = None

    def note(self, what: str, at: datetime) -> None:
        """Add to the history; the same at the same time is there once."""
        if not any(entry["what"] == what and entry["at"] == at.isoformat() for entry in self.history):
            self.history = [*self.history, {"at": at.isoformat(), "what": str(what)}]

    def _is_newer(self, version: int) -> bool:
        """Events of one declaration may overtake each other; only the newest counts."""
        newer = self.status == Status.PENDING and version > self.handled_version
        if newer:
            self.handled_version = version
        return newer

    def _decide(self, status: Status, at: datetime) -> None:
        self.status = status
        self.decided_at = at
        self.note(status, at)


def new_tracking_code() -> str:
    return "".join(secrets.choice(TRACKING_CHARACTERS) for _ in range(TRACKING_LENGTH))


def declaration_number(serial: int, at: datetime) -> str:
    """Return the number people quote: the year in Vietnam and a serial, such as 2026-0000123."""
    return f"{vietnam_day(at).year}-{serial:07d}"


def expiry(submitted_at: datetime, days: float) -> datetime:
    """Return when an undecided declaration is deleted: calendar days from its submission (S59)."""
    return submitted_at + timedelta(days=days)


def check_id_document(document: IdDocument, today: date) -> None:
    """Refuse a number that its document cannot bear (§2.4, §2.5).

    Raises:
        Invalid: naming ``id_document.number``.
    """
    if not ID_NUMBERS[document.type].fullmatch(document.number):
        raise _bad_number(f"not_a_{document.type}")
    if document.type == "cccd":
        _check_cccd(document.number, today)


def _check_cccd(number: str, today: date) -> None:
    """Province or country of birth, century and sex, year: the first six of twelve digits (§2.4)."""
    place, century, year = int(number[:3]), int(number[3]), int(number[4:6])
    if place not in PROVINCES_OF_BIRTH and place not in COUNTRIES_OF_BIRTH:
        raise _bad_number("cccd_unknown_province")
    if 1900 + century // 2 * 100 + year > today.year:
        raise _bad_number("cccd_birth_year_in_future")


def _bad_number(code: str) -> Invalid:
    return Invalid(errors=[FieldError("id_document.number", code)])
