"""The household register (HGĐ): who has which insurance code (S14, S72-S74)."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shared.language.errors import FieldError, Refused
from shared.language.text import same_but_for_accents, same_name

EARLIEST_BIRTH = "1900"  # older ones are a spreadsheet's zero, or a slip


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


def was_born_by(birth_date: str, today: date) -> bool:
    """Say whether somebody with this date of birth, a day or a year, can live and is born already."""
    return EARLIEST_BIRTH <= birth_date <= today.isoformat()


class Match(StrEnum):
    """What the register says of a code, a name and an ID number."""

    MATCHES = "matches"
    CODE_NOT_REGISTERED = "code_not_registered"
    NAME_MISMATCH = "name_mismatch"
    SPELLING_DIFFERS = "name_spelling_differs"
    ID_MISMATCH = "id_mismatch"
    UNAVAILABLE = "register_unavailable"


def compare(person: Person | None, full_name: str, id_number: str) -> Match:
    """Compare what was declared with the register.

    Of names, case, spaces, Unicode form and the place of the tone do not count, accents do. ID numbers are compared
    where both are of the same length: a CCCD says nothing of the CMND or the passport that the register may still have.
    """
    if person is None:
        return Match.CODE_NOT_REGISTERED
    if not same_but_for_accents(person.full_name, full_name):
        return Match.NAME_MISMATCH
    known = (person.id_number or "").strip().upper()
    if len(known) == len(id_number) and known != id_number:
        return Match.ID_MISMATCH
    return Match.MATCHES if same_name(person.full_name, full_name) else Match.SPELLING_DIFFERS


def check_person(person: Person | None, full_name: str, id_number: str, *, confirmed: bool) -> Person:
    """Return the person, if the register has this name and no other ID number under the code.

    A name that differs in its accents only is accepted of an officer who ``confirmed`` that: papers, and the register
    itself, are not always spelled right.

    Raises:
        Refused: ``code_not_registered``, ``name_mismatch``, ``id_mismatch`` or ``name_spelling_differs``.
    """
    match = compare(person, full_name, id_number)
    if match is Match.SPELLING_DIFFERS and not confirmed:
        raise Refused(match, errors=[FieldError("confirm", "must_be_accepted")])
    if person is None or match not in (Match.MATCHES, Match.SPELLING_DIFFERS):
        raise Refused(match)
    return person
