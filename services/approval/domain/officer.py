"""An officer: who may sign in, and what happens to who guesses."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.language.errors import Locked, Unauthenticated

TRIES = 5  # wrong passwords before the account is locked (U10)
LOCKED_FOR = timedelta(minutes=15)
TRIES_LIFE = timedelta(days=1)  # wrong tries under a name are forgotten after so long without another
SESSION_LIFE = timedelta(hours=8)  # a working day


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
class Tries:
    """How often somebody tried in vain to sign in under a name, whether there is an officer of that name or not.

    Were only officers locked out, the lock would tell who is one.
    """

    username: str
    tried_at: datetime
    tries: int = 0
    locked_until: datetime | None = None

    def count(self, at: datetime) -> None:
        """Count a try before the password is looked at, so that guesses at the same instant count too.

        Raises:
            Locked: too many wrong tries; ``retry_after`` says how long.
        """
        if self.locked_until is not None and at < self.locked_until:
            raise Locked(retry_after=(self.locked_until - at).total_seconds())
        if self.locked_until is not None:
            self.tries, self.locked_until = 0, None
        self.tries += 1
        self.tried_at = at
        if self.tries >= TRIES:
            self.locked_until = at + LOCKED_FOR


@dataclass
class OfficerSession:
    """A signed-in officer; the token itself is known to its holder alone."""

    token_hash: str
    username: str
    expires_at: datetime

    def check_running(self, at: datetime) -> None:
        if at >= self.expires_at:
            raise Unauthenticated


def new_token() -> str:
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(username: str, token: str, at: datetime) -> OfficerSession:
    return OfficerSession(token_hash=token_hash(token), username=username, expires_at=at + SESSION_LIFE)
