"""Values that all services speak of, and how they are written. docs/words.md explains each name."""

import hmac
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# the maintained port of the numbering-plan library, so that no list of prefixes grows old here
import phonenumbers

from shared.language.clock import HANDLING_DAYS, working_days_before

INSURANCE_CODE = re.compile(r"[0-9]{10}")  # I1: ten digits, no published check digit (I3)
WRITTEN_NUMBER = re.compile(r"\+?[0-9 ().-]+")  # phonenumbers would also read letters, as on old keypads
SEPARATORS = re.compile(r"[\s-]")  # people write codes in groups
AGENCY_CODE = re.compile(r"[0-9]{3}|[0-9]{5}")
ANOTHER_APPROVED = "another_declaration_approved"  # the reason of a rejection that no officer wrote
LARGEST_PICTURE = 8 * 1024 * 1024  # bytes


class DeclarationKind(StrEnum):
    """Why somebody declares (S30)."""

    REGISTER = "register"
    CHILD = "child"
    ADJUST = "adjust"
    STOP = "stop"


class Status(StrEnum):
    """Trạng thái: where a declaration stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Condition(StrEnum):
    """Tình trạng: who is to move next on a pending declaration."""

    AWAITING_VISIT = "awaiting_visit"
    RECEIVED = "received"
    OVERDUE = "overdue"


class Purpose(StrEnum):
    """What a picture shows."""

    PORTRAIT = "portrait"
    ID_FRONT = "id_front"
    ID_BACK = "id_back"
    BIRTH_CERTIFICATE = "birth_certificate"


class Gender(StrEnum):
    MALE = "male"
    FEMALE = "female"


class Language(StrEnum):
    VIETNAMESE = "vi"
    ENGLISH = "en"


PICTURE_SUFFIXES = (".jpg", ".png", ".webp")  # of the formats in which registration keeps pictures


@dataclass(frozen=True)
class IdDocument:
    """A paper that says who somebody is: ``type`` is cccd, cmnd or passport."""

    type: str
    number: str


@dataclass(frozen=True)
class Address:
    """A contact address. Wards stand since July 2025; a district is free text from an old paper (A2)."""

    province_code: str
    province_name: str
    street: str
    ward_code: str | None = None
    ward_name: str | None = None
    district: str | None = None


@dataclass(frozen=True)
class Agency:
    """A social-insurance agency, as told to people."""

    code: str
    name: str
    address: str | None = None


@dataclass(frozen=True)
class Contact:
    """How a person is reached: ``phone`` in E.164, ``language`` vi or en."""

    phone: str
    email: str | None = None
    language: str = Language.VIETNAMESE


def mobile_number(text: str) -> str | None:
    """Return a Vietnamese mobile number in E.164, or None where it is not one (I23)."""
    if not WRITTEN_NUMBER.fullmatch(text):
        return None
    try:
        number = phonenumbers.parse(text, "VN")
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number_for_region(number, "VN"):
        return None
    if phonenumbers.number_type(number) != phonenumbers.PhoneNumberType.MOBILE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_tracking_code(given: str, number: str, tracking_code: str) -> bool:
    """Say whether somebody knows the tracking code of a declaration.

    Upper or lower case, with or without spaces and hyphens; and as the QR of the form has it, after the number.
    """
    plain = SEPARATORS.sub("", given).upper().removeprefix(SEPARATORS.sub("", number))
    return bool(tracking_code) and hmac.compare_digest(plain.encode(), tracking_code.encode())


def masked_phone(phone: str) -> str:
    """Return the number with its middle hidden: +84•••••123."""
    return f"{phone[:3]}•••••{phone[-3:]}"


def condition(received_at: datetime | None, now: datetime) -> Condition:
    """Say who is to move next: the applicant, an officer, or an officer who is late."""
    if received_at is None:
        return Condition.AWAITING_VISIT
    if received_at < working_days_before(now, HANDLING_DAYS):
        return Condition.OVERDUE
    return Condition.RECEIVED


def upload_key(purpose: str, upload_id: str, suffix: str) -> str:
    """Return where an upload lies in the store of files: approval finds it there by its id and purpose."""
    return f"uploads/{purpose}/{upload_id}{suffix}"


def new_id() -> str:
    return str(uuid.uuid4())
