"""The household register (HGĐ): who has which insurance code (S14, S72-S74)."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shared.language.errors import Refused
from shared.language.text import same_text


@dataclass(frozen=True)
class Person:
    """A person as the register knows them; ``birth_date`` is YYYY-MM-DD, or YYYY where only the year is known."""

    insurance_code: str
    full_name: str
    birth_date: str
    gender: str
    id_number: str | None = None


def is_birth_date(text: str) -> bool:
    """Say whether this is a date of birth as the register writes it."""
    if len(text) == 4:
        return text.isascii() and text.isdecimal()
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


class Match(StrEnum):
    """What the register says of a code and a name."""

    MATCHES = "matches"
    CODE_NOT_REGISTERED = "code_not_registered"
    NAME_MISMATCH = "name_mismatch"
    UNAVAILABLE = "register_unavailable"


def compare(person: Person | None, full_name: str) -> Match:
    """Compare a name with the register's: case, spaces and Unicode form do not count, accents do."""
    if person is None:
        return Match.CODE_NOT_REGISTERED
    return Match.MATCHES if same_text(person.full_name, full_name) else Match.NAME_MISMATCH


def check_person(person: Person | None, full_name: str) -> Person:
    """Return the person, if the register has this name under the code.

    Raises:
        Refused: ``code_not_registered`` or ``name_mismatch``.
    """
    match = compare(person, full_name)
    if person is None or match is not Match.MATCHES:
        raise Refused(match)
    return person
