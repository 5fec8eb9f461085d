"""Passwords at rest: argon2id by argon2-cffi, with its recommended costs. Slow on purpose: call in a thread."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
# A password we draw has 49 bits of chance and 72 hours to live: what slows guessing of words people choose
# would only slow the opening of accounts.
_drawn = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
# somebody unknown costs as much time as somebody known with a wrong password
NOBODY = _hasher.hash("nobody")


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def hash_drawn_password(password: str) -> str:
    """Hash a password that we drew ourselves, at random."""
    return _drawn.hash(password)


def is_password(stored: str, given: str) -> bool:
    """Say whether ``given`` is the password behind the hash."""
    try:
        return _hasher.verify(stored, given)
    except (VerificationError, InvalidHashError):
        return False
