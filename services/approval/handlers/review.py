"""Reviews: opened, taken, decided, closed."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.approval import models
from services.approval.domain.officer import Officer
from services.approval.domain.register import Person
from services.approval.domain.review import Review
from services.approval.domain.review import open_review as review_for
from shared.language.errors import NotFound
from shared.language.events import DeclarationExpired, DeclarationSubmitted, DeclarationWithdrawn
from shared.language.values import Status
from shared.storage.database import insert
from shared.storage.outbox import announce

OWN_FOLDER = "reviews/"  # pictures that officers brought


def open_review(session: Session, event: DeclarationSubmitted) -> None:
    """Put the declaration into the queue of its agency; a declaration that comes again changes nothing."""
    if models.review_of(session, event.declaration_id) is None:
        insert(session, models.reviews, review_for(event))


def close_review(session: Session, event: DeclarationWithdrawn | DeclarationExpired) -> None:
    """End the review of a declaration that ended.

    Raises:
        NotFound: the declaration itself was not heard of yet; the event comes again.
    """
    review = models.review_of(session, event.declaration_id, for_update=True)
    if review is None:
        raise NotFound
    review.close(Status.WITHDRAWN if isinstance(event, DeclarationWithdrawn) else Status.EXPIRED, event.at)


def find_review(session: Session, officer: Officer, number: str) -> Review:
    review = models.get_review(session, number)
    review.check_agency(officer.agency_code)
    return review


def take_review(session: Session, officer: Officer, number: str, *, at: datetime) -> Review:
    review = _hold_review(session, officer, number)
    event = review.take(officer.username, at=at)
    if event is not None:
        announce(session, event)
    return review


def give_back_review(session: Session, officer: Officer, number: str, *, at: datetime) -> Review:
    review = _hold_review(session, officer, number)
    event = review.give_back(officer.username, at=at)
    if event is not None:
        announce(session, event)
    return review


def replace_photo(
    session: Session, officer: Officer, number: str, purpose: str, key: str, *, at: datetime
) -> tuple[Review, str]:
    """Put a picture in the place of the declared one; return the review and the old picture's key."""
    review = _hold_review(session, officer, number)
    return review, review.replace_photo(purpose, key, officer.username, at=at)


def check_approvable(session: Session, officer: Officer, number: str, form: dict[str, Any], *, at: datetime) -> Review:
    review = find_review(session, officer, number)
    review.check_approvable(
        officer.username, identity_checked=form["identity_checked"], confirmed=form["confirm"], at=at
    )
    return review


def approve_declaration(session: Session, officer: Officer, number: str, person: Person, *, at: datetime) -> Review:
    review = _hold_review(session, officer, number)
    announce(session, review.approve(officer.username, person, at=at))
    return review


def reject_declaration(session: Session, officer: Officer, number: str, reason: str, *, at: datetime) -> Review:
    review = _hold_review(session, officer, number)
    announce(session, review.reject(officer.username, reason, at=at))
    return review


def own_pictures(review: Review) -> list[str]:
    """Return the keys of the pictures that officers brought; the others are the registration desk's."""
    photos = review.dossier.photos.values() if review.dossier else ()
    return [key for key in photos if key.startswith(OWN_FOLDER)]


def _hold_review(session: Session, officer: Officer, number: str) -> Review:
    """Return the review, locked until this transaction ends: of two decisions the second sees the first."""
    review = models.get_review(session, number, for_update=True)
    review.check_agency(officer.agency_code)
    return review
