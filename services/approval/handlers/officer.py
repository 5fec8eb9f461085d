"""Officers: signing in and out, and whose token it is."""

from datetime import datetime

from sqlalchemy.orm import Session

from services.approval import models
from services.approval.domain.officer import Officer, OfficerSession, SignInAttempts, open_session, token_hash
from shared.language.errors import Unauthenticated


def begin_sign_in(session: Session, username: str, *, at: datetime) -> Officer | None:
    """Count an attempt, and return the officer whose password is to be compared, or None where there is none.

    Raises:
        Locked: too many failed attempts.
    """
    attempts = models.attempts_under(session, username)
    if attempts is None:
        attempts = SignInAttempts(username, at)
        session.add(attempts)
    attempts.count(at)
    return models.officer_named(session, username)


def finish_sign_in(session: Session, username: str, token: str, *, at: datetime) -> OfficerSession:
    """Open a session for an officer whose password was right.

    Raises:
        Unauthenticated: ``wrong_credentials``, the officer was removed meanwhile.
    """
    if models.officer_named(session, username) is None:
        raise Unauthenticated("wrong_credentials")
    models.forget_attempts(session, username)
    opened = open_session(username, token, at)
    session.add(opened)
    return opened


def sign_out(session: Session, token: str) -> None:
    """End the session of a token.

    Raises:
        Unauthenticated: no session has that token.
    """
    opened, _ = models.session_of(session, token_hash(token))
    session.delete(opened)


def officer_of(session: Session, token: str, *, at: datetime) -> Officer:
    """Return the officer a token belongs to.

    Raises:
        Unauthenticated: no session has that token, or it is over.
    """
    opened, officer = models.session_of(session, token_hash(token))
    opened.check_running(at)
    return officer


def clear_away(session: Session, *, sessions_before: datetime, attempts_before: datetime) -> None:
    """Delete sessions that are over and failed attempts that are old."""
    models.end_sessions(session, before=sessions_before)
    models.forget_old_attempts(session, before=attempts_before)
