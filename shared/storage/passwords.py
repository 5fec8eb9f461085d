"""Passwords at rest: argon2id by argon2-cffi, with its recommended costs. Slow on purpose: call in a thread."""

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
# A password we draw has 49 bits of chance and 72 hours to live: what slows guessing of words people choose
# would only slow the opening of accounts.
_drawn = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
# somebody unknown costs as much time as somebody known with a wrong password
NOBODY = _hasher.hash("nobody")


def normal_form(password: str) -> str:
    """Return the form of a password that is hashed: two keyboards may write the same characters differently."""
    return unicodedata.normalize("NFKC", password).strip()


def hash_password(password: str) -> str:
    return _hasher.hash(normal_form(password))


def hash_drawn_password(password: str) -> str:
    """Hash a password that we drew ourselves, at random."""
    return _drawn.hash(password)


def matching_form(stored: str, given: str) -> str | None:
    """Return the form of ``given`` that the hash was made of, or None where it is another password's.

    Up to 0.2 officers' passwords were hashed as they came, and compared in NFC without spaces around.
    """
    forms = (normal_form(given), unicodedata.normalize("NFC", given.strip()), given)
    return next((form for form in dict.fromkeys(forms) if _is_hash_of(stored, form)), None)


def is_password(stored: str, given: str) -> bool:
    """Say whether ``given`` is the password behind the hash."""
    return matching_form(stored, given) is not None


def _is_hash_of(stored: str, form: str) -> bool:
    try:
        return _hasher.verify(stored, form)
    except (VerificationError, InvalidHashError):
        return False
