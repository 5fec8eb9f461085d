"""Officers: signing in and out, whose token it is and what it permits, sessions, and what operators do."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy.orm import Session

from services.approval import models
from services.approval.domain.journal import Act
from services.approval.domain.officer import Officer, OfficerSession, Permission, open_session, token_hash
from services.approval.domain.sign_in import ADDRESS_LIFETIME, ATTEMPTS_LIFETIME, Proof
from shared.language.errors import NotFound, Unauthenticated
from shared.storage.outbox import announce


def begin_sign_in(session: Session, username: str, address: str, *, at: datetime) -> Officer | None:
    """Count an attempt, and return the officer whose password is to be compared, or None where there is none.

    Raises:
        Locked: too many failed attempts.
    """
    here = models.attempts_from(session, username, address, at)
    if not models.is_address_of(session, username, address):
        models.attempts_under(session, username, at).count(here, at)
    here.count(at)
    officer = models.find_officer(session, username)
    return None if officer is None or officer.has_expired(at) else officer


def take_back_attempt(session: Session, username: str, address: str, *, at: datetime) -> None:
    """Count an attempt no longer whose password was right, and which lacks only the second factor."""
    models.attempts_from(session, username, address, at).take_back()


def finish_sign_in(
    session: Session, found: Officer, proof: Proof, address: str, token: str, *, at: datetime
) -> OfficerSession:
    """Open a session for an officer whose password was right.

    Raises:
        Unauthenticated: ``wrong_credentials``, the one-time code is wrong or was used, or the officer was removed or
            got another password meanwhile.
    """
    officer = models.find_officer(session, found.username, for_update=True)
    if officer is None or (officer.password_hash, officer.otp_secret) != (found.password_hash, found.otp_secret):
        raise Unauthenticated("wrong_credentials")
    if officer.has_otp:
        officer.accept_otp(proof.secret or "", proof.otp or "", at)
    officer.password_hash, officer.last_sign_in_at = proof.password_hash, at
    _forget_attempts_from(session, officer.username, address, at)
    models.note_address(session, officer.username, address, at)
    opened = open_session(officer, token, address, at)
    session.add(opened)
    models.record(session, Act.SIGNED_IN, officer, token_hash(token), at=at)
    return opened


def _forget_attempts_from(session: Session, username: str, address: str, at: datetime) -> None:
    here = models.attempts_from(session, username, address, at)
    if not models.is_address_of(session, username, address):
        models.attempts_under(session, username, at).take_back(here)
    session.delete(here)


def refuse_sign_in(session: Session, officer: Officer, *, at: datetime) -> None:
    """Record that a wrong password or code was given for an officer, five times a quarter of an hour at most."""
    models.record(session, Act.SIGN_IN_REFUSED, officer, at=at)


def sign_out(session: Session, token: str, *, at: datetime) -> None:
    """End the session of a token.

    Raises:
        Unauthenticated: no session has that token, or it is over.
    """
    opened, officer = session_of(session, token, Permission.OWN_SESSIONS, at=at)
    models.end_session(session, officer.username, opened.session_id)
    models.record(session, Act.SIGNED_OUT, officer, token_hash(token), at=at)


def officer_of(session: Session, token: str, permission: Permission, *, at: datetime) -> Officer:
    """Return the officer a token belongs to, if the role allows what is asked for.

    Raises:
        Unauthenticated: no session has that token, or it is over.
        Forbidden: the officer's role does not have the permission.
    """
    return session_of(session, token, permission, at=at)[1]


def session_of(session: Session, token: str, permission: Permission, *, at: datetime) -> tuple[OfficerSession, Officer]:
    """Return the session of a token with its officer; otherwise as `officer_of`."""
    return session_in(session, token_hash(token), permission, at=at)


def session_in(
    session: Session, hashed_token: str, permission: Permission, *, at: datetime
) -> tuple[OfficerSession, Officer]:
    """Return the session whose token has this hash, with its officer; otherwise as `officer_of`."""
    opened, officer = models.session_of(session, hashed_token)
    opened.check_running(at)
    if not opened.is_use_noted(at):
        models.note_use(session, opened.session_id, at)
    officer.check_may(permission)
    return opened, officer


def list_sessions(session: Session, token: str, *, at: datetime) -> tuple[OfficerSession, Sequence[OfficerSession]]:
    """Return the session of the token, and all running ones of its officer."""
    opened, officer = session_of(session, token, Permission.OWN_SESSIONS, at=at)
    return opened, models.running_sessions(session, at, [officer.username])


def end_session(session: Session, token: str, session_id: str, *, at: datetime) -> None:
    """End one of the officer's own sessions.

    Raises:
        NotFound: ``session_not_found``.
    """
    officer = officer_of(session, token, Permission.OWN_SESSIONS, at=at)
    if not models.end_session(session, officer.username, session_id):
        raise NotFound("session_not_found")


def list_officers(session: Session, token: str, *, at: datetime) -> tuple[Sequence[Officer], Sequence[OfficerSession]]:
    """Return the officers of the agency, and their running sessions."""
    found = models.all_officers(session, officer_of(session, token, Permission.READ_OFFICERS, at=at).agency_code)
    return found, models.running_sessions(session, at, [one.username for one in found])


def end_sessions(session: Session, token: str, username: str, *, at: datetime) -> None:
    """End every session of an officer of the agency.

    Raises:
        NotFound: ``officer_not_found``.
    """
    agency_code = officer_of(session, token, Permission.END_SESSIONS, at=at).agency_code
    if models.get_officer(session, username).agency_code != agency_code:
        raise NotFound("officer_not_found")
    models.end_sessions_of(session, username)


def put_officer(
    session: Session, username: str, agency_code: str, role: str, password_hash: str, expires_at: datetime | None
) -> None:
    """Add an officer, or give a known one another agency, role and password; an authenticator stays."""
    officer = models.find_officer(session, username, for_update=True)
    if officer is None:
        session.add(Officer(username, agency_code, role, password_hash, expires_at=expires_at))
        models.forget_attempts(session, username)
        return
    officer.agency_code, officer.role, officer.expires_at = agency_code, role, expires_at
    set_password(session, username, password_hash)


def set_password(session: Session, username: str, password_hash: str) -> None:
    """Give an officer another password: it lifts the locks and ends the sessions.

    Raises:
        NotFound: ``officer_not_found``.
    """
    models.get_officer(session, username, for_update=True).password_hash = password_hash
    models.end_sessions_of(session, username)
    models.forget_attempts(session, username)


def enrol(session: Session, username: str, sealed_secret: str | None) -> None:
    """Give an officer another authenticator, or none; it ends the sessions.

    Raises:
        NotFound: ``officer_not_found``.
    """
    models.get_officer(session, username, for_update=True).enrol(sealed_secret)
    models.end_sessions_of(session, username)


def running_sessions(session: Session, username: str | None, *, end: bool, at: datetime) -> Sequence[OfficerSession]:
    """Return the sessions of an officer, or of all, and end them where that is wanted.

    Raises:
        NotFound: ``officer_not_found``.
    """
    usernames = None if username is None else [models.get_officer(session, username).username]
    running = models.running_sessions(session, at, usernames)
    for one in running if end else ():
        models.end_session(session, one.username, one.session_id)
    return running


def remove_officer(session: Session, username: str, *, at: datetime) -> int:
    """Remove an officer; return how many dossiers went back to the queue. Decided ones keep the name.

    Raises:
        NotFound: ``officer_not_found``.
    """
    officer = models.get_officer(session, username, for_update=True)
    models.end_sessions_of(session, username)
    assigned = [one for one in models.reviews_assigned_to(session, username) if not one.has_expired(at)]
    for review in assigned:
        returned = review.return_to_queue("", at=at, may_return_of_another=True)
        assert returned is not None
        announce(session, returned)
    models.delete_officer(session, officer)
    return len(assigned)


def clear_away(session: Session, *, at: datetime) -> None:
    """Delete sessions that are over, old attempts and addresses, and officers whose time is over."""
    models.clear_sessions(session, at)
    models.forget_old_attempts(session, before=at - ATTEMPTS_LIFETIME)
    models.forget_old_addresses(session, before=at - ADDRESS_LIFETIME)
    for username in models.expired_officers(session, at):
        with suppress(NotFound):  # another instance was first
            remove_officer(session, username, at=at)
