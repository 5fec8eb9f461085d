"""Officers: signing in and out, and who is asking."""

from datetime import datetime

from sqlalchemy.orm import Session

from services.approval import models
from services.approval.domain.officer import Officer, OfficerSession, Tries, open_session, token_hash
from shared.language.errors import Unauthenticated


def begin_sign_in(session: Session, username: str, *, at: datetime) -> Officer | None:
    """Count a try, and return the officer whose password is to be compared, or None where there is none.

    Raises:
        Locked: too many wrong tries.
    """
    tries = models.tries_under(session, username)
    if tries is None:
        tries = Tries(username, at)
        session.add(tries)
    tries.count(at)
    return models.officer_named(session, username)


def finish_sign_in(session: Session, username: str, token: str, *, at: datetime) -> OfficerSession:
    """Open a session for an officer whose password was right."""
    if models.officer_named(session, username) is None:
        raise Unauthenticated("wrong_credentials")
    models.forget_tries(session, username)
    opened = open_session(username, token, at)
    session.add(opened)
    return opened


def sign_out(session: Session, token: str) -> None:
    opened, _ = models.session_of(session, token_hash(token))
    session.delete(opened)


def officer_behind(session: Session, token: str, *, at: datetime) -> Officer:
    """Return the officer a token belongs to.

    Raises:
        Unauthenticated: no session has that token, or it is over.
    """
    opened, officer = models.session_of(session, token_hash(token))
    opened.check_running(at)
    return officer
