"""An officer: who may sign in, and when wrong passwords lock a name."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.language.errors import Locked, Unauthenticated

MAX_ATTEMPTS = 5  # wrong passwords before the name is locked (U10)
LOCK_LIFETIME = timedelta(minutes=15)
ATTEMPTS_LIFETIME = timedelta(days=1)  # failed attempts under a name are forgotten after so long without another
SESSION_LIFETIME = timedelta(hours=8)  # a working day


class Role(StrEnum):
    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


@dataclass
class Officer:
    """Somebody who reviews the declarations of one agency."""

    username: str
    agency_code: str
    role: str
    password_hash: str


@dataclass
class SignInAttempts:
    """Failed attempts to sign in under a name, whether there is an officer of that name or not.

    If only officers were locked out, the lock would reveal who is one.
    """

    username: str
    last_at: datetime
    attempts: int = 0
    locked_until: datetime | None = None

    def count(self, at: datetime) -> None:
        """Count an attempt before its password is compared, so that guesses at the same instant count too.

        Raises:
            Locked: too many failed attempts; ``retry_after`` says how long.
        """
        if self.locked_until is not None and at < self.locked_until:
            raise Locked(retry_after=(self.locked_until - at).total_seconds())
        if self.locked_until is not None:
            self.attempts, self.locked_until = 0, None
        self.attempts += 1
        self.last_at = at
        if self.attempts >= MAX_ATTEMPTS:
            self.locked_until = at + LOCK_LIFETIME


@dataclass
class OfficerSession:
    """A signed-in officer; only its holder knows the token itself."""

    token_hash: str
    username: str
    expires_at: datetime

    def check_running(self, at: datetime) -> None:
        """Raise Unauthenticated where the session is over."""
        if at >= self.expires_at:
            raise Unauthenticated


def new_token() -> str:
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(username: str, token: str, at: datetime) -> OfficerSession:
    return OfficerSession(token_hash=token_hash(token), username=username, expires_at=at + SESSION_LIFETIME)
