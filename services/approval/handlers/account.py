"""Accounts, as far as officers can do something for their holders."""

from datetime import datetime

from sqlalchemy.orm import Session

from services.approval import models
from services.approval.domain.journal import Act
from services.approval.domain.officer import Permission, token_hash
from services.approval.domain.review import FIRST_PASSWORDS, OFFICERS_PASSWORDS
from services.approval.handlers.officer import officer_of
from shared.language.errors import FieldError, NotFound, Refused
from shared.language.events import FirstPasswordUndelivered
from shared.language.values import INSURANCE_CODE, Contact
from shared.storage.outbox import announce
from shared.storage.quotas import count


def request_first_password(
    session: Session, token: str, insurance_code: str, *, identity_checked: bool, at: datetime
) -> Contact | None:
    """Have a new first password sent to the account's phone; return the contact, None where it is forgotten here.

    The holder may come to any agency, not only to the one that opened the account.

    Raises:
        Refused: ``identity_not_checked``.
        NotFound: ``account_not_found``.
        TooMany: after three a day of one account, and a hundred by one officer.
    """
    officer = officer_of(session, token, Permission.DECIDE, at=at)
    if not identity_checked:
        raise Refused("identity_not_checked", errors=[FieldError("identity_checked", "must_be_accepted")])
    known = INSURANCE_CODE.fullmatch(insurance_code) and models.account_declaration(session, insurance_code)
    review = models.review_of(session, known, for_update=True) if known else None
    if review is None:
        raise NotFound("account_not_found")
    count(session, [(FIRST_PASSWORDS, review.number), (OFFICERS_PASSWORDS, officer.username)], at=at)
    announce(session, review.request_first_password(officer.username, insurance_code, at=at))
    models.record(session, Act.PASSWORD_REQUESTED, officer, token_hash(token), at=at, review=review)
    return review.dossier.contact if review.dossier else None


def note_undelivered(session: Session, event: FirstPasswordUndelivered) -> None:
    """Show officers that a first password did not arrive; a dossier that is not here shows nothing."""
    review = models.review_of(session, event.declaration_id, for_update=True)
    if review is not None:
        review.note_undelivered(event)
