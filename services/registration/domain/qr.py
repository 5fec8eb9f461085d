"""Reads the QR payloads of an identity card (CCCD) and of a health-insurance card (BHYT).

The layouts are those of docs/sources.md (§3). What a scan gives only fills in a form: it proves nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from shared.language.errors import FieldError, Invalid
from shared.language.text import tidy
from shared.language.values import Gender

LONGEST_PAYLOAD = 4096  # a QR code holds at most 2953 bytes; a pasted text may be anything
AROUND = "\0\ufeff \t\r\n"  # what scanners put around a payload
# what a scanner puts before it: an AIM symbology identifier, or the name of a format with a colon
PREFIX = re.compile(r"\](?:Q|E|C|d)[0-9]|(?:QR|QRCODE|TEXT):", re.IGNORECASE)
EMPTY = ("", "-")

ID_NUMBER = re.compile(r"[0-9]{12}")
OLD_ID_NUMBER = re.compile(r"[0-9]{9}|[0-9]{12}")  # some old cards had 12 digits (I20)
CARD_NUMBER = re.compile(r"[A-Z]{2}[1-5][0-9]{12}|[0-9]{10}")  # I7, I16
FACILITY = re.compile(r"[0-9]{2}[0-9A-Z]{3}")  # I29
YEAR = re.compile(r"[1-9][0-9]{3}")
SLASHED_DATE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([1-9][0-9]{3})")
SOLID_DATE = re.compile(r"([0-9]{1,2})([0-9]{2})([1-9][0-9]{3})")
GENDERS = {
    "nam": Gender.MALE,
    "1": Gender.MALE,
    "male": Gender.MALE,
    "m": Gender.MALE,
    "nữ": Gender.FEMALE,
    "nu": Gender.FEMALE,
    "2": Gender.FEMALE,
    "female": Gender.FEMALE,
    "f": Gender.FEMALE,
}

Fields = dict[str, str | None]
Layout = tuple[tuple[str, Callable[[str], str | None]], ...]  # in the order of the parts: name, reader


@dataclass(frozen=True)
class QrReading:
    """What a card's QR says.

    ``kind`` is cccd or bhyt. ``fields`` always holds every field of its kind, None where the card is
    silent; dates are YYYY-MM-DD, or YYYY where only the year is known; gender is male or female. ``unreadable``
    names the fields that the card fills in some way nobody reads: one of them costs no other.
    """

    kind: str
    fields: Fields
    unreadable: tuple[str, ...] = ()


def read_qr(payload: str) -> QrReading:
    """Return what the payload says; raises Invalid ``unreadable_qr`` for any other text."""
    try:
        return _reading(payload)
    except ValueError:
        # The cause would carry personal data into a traceback.
        raise Invalid("unreadable_qr", errors=[FieldError("payload", "unreadable_qr")]) from None


def _reading(payload: str) -> QrReading:
    if len(payload) > LONGEST_PAYLOAD:
        raise ValueError("longer than any QR code")
    parts = [part.strip(AROUND) for part in PREFIX.sub("", payload.strip(AROUND), count=1).split("|")]
    if ID_NUMBER.fullmatch(parts[0]):
        return _identity_card(parts)
    return _health_card(parts)


def _identity_card(parts: list[str]) -> QrReading:
    if not 6 <= len(parts) <= 11:
        raise ValueError("not the length of an identity card")
    if len(parts) == 6 and not _is_old_id_number(parts[1]):
        parts = [parts[0], "", *parts[1:]]  # one public description leaves the old number out
    return _read("cccd", parts[: len(IDENTITY_CARD)], IDENTITY_CARD)


def _is_old_id_number(part: str) -> bool:
    return part in EMPTY or OLD_ID_NUMBER.fullmatch(part) is not None


def _health_card(parts: list[str]) -> QrReading:
    if parts[-1] == "$":
        parts = parts[:-1]
    if not 6 <= len(parts) <= 20:
        raise ValueError("not the length of a health card")
    reading = _read("bhyt", parts[: len(HEALTH_CARD)], HEALTH_CARD)
    return replace(reading, fields={"insurance_code": str(reading.fields["card_number"])[-10:], **reading.fields})


def _read(kind: str, parts: list[str], layout: Layout) -> QrReading:
    """Read the parts in the order of the layout; who the card is of must be readable, the rest need not be."""
    padded = parts + [""] * (len(layout) - len(parts))
    fields: Fields = {}
    unreadable = []
    for (name, read), part in zip(layout, padded, strict=True):
        try:
            fields[name] = None if part in EMPTY else read(part) or None
        except ValueError:
            fields[name] = None
            unreadable.append(name)
    if not fields["full_name"] or not fields[layout[0][0]]:
        raise ValueError("nobody is named")
    return QrReading(kind, fields, tuple(unreadable))


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def read(part: str) -> str:
        if not pattern.fullmatch(part):
            raise ValueError("not of its form")
        return part

    return read


def _text(part: str) -> str:
    text = tidy(part)
    if not text.isprintable():
        raise ValueError("not text that a person wrote")
    return text


def _hex_text(part: str) -> str:
    return _text(bytes.fromhex(part).decode())


def _gender(part: str) -> str:
    gender = GENDERS.get(tidy(part).casefold())
    if gender is None:
        raise ValueError("not a gender")
    return gender.value


def _date(part: str) -> str:
    if YEAR.fullmatch(part):
        return part
    match = SLASHED_DATE.fullmatch(part) or SOLID_DATE.fullmatch(part)
    if match is None:
        raise ValueError("not a date")
    day, month, year = map(int, match.groups())
    return date(year, month, day).isoformat()


def _facility(part: str) -> str:
    return _matching(FACILITY)(re.sub(r"[\s-]", "", part))


IDENTITY_CARD: Layout = (
    ("id_number", _matching(ID_NUMBER)),
    ("old_id_number", _matching(OLD_ID_NUMBER)),
    ("full_name", _text),
    ("birth_date", _date),
    ("gender", _gender),
    ("address", _text),
    ("issued_on", _date),
)

HEALTH_CARD: Layout = (
    ("card_number", _matching(CARD_NUMBER)),
    ("full_name", _hex_text),
    ("birth_date", _date),
    ("gender", _gender),
    ("address", _hex_text),
    ("facility_code", _facility),
    ("valid_from", _date),
    ("valid_to", _date),
    ("issued_on", _date),
    ("management_code", _text),
    ("parent_name", _hex_text),
    ("living_area", _text),
    ("five_years_from", _date),
    ("check_text", _text),
    ("benefit_level", _text),
    ("issued_by", _hex_text),
)
