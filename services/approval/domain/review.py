"""A review: a declaration as the officers of one agency see it, and what they may do with it."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.approval.domain.register import Person
from shared.language.errors import FieldError, Invalid, Locked, NotFound, Refused
from shared.language.events import (
    DeclarationApproved,
    DeclarationReceived,
    DeclarationRejected,
    DeclarationReturned,
    DeclarationSubmitted,
    FirstPasswordRequested,
    FirstPasswordUndelivered,
    PhotoReplaced,
    ReminderRequested,
)
from shared.language.limits import Limit
from shared.language.text import same_name, search_key
from shared.language.values import (
    ANOTHER_APPROVED,
    Address,
    Agency,
    Condition,
    Contact,
    DeclarationKind,
    IdDocument,
    Status,
    condition,
    is_tracking_code,
)

OWN_FOLDER = "reviews/"
UNNAMED_LIFETIME = timedelta(hours=24)  # of a file in it that no review names
WRONG_CODES = Limit("wrong_code", 5, timedelta(hours=1), Locked)  # tracking codes tried for one declaration
SPELLING_CONFIRMED = "spelling_confirmed"  # in the history: the officer saw that the register spells the name otherwise
PASSWORD_REQUESTED, PASSWORD_UNDELIVERED = "password_requested", "password_undelivered"  # in the history
FIRST_PASSWORDS = Limit("first_password", 3, timedelta(days=1))  # of one account
OFFICERS_PASSWORDS = Limit("officers_first_passwords", 100, timedelta(days=1))  # requested by one officer
REMINDERS = Limit("reminder", 3, timedelta(days=1))


@dataclass(frozen=True)
class Dossier:
    """The personal part of a review; deleted when the declaration expires or is withdrawn."""

    id_document: IdDocument
    address: Address
    contact: Contact
    photos: dict[str, str]
    tracking_code: str = ""  # sent to the declared phone: who knows it is the person who declared


@dataclass(frozen=True)
class Standing:
    """What else is known of a review's insurance code: whether it has an account, and how many others are pending."""

    account_exists: bool = False
    others_pending: int = 0


@dataclass
class Review:
    """One declaration in the queue of its agency. ``version`` counts the times it was received, returned or decided."""

    declaration_id: str
    number: str
    kind: str
    agency_code: str
    agency: Agency
    insurance_code: str | None
    full_name: str | None
    name_key: str | None
    dossier: Dossier | None
    submitted_at: datetime
    expires_at: datetime
    status: str = Status.PENDING
    assigned_to: str | None = None
    received_at: datetime | None = None
    version: int = 0
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None
    history: list[dict[str, str]] = field(default_factory=list)
    password_undelivered_at: datetime | None = None

    @property
    def password_undelivered(self) -> bool:
        """Whether the SMS with the first password did not arrive, and no officer has done anything about it."""
        return self.password_undelivered_at is not None

    def condition(self, now: datetime) -> Condition | None:
        return condition(self.received_at, now) if self.status == Status.PENDING else None

    def check_agency(self, agency_code: str) -> None:
        """Show a review to officers of its own agency only, as if it were not there for others."""
        if self.agency_code != agency_code:
            raise NotFound

    def photo(self, purpose: str) -> str:
        """Return the key of a picture.

        Raises:
            NotFound: ``no_such_photo``.
        """
        if self.dossier is None or purpose not in self.dossier.photos:
            raise NotFound("no_such_photo")
        return self.dossier.photos[purpose]

    def receive(self, officer: str, *, at: datetime) -> DeclarationReceived | None:
        """Assign the review to an officer; receiving it twice changes nothing.

        Raises:
            Refused: ``already_decided``, ``assigned_to_another``.
        """
        self._check_open(officer, at)
        if self.assigned_to == officer:
            return None
        self.assigned_to, self.received_at = officer, at
        self.version += 1
        self._note("received", officer, at)
        return DeclarationReceived(declaration_id=self.declaration_id, number=self.number, version=self.version, at=at)

    def return_to_queue(
        self, officer: str, *, at: datetime, may_return_of_another: bool = False
    ) -> DeclarationReturned | None:
        """End the assignment; a review that is assigned to nobody does not change.

        Raises:
            Refused: ``already_decided``, ``assigned_to_another``.
        """
        self._check_pending(at)
        if self.assigned_to is None:
            return None
        is_own = self.assigned_to == officer
        if not is_own and not may_return_of_another:
            raise Refused("assigned_to_another")
        self.assigned_to = self.received_at = None
        self.version += 1
        self._note("returned" if is_own else "returned_by_another", officer, at)
        return DeclarationReturned(declaration_id=self.declaration_id, number=self.number, version=self.version, at=at)

    def replace_photo(self, purpose: str, key: str, upload_id: str, officer: str, *, at: datetime) -> PhotoReplaced:
        """Replace a declared picture by the one under ``key``, a copy of the upload (S68).

        Raises:
            NotFound: ``no_such_photo``.
            Refused: ``already_decided``, ``assigned_to_another``.
        """
        self._check_open(officer, at)
        assert self.dossier is not None
        if purpose not in self.dossier.photos:
            raise NotFound("no_such_photo")
        self.dossier = replace(self.dossier, photos={**self.dossier.photos, purpose: key})
        self._note(f"photo_replaced:{purpose}", officer, at)
        return PhotoReplaced(
            declaration_id=self.declaration_id, number=self.number, purpose=purpose, upload_id=upload_id, at=at
        )

    @property
    def opens_account(self) -> bool:
        """Whether the declaration is by somebody without an account, who has proven nothing yet."""
        return self.kind == DeclarationKind.REGISTER

    def check_approvable(
        self, officer: str, *, identity_checked: bool, tracking_code: str | None, confirmed: bool, at: datetime
    ) -> None:
        """Refuse an approval that the rules do not allow, before the tracking code is compared.

        Raises:
            Invalid: the tracking code is missing.
            Refused: ``already_decided``, ``assigned_to_another``, ``identity_not_checked``,
                ``confirmation_required``.
        """
        self._check_open(officer, at)
        if not identity_checked:
            raise Refused("identity_not_checked", errors=[FieldError("identity_checked", "must_be_accepted")])
        if self.kind == DeclarationKind.ADJUST and not confirmed:
            raise Refused("confirmation_required", errors=[FieldError("confirm", "must_be_accepted")])
        if self.opens_account and not tracking_code:
            raise Invalid(errors=[FieldError("tracking_code", "required")])

    def is_proven_by(self, tracking_code: str | None) -> bool:
        """Say whether the applicant holds the phone that declared; an account's holder proved it by OTP."""
        if not self.opens_account:
            return True
        assert self.dossier is not None
        return is_tracking_code(tracking_code or "", self.number, self.dossier.tracking_code)

    def remind(self, officer: str, *, reminder_id: str, at: datetime) -> ReminderRequested:
        """Have number and tracking code sent to the declared phone once more.

        Raises:
            Refused: ``already_decided``.
        """
        self._check_pending(at)
        assert self.dossier is not None
        self._note("reminded", officer, at)
        return ReminderRequested(
            reminder_id=reminder_id,
            declaration_id=self.declaration_id,
            number=self.number,
            tracking_code=self.dossier.tracking_code,
            kind=self.kind,
            contact=self.dossier.contact,
            agency=self.agency,
            expires_at=self.expires_at,
            at=at,
        )

    def request_first_password(self, officer: str, insurance_code: str, *, at: datetime) -> FirstPasswordRequested:
        """Have a new first password made for the account that the declaration opened."""
        self.password_undelivered_at = None
        self._note(PASSWORD_REQUESTED, officer, at)
        return FirstPasswordRequested(
            renewal_id=self._renewal_id,
            version=self._renewals,
            declaration_id=self.declaration_id,
            number=self.number,
            insurance_code=insurance_code,
            agency=self.agency,
            at=at,
        )

    def note_undelivered(self, event: FirstPasswordUndelivered) -> None:
        """Note that the first password did not arrive; nothing changes where another was requested since."""
        is_known = self.dossier is not None and not self.password_undelivered
        if is_known and event.renewal_id == self._renewal_id:
            self.password_undelivered_at = event.at
            self._note(PASSWORD_UNDELIVERED, "", event.at)

    @property
    def _renewals(self) -> int:
        return sum(step["what"] == PASSWORD_REQUESTED for step in self.history)

    @property
    def _renewal_id(self) -> str:
        """The id of the newest request for a first password; empty where there was none."""
        return f"{self.declaration_id}.{self._renewals}" if self._renewals else ""

    def approve(self, officer: str, person: Person, *, at: datetime) -> DeclarationApproved:
        """Decide that the declaration is in order; the register's name, date of birth and sex go with it.

        Raises:
            Refused: ``already_decided``, ``assigned_to_another``.
        """
        self._check_open(officer, at)
        assert self.dossier is not None and self.insurance_code is not None and self.full_name is not None
        if not same_name(person.full_name, self.full_name):
            self._note(SPELLING_CONFIRMED, officer, at)
        self._decide(Status.APPROVED, officer, None, at)
        return DeclarationApproved(
            declaration_id=self.declaration_id,
            number=self.number,
            insurance_code=self.insurance_code,
            full_name=person.full_name,
            birth_date=person.birth_date,
            gender=person.gender,
            id_document=self.dossier.id_document,
            address=self.dossier.address,
            contact=self.dossier.contact,
            agency=self.agency,
            kind=self.kind,
            at=at,
        )

    @property
    def confirmed(self) -> str:
        """Say what the officer confirmed beyond the rule, if anything: `SPELLING_CONFIRMED` or nothing."""
        return SPELLING_CONFIRMED if any(step["what"] == SPELLING_CONFIRMED for step in self.history) else ""

    def reject(self, officer: str, reason: str, *, at: datetime) -> DeclarationRejected:
        """Decide that the declaration is not in order, and say why (S75).

        Raises:
            Refused: ``already_decided``, ``assigned_to_another``, ``reason_required``.
        """
        reason = reason.strip()
        if not reason:
            raise Refused("reason_required", errors=[FieldError("reason", "required")])
        self._check_open(officer, at)
        return self._reject(officer, reason, at)

    def give_way(self, at: datetime) -> DeclarationRejected:
        """End the review because another declaration of the same insurance code was approved."""
        return self._reject("", ANOTHER_APPROVED, at)

    def _reject(self, officer: str, reason: str, at: datetime) -> DeclarationRejected:
        assert self.dossier is not None
        self._decide(Status.REJECTED, officer, reason, at)
        return DeclarationRejected(
            declaration_id=self.declaration_id,
            number=self.number,
            contact=self.dossier.contact,
            agency=self.agency,
            reason=reason,
            at=at,
        )

    def is_closed_by(self, status: Status) -> bool:
        """Say whether a review is closed because its declaration ended so.

        A withdrawal that crossed a decision on its way stands, because registration had it first. An approval that
        crossed the expiry stands too: it was made in time, and registration opens the account (docs/decisions/0008).
        """
        return not (status == Status.EXPIRED and self.status == Status.APPROVED)

    def close(self, status: Status, at: datetime) -> None:
        """End the review because its declaration ended, and forget whose it was; closing it again changes nothing."""
        if self.dossier is None or not self.is_closed_by(status):
            return
        self.status, self.decided_at = status, at
        self.forget()
        self._note(status, "", at)

    def forget(self) -> None:
        """Forget whose a decided declaration was, once it need not be known any more."""
        self.insurance_code = self.full_name = self.name_key = self.dossier = self.reason = None
        self.password_undelivered_at = None

    def has_expired(self, at: datetime) -> bool:
        return at >= self.expires_at

    def _check_pending(self, at: datetime) -> None:
        if self.status != Status.PENDING or self.has_expired(at):
            raise Refused("already_decided", status=self.status)

    def _check_open(self, officer: str, at: datetime) -> None:
        self._check_pending(at)
        if self.assigned_to not in (None, officer):
            raise Refused("assigned_to_another")

    def _decide(self, status: Status, officer: str, reason: str | None, at: datetime) -> None:
        self.status, self.decided_at, self.decided_by, self.reason = status, at, officer, reason
        self.assigned_to = officer or self.assigned_to
        self.version += 1
        self._note(status, officer, at)

    def _note(self, what: str, officer: str, at: datetime) -> None:
        self.history = [*self.history, {"at": at.isoformat(), "what": str(what), "officer": officer}]


def own_picture_key(declaration_id: str, picture_id: str, suffix: str) -> str:
    """Return where a picture that an officer brought to a review lies in the store of files."""
    return f"{OWN_FOLDER}{declaration_id}/{picture_id}{suffix}"


def is_own_picture(key: str) -> bool:
    """Say whether an officer brought the picture; the others are registration's."""
    return key.startswith(OWN_FOLDER)


def reviewed_id(key: str) -> str | None:
    """Return the id of the declaration that an officer's picture belongs to; None where an older key does not say."""
    declaration_id, has_folder, _ = key.removeprefix(OWN_FOLDER).partition("/")
    return declaration_id if has_folder else None


def ended_review(declaration_id: str, number: str, status: Status, at: datetime) -> Review:
    """Return the review of a declaration that ended before it arrived: nobody sees it, and it cannot be opened."""
    nowhere = Agency(code="", name="")
    return Review(
        declaration_id=declaration_id,
        number=number,
        kind=DeclarationKind.REGISTER,
        agency_code=nowhere.code,
        agency=nowhere,
        insurance_code=None,
        full_name=None,
        name_key=None,
        dossier=None,
        submitted_at=at,
        expires_at=at,
        status=status,
        decided_at=at,
        history=[{"at": at.isoformat(), "what": str(status), "officer": ""}],
    )


def open_review(event: DeclarationSubmitted) -> Review:
    """Return the review that a declaration opens."""
    return Review(
        declaration_id=event.declaration_id,
        number=event.number,
        kind=event.kind,
        agency_code=event.agency.code,
        agency=event.agency,
        insurance_code=event.insurance_code,
        full_name=event.full_name,
        name_key=search_key(event.full_name),
        dossier=Dossier(event.id_document, event.address, event.contact, event.photos, event.tracking_code),
        submitted_at=event.at,
        expires_at=event.expires_at,
        history=[{"at": event.at.isoformat(), "what": "submitted", "officer": ""}],
    )
