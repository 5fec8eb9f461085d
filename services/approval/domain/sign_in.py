"""Signing in, and failed attempts at it: five lock a name at one address, and many addresses slow each other down.

They are counted whether there is an officer of that name or not: if only officers were locked out, the lock would
reveal who is one. An address from which the officer has signed in before is judged by itself alone (decision 0017).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.language.errors import Locked

MAX_ATTEMPTS = 5  # wrong passwords of a name from one address before the two are locked (U10)
LOCK_LIFETIME = timedelta(minutes=15)
MAX_NAME_ATTEMPTS = 20  # under a name from addresses that its officer never signed in from, before they have to wait
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
ATTEMPTS_LIFETIME = timedelta(days=1)  # failed attempts are forgotten after so long without another
ADDRESS_LIFETIME = timedelta(days=90)  # so is an address from which an officer signed in


@dataclass
class AddressAttempts:
    """Failed attempts under a name from one address.

    ``locked_until`` stays when the lock is over: the address was locked before.
    """

    username: str
    address: str
    last_at: datetime
    attempts: int = 0
    locked_until: datetime | None = None

    @property
    def was_locked(self) -> bool:
        return self.locked_until is not None

    def count(self, at: datetime) -> None:
        """Count an attempt before its password is compared, so that guesses at the same instant count too.

        Raises:
            Locked: too many failed attempts; ``retry_after`` says how long.
        """
        check_lock(self.locked_until, at)
        if self.attempts >= MAX_ATTEMPTS:
            self.attempts = 0
        self.attempts += 1
        self.last_at = at
        if self.attempts >= MAX_ATTEMPTS:
            self.locked_until = at + LOCK_LIFETIME

    def take_back(self) -> None:
        """Count one attempt less: its password was right, and only the second factor is missing."""
        self.attempts = max(0, self.attempts - 1)
        if self.attempts < MAX_ATTEMPTS:
            self.locked_until = None


@dataclass
class SignInAttempts:
    """Failed attempts under a name from all addresses that its officer never signed in from."""

    username: str
    last_at: datetime
    attempts: int = 0
    locked_until: datetime | None = None

    def count(self, here: AddressAttempts, at: datetime) -> None:
        """Count an attempt; past the most allowed each has to wait longer than the one before.

        Of one address only those before its first lock count, so that one stranger alone delays nobody else.

        Raises:
            Locked: as `AddressAttempts.count` does.
        """
        check_lock(self.locked_until, at)
        if here.was_locked and self.attempts < MAX_NAME_ATTEMPTS:
            return
        self.attempts += 1
        self.last_at = at
        over = self.attempts - MAX_NAME_ATTEMPTS
        if over >= 0:
            self.locked_until = at + min(FIRST_WAIT * 2 ** min(over, 10), LONGEST_WAIT)

    def take_back(self, here: AddressAttempts) -> None:
        """Count the attempts from an address no longer: it was the officer."""
        self.attempts = max(0, self.attempts - here.attempts)
        if self.attempts < MAX_NAME_ATTEMPTS:
            self.locked_until = None


class Proof(NamedTuple):
    """What a sign-in was proven by: the hash to keep, and of who has an authenticator its secret and code."""

    password_hash: str
    secret: str | None = None
    otp: str | None = None


def check_lock(locked_until: datetime | None, at: datetime) -> None:
    """Raise Locked while a lock lasts."""
    if locked_until is not None and at < locked_until:
        raise Locked(retry_after=(locked_until - at).total_seconds())
