"""Officers in approval's database, past the command and the sign-in."""

from datetime import datetime

from sqlalchemy.orm import Session

from services.approval.domain.officer import Officer, OfficerSession, Role, open_session
from tests.support.people import AGENCY_CODE

ADDRESS = "203.0.113.7"


def add_officer(
    session: Session, username: str, *, agency_code: str = AGENCY_CODE, role: str = Role.OFFICER, hashed: str = "hash"
) -> Officer:
    """Add an officer whose password has the hash given."""
    officer = Officer(username, agency_code, role, hashed)
    session.add(officer)
    session.flush()
    return officer


def add_session(session: Session, officer: Officer, token: str, at: datetime) -> OfficerSession:
    """Sign an officer in."""
    opened = open_session(officer, token, ADDRESS, at)
    session.add(opened)
    session.flush()
    return opened
