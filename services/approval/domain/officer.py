"""An officer: who may sign in, who may do what, and when a session ends."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pyotp import TOTP, random_base32

from shared.language.errors import Forbidden, Unauthenticated

SESSION_LIFETIME = timedelta(hours=8)  # a working day
IDLE_LIFETIME = timedelta(minutes=30)
USE_PRECISION = timedelta(minutes=1)  # the last use of a session is written down once in so long, not at each request
SESSION_ID_LENGTH = 16  # characters: enough to tell sessions apart
OTP_SECONDS = 30
OTP_DRIFT = 1  # steps that the clock of an authenticator may be ahead or behind


class Role(StrEnum):
    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Permission(StrEnum):
    """What an officer may be allowed to do, at the own agency only."""

    OWN_SESSIONS = "own_sessions"  # to see and end them, and to sign out
    READ_QUEUE = "read_queue"
    READ_DOSSIER = "read_dossier"
    RECEIVE = "receive"
    RETURN = "return"
    RETURN_OF_ANOTHER = "return_of_another"
    REPLACE_PHOTO = "replace_photo"
    REMIND = "remind"
    DECIDE = "decide"
    READ_OFFICERS = "read_officers"
    END_SESSIONS = "end_sessions"
    READ_JOURNAL = "read_journal"


REVIEWING = frozenset(
    {
        Permission.OWN_SESSIONS,
        Permission.READ_QUEUE,
        Permission.READ_DOSSIER,
        Permission.RECEIVE,
        Permission.RETURN,
        Permission.REPLACE_PHOTO,
        Permission.REMIND,
        Permission.DECIDE,
    }
)
PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OFFICER: REVIEWING,
    Role.SUPERVISOR: REVIEWING | {Permission.RETURN_OF_ANOTHER},
    # who gives others access, and who looks at what others did, sees no dossier
    Role.ADMIN: frozenset({Permission.OWN_SESSIONS, Permission.READ_OFFICERS, Permission.END_SESSIONS}),
    Role.AUDITOR: frozenset({Permission.OWN_SESSIONS, Permission.READ_JOURNAL}),
}


@dataclass
class Officer:
    """Somebody who works for one agency.

    ``otp_secret`` is sealed; ``otp_step`` is the step of time whose code was accepted last. Of an officer who is there
    for a short time only, ``expires_at`` says until when.
    """

    username: str
    agency_code: str
    role: str
    password_hash: str
    otp_secret: str | None = None
    otp_step: int | None = None
    last_sign_in_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def has_otp(self) -> bool:
        return self.otp_secret is not None

    def may(self, permission: Permission) -> bool:
        return permission in PERMISSIONS[Role(self.role)]

    def check_may(self, permission: Permission) -> None:
        """Raise Forbidden where the role does not allow it."""
        if not self.may(permission):
            raise Forbidden

    def has_expired(self, at: datetime) -> bool:
        return self.expires_at is not None and at >= self.expires_at

    def check_factors(self, otp: str | None, *, requires_otp: bool) -> None:
        """Refuse a sign-in whose password is right where its second factor is missing.

        Raises:
            Unauthenticated: ``otp_required``.
            Forbidden: ``otp_not_enrolled``, the officer has no authenticator, and nobody signs in without.
        """
        if self.has_otp and otp is None:
            raise Unauthenticated("otp_required")
        if requires_otp and not self.has_otp:
            raise Forbidden("otp_not_enrolled")

    def accept_otp(self, secret: str, otp: str, at: datetime) -> None:
        """Take an authenticator's code, which works once.

        Raises:
            Unauthenticated: ``wrong_credentials``, it is another, or was taken already.
        """
        authenticator, now = TOTP(secret, interval=OTP_SECONDS), int(at.timestamp()) // OTP_SECONDS
        for step in range(now - OTP_DRIFT, now + OTP_DRIFT + 1):
            is_new = self.otp_step is None or step > self.otp_step
            if is_new and hmac.compare_digest(authenticator.generate_otp(step), otp):
                self.otp_step = step
                return
        raise Unauthenticated("wrong_credentials")

    def enrol(self, sealed_secret: str | None) -> None:
        """Give the officer another authenticator, or None."""
        self.otp_secret, self.otp_step = sealed_secret, None


@dataclass
class OfficerSession:
    """A signed-in officer; only its holder knows the token itself."""

    session_id: str
    token_hash: str
    username: str
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    def check_running(self, at: datetime) -> None:
        """Raise Unauthenticated where the session is over."""
        if at >= self.expires_at or at >= self.last_used_at + IDLE_LIFETIME:
            raise Unauthenticated

    def is_use_noted(self, at: datetime) -> bool:
        """Say whether the last use that is written down is recent enough."""
        return at < self.last_used_at + USE_PRECISION


def new_token() -> str:
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def session_id_of(hashed_token: str) -> str:
    """Return the id of the session whose token has this hash; it opens none."""
    return hashed_token[:SESSION_ID_LENGTH]


def open_session(officer: Officer, token: str, address: str, at: datetime) -> OfficerSession:
    ends = at + SESSION_LIFETIME
    return OfficerSession(
        session_id=session_id_of(token_hash(token)),
        token_hash=token_hash(token),
        username=officer.username,
        address=address,
        created_at=at,
        last_used_at=at,
        expires_at=min(ends, officer.expires_at or ends),
    )


def new_otp_secret() -> str:
    return random_base32()


def otp_uri(username: str, secret: str) -> str:
    """Return what an authenticator scans to know an officer's secret."""
    return TOTP(secret, interval=OTP_SECONDS).provisioning_uri(name=username, issuer_name="VssID")
