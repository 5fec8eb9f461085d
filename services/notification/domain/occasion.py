"""An occasion: a fact that a person is told about, and the words that follow from it."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from services.notification.domain import texts
from services.notification.domain.letter import Letter
from services.notification.domain.retry import ENDED_LIFETIME
from services.notification.domain.sms import composed
from services.notification.domain.texts import FRAMES, KINDS, PLACEHOLDER, TEXTS
from shared.language.clock import VIETNAM
from shared.language.events import (
    AccountActivated,
    DeclarationAcknowledged,
    DeclarationExpired,
    DeclarationRejected,
    DeclarationSubmitted,
    Event,
    FirstPasswordRenewed,
    RegistrationRepeated,
    ReminderRequested,
)
from shared.language.text import tidy
from shared.language.values import ANOTHER_APPROVED, Agency, Contact, Language

SUBMISSION = DeclarationSubmitted.name  # in the key of what was told of one, by whichever event it came
UNSOLICITED = {SUBMISSION, RegistrationRepeated.name}
LONG_NAME = re.compile("bảo hiểm xã hội", re.IGNORECASE)  # everybody knows the abbreviation, and an SMS is short


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """Who is told what. ``key`` is the same however often the event comes; ``values`` are what the texts need.

    Before an approval nobody has seen the applicant, and the phone or the mail address may be a stranger's: what
    somebody wrote, a name above all, does not come out as the agency's words. After it the name is the register's.
    """

    key: str
    text: str
    declaration_id: str
    number: str
    contact: Contact
    values: dict[str, str]
    until: datetime | None = None  # past it nobody is told: the person must be forgotten by then
    link: str | None = None
    sealed: str | None = field(default=None, repr=False)
    fallback: str | None = field(default=None, repr=False)
    form_key: str | None = None

    @property
    def language(self) -> Language:
        english = self.contact.language == Language.ENGLISH
        return Language.ENGLISH if english else Language.VIETNAMESE

    def sms(self, *, accents: bool) -> str:
        """Return the SMS, with `texts.PLACEHOLDER` where the sealed password goes."""
        text = TEXTS[self.language][self.text]
        values = {**self.values, "kind": self._kind(), "link": self.link or "", "password": PLACEHOLDER}
        values["agency"] = LONG_NAME.sub("BHXH", values["agency"])
        return composed(text.sms, text.advice, text.sms_end, values, shortens=text.shortens, accents=accents)

    def letter(self) -> Letter:
        """Return the mail; it contains no password."""
        text, frame = TEXTS[self.language][self.text], FRAMES[self.language]
        values = {name: tidy(value) for name, value in self.values.items()} | {"kind": self._kind()}
        facts = ((label, value.format_map(values)) for label, value in text.facts)
        attached = (text.attached,) if self.form_key and text.attached else ()
        return Letter(
            language=self.language,
            sender=frame.sender,
            subject=text.subject.format_map(values),
            title=text.title,
            greeting=(frame.greeting if "full_name" in values else frame.greeting_unnamed).format_map(values),
            lead=text.lead.format_map(values),
            facts=tuple((label, value) for label, value in facts if value),
            steps=tuple(step.format_map(values) for step in text.steps) + attached,
            link=(text.button, self.link) if self.link else None,
            warning=frame.warning,
            footer=frame.footer,
        )

    def _kind(self) -> str:
        kinds = {str(kind): words for kind, words in KINDS[self.language].items()}
        return kinds.get(self.values.get("kind", ""), FRAMES[self.language].declaration)


def is_about_pending(key: str) -> bool:
    """Say whether an occasion is one of a declaration that nobody has decided."""
    return key.partition(":")[0] in (SUBMISSION, ReminderRequested.name)


def is_about_ended(key: str) -> bool:
    """Say whether an occasion is the end of a declaration whose personal data are deleted with it."""
    return key.partition(":")[0] == DeclarationExpired.name


def has_first_password(key: str) -> bool:
    """Say whether the SMS of an occasion is the only place where its person can read a first password."""
    return key.partition(":")[0] in (AccountActivated.name, FirstPasswordRenewed.name)


def renewal_of(key: str) -> str:
    """Return which renewal of a first password an occasion is, empty for the very first password."""
    name, _, subject = key.partition(":")
    return subject if name == FirstPasswordRenewed.name else ""


def password_version(key: str) -> int:
    """Return the place of a first password among those of its account: a later one makes it worthless."""
    _, _, version = renewal_of(key).rpartition(".")
    return int(version) if version.isdecimal() else 0


def is_unsolicited(key: str) -> bool:
    """Say whether anybody can cause the messages of an occasion, without an account and without an officer."""
    return key.partition(":")[0] in UNSOLICITED


def submitted(event: DeclarationAcknowledged | DeclarationSubmitted | ReminderRequested, public_url: str) -> Occasion:
    """A declaration was submitted, or the code is needed again: what to show, where and by when, and the form."""
    return Occasion(
        key=_key(event) if isinstance(event, ReminderRequested) else f"{SUBMISSION}:{event.declaration_id}",
        text=texts.SUBMITTED,
        declaration_id=event.declaration_id,
        number=event.number,
        contact=event.contact,
        values={
            "number": event.number,
            "tracking_code": event.tracking_code,
            "kind": event.kind,
            "until": day(event.expires_at),
            **_agency(event.agency),
        },
        until=event.expires_at,
        link=form_link(public_url, event.number, event.tracking_code),
        form_key=None if isinstance(event, ReminderRequested) else event.form_key,
    )


def activated(event: AccountActivated) -> Occasion:
    """The account is open: its name, and in the SMS the first password."""
    return Occasion(
        key=_key(event, event.declaration_id),
        text=texts.ACTIVATED,
        declaration_id=event.declaration_id,
        number=event.number,
        contact=event.contact,
        values={
            "full_name": event.full_name,
            "number": event.number,
            "account": event.insurance_code,
            "until": moment(event.password_expires_at),
            **_agency(event.agency),
        },
        sealed=event.sealed_password,
    )


def password_renewed(event: FirstPasswordRenewed) -> Occasion:
    """An officer had a new first password made: in the SMS it stands, in the mail that it was sent."""
    return Occasion(
        key=_key(event),
        text=texts.PASSWORD_RENEWED,
        declaration_id=event.declaration_id,
        number=event.number,
        contact=event.contact,
        values={
            "number": event.number,
            "account": event.insurance_code,
            "until": moment(event.password_expires_at),
            **_agency(event.agency),
        },
        sealed=event.sealed_password,
    )


def rejected(event: DeclarationRejected) -> Occasion:
    """An officer rejected the declaration: the reason, and what to do."""
    return Occasion(
        key=_key(event),
        text=texts.ANOTHER_APPROVED if event.reason == ANOTHER_APPROVED else texts.REJECTED,
        declaration_id=event.declaration_id,
        number=event.number,
        contact=event.contact,
        values={
            "number": event.number,
            "reason": tidy(event.reason).rstrip("."),
            **_agency(event.agency),
        },
    )


def expired(event: DeclarationExpired) -> Occasion:
    """The declaration expired: that it was deleted, and how to declare again."""
    return Occasion(
        key=_key(event),
        text=texts.EXPIRED,
        declaration_id=event.declaration_id,
        number=event.number,
        contact=event.contact,
        values={"number": event.number, **_agency(event.agency)},
        until=event.at + ENDED_LIFETIME,
    )


def repeated(event: RegistrationRepeated) -> Occasion:
    """Somebody declared a registration for a person who has an account: the account's holder is told."""
    return Occasion(
        key=_key(event),
        text=texts.REPEATED_BY_HOLDER if event.same_phone else texts.REPEATED,
        declaration_id=event.declaration_id,
        number=event.number,
        contact=event.contact,
        values=_agency(event.agency),
    )


def form_link(public_url: str, number: str, tracking_code: str) -> str:
    """Return the address of the Form 01 of a declaration."""
    return f"{public_url}/api/v1/declarations/{quote(number)}/form.pdf?tracking_code={quote(tracking_code)}"


def day(at: datetime) -> str:
    """Return the day in Vietnam, as it is written there: 01/12/2026."""
    return at.astimezone(VIETNAM).strftime("%d/%m/%Y")


def moment(at: datetime) -> str:
    """Return day and hour in Vietnam: 09:30 01/12/2026."""
    return at.astimezone(VIETNAM).strftime("%H:%M %d/%m/%Y")


def _key(event: Event, subject: str | None = None) -> str:
    return f"{event.name}:{subject or event.subject}"


def _agency(agency: Agency) -> dict[str, str]:
    return {"agency": agency.name, "agency_address": agency.address or ""}
