"""Reviews: opened, searched, received, decided, closed. Officers are known by their token."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.approval import models
from services.approval.domain.journal import Act
from services.approval.domain.officer import Officer, Permission, token_hash
from services.approval.domain.register import Person
from services.approval.domain.review import (
    REMINDERS,
    WRONG_CODES,
    Review,
    ended_review,
    is_own_picture,
    reviewed_id,
)
from services.approval.domain.review import open_review as review_for
from services.approval.handlers.officer import officer_of, session_in
from shared.language.errors import Forbidden, NotFound, Refused, Unauthenticated
from shared.language.events import DeclarationExpired, DeclarationSubmitted, DeclarationWithdrawn
from shared.language.values import ANOTHER_APPROVED, Contact, Status, new_id
from shared.storage.database import insert
from shared.storage.outbox import announce
from shared.storage.quotas import check, count

BATCH_SIZE = 50  # reviews whose data are deleted in one transaction
Ending = DeclarationWithdrawn | DeclarationExpired
CRITERIA = (
    *("number", "insurance_code", "from", "to", "condition", "status", "kind", "q", "cursor"),
    "password_undelivered",
)
WRONG_TRACKING_CODE = "wrong_tracking_code"


def open_review(session: Session, event: DeclarationSubmitted) -> None:
    """Put the declaration into the queue of its agency; a declaration that comes again changes nothing.

    One that arrives after another of its insurance code was approved gives way at once.
    """
    review = review_for(event)
    if review.opens_account:
        models.lock_code(session, event.insurance_code)
    if not insert(session, models.reviews, review):
        return
    models.note_used_uploads(session, event.photos.values())
    approved_at = models.account_approved_at(session, event.insurance_code) if review.opens_account else None
    if approved_at is not None and event.at <= approved_at:
        _give_way(session, [models.get_review(session, event.number, for_update=True)], approved_at)


def pictures_to_delete(session: Session, event: Ending) -> list[str]:
    """Return the keys of the pictures that officers brought to a review which this event closes.

    The other pictures are registration's, which deletes them itself.
    """
    review = models.review_of(session, event.declaration_id)
    return _own_pictures(review) if review is not None and review.is_closed_by(_status(event)) else []


def close_review(session: Session, event: Ending) -> None:
    """End the review of a declaration that ended; one that arrives afterwards finds it ended, however late."""
    ended = ended_review(event.declaration_id, event.number, _status(event), event.at)
    if insert(session, models.reviews, ended):
        return
    review = models.review_of(session, event.declaration_id, for_update=True)
    assert review is not None
    review.close(_status(event), event.at)
    if review.status == Status.WITHDRAWN:
        models.release_account(session, review.declaration_id)


def _status(event: Ending) -> Status:
    return Status.WITHDRAWN if isinstance(event, DeclarationWithdrawn) else Status.EXPIRED


def decided_reviews(session: Session, kind: str, *, before: datetime) -> list[tuple[str, list[str]]]:
    """Return the ids of a batch of reviews whose data are kept no longer, each with its officers' pictures."""
    found = models.decided_reviews(session, kind, before, BATCH_SIZE)
    return [(one.declaration_id, _own_pictures(one)) for one in found]


def forget_reviews(session: Session, declaration_ids: Sequence[str]) -> None:
    """Forget whose these reviews were."""
    for declaration_id in declaration_ids:
        review = models.review_of(session, declaration_id, for_update=True)
        assert review is not None
        review.forget()


def is_named(session: Session, key: str) -> bool:
    """Say whether a review names the officer's picture under a key; of older keys nobody can tell, and they stay."""
    declaration_id = reviewed_id(key)
    review = models.review_of(session, declaration_id) if declaration_id else None
    return declaration_id is None or (review is not None and key in _own_pictures(review))


def _own_pictures(review: Review) -> list[str]:
    return [key for key in review.dossier.photos.values() if is_own_picture(key)] if review.dossier else []


def search_reviews(session: Session, token: str, search: dict[str, Any], *, at: datetime) -> Sequence[Review]:
    """Return the reviews of the officer's agency that fit the search, oldest first, one more than its ``limit``.

    The journal keeps by which criteria was searched and which numbers were shown, and not what was searched for: that
    may be a name or an insurance code.
    """
    officer = officer_of(session, token, Permission.READ_QUEUE, at=at)
    found = models.reviews_found(session, officer.agency_code, search, at)
    criteria = ",".join(name for name in CRITERIA if search.get(name) not in (None, ""))
    shown = " ".join(review.number for review in found[: search["limit"]])
    models.record(session, Act.SEARCHED, officer, token_hash(token), at=at, detail=f"{criteria}: {shown}")
    return found


def view_review(session: Session, token: str, number: str, *, at: datetime) -> Review:
    officer, review = _find(session, token, number, Permission.READ_DOSSIER, at)
    models.record(session, Act.VIEWED, officer, token_hash(token), at=at, review=review)
    return review


def view_photo(session: Session, reference: str, *, at: datetime) -> str:
    """Return the key of the picture that a link names.

    Raises:
        NotFound: ``link_expired``, the session that the link was made for is over, or the picture is gone.
    """
    hashed_token, number, purpose = reference.split("/")
    try:
        _, officer = session_in(session, hashed_token, Permission.READ_DOSSIER, at=at)
        review = models.get_review(session, number)
        review.check_agency(officer.agency_code)
        key = review.photo(purpose)
    except (Unauthenticated, Forbidden, NotFound):
        raise NotFound("link_expired") from None
    models.record(session, Act.PHOTO_VIEWED, officer, hashed_token, at=at, review=review, detail=purpose)
    return key


def photo_references(review: Review, token: str) -> dict[str, str]:
    """Return what links to the pictures name, by purpose: the session, the review and the purpose."""
    photos = review.dossier.photos if review.dossier else {}
    return {purpose: f"{token_hash(token)}/{review.number}/{purpose}" for purpose in photos}


def check_review(session: Session, token: str, number: str, *, at: datetime) -> str:
    """Return the declaration's id of a review whose photos the officer may replace.

    Raises:
        NotFound: there is no such review in the officer's agency.
    """
    return _find(session, token, number, Permission.REPLACE_PHOTO, at)[1].declaration_id


def receive_declaration(session: Session, token: str, number: str, *, at: datetime) -> Review:
    officer, review = _lock_review(session, token, number, Permission.RECEIVE, at)
    event = review.receive(officer.username, at=at)
    if event is not None:
        announce(session, event)
    models.record(session, Act.RECEIVED, officer, token_hash(token), at=at, review=review)
    return review


def return_declaration(session: Session, token: str, number: str, *, at: datetime) -> Review:
    officer, review = _lock_review(session, token, number, Permission.RETURN, at)
    may_return_of_another = officer.may(Permission.RETURN_OF_ANOTHER)
    event = review.return_to_queue(officer.username, at=at, may_return_of_another=may_return_of_another)
    if event is not None:
        announce(session, event)
    models.record(session, Act.RETURNED, officer, token_hash(token), at=at, review=review)
    return review


def replace_photo(
    session: Session, token: str, number: str, purpose: str, key: str, upload_id: str, *, at: datetime
) -> tuple[Review, str | None]:
    """Replace a declared picture by the one under ``key``.

    Return the review, and the key of the old picture where that is to be deleted: one that an officer brought.

    Raises:
        NotFound: ``upload_not_found``, the upload is used already; ``no_such_photo``.
    """
    officer, review = _lock_review(session, token, number, Permission.REPLACE_PHOTO, at)
    old = review.dossier.photos.get(purpose) if review.dossier else None
    replaced = review.replace_photo(purpose, key, upload_id, officer.username, at=at)
    if not models.use_upload(session, upload_id):
        raise NotFound("upload_not_found")
    announce(session, replaced)
    models.record(session, Act.PHOTO_REPLACED, officer, token_hash(token), at=at, review=review, detail=purpose)
    return review, old if old is not None and is_own_picture(old) else None


def check_approvable(
    session: Session, token: str, number: str, form: dict[str, Any], *, at: datetime
) -> tuple[Review, bool]:
    """Return the review, where the rules allow its approval before the register is asked.

    Return also whether the tracking code is right; a wrong one is to be counted by `count_wrong_code`.

    Raises:
        Locked: too many wrong tracking codes were tried for this declaration.
    """
    officer, review = _find(session, token, number, Permission.DECIDE, at)
    review.check_approvable(
        officer.username,
        identity_checked=form["identity_checked"],
        tracking_code=form["tracking_code"],
        confirmed=form["confirm"],
        at=at,
    )
    check(session, WRONG_CODES, number, at=at)
    return review, review.is_proven_by(form["tracking_code"])


def refuse_approval(session: Session, token: str, number: str, code: str, *, at: datetime) -> None:
    """Record why an approval was refused, and count a wrong tracking code.

    Raises:
        Locked: others were counted at the same instant, and this one is too many.
    """
    officer, review = _find(session, token, number, Permission.DECIDE, at)
    if code == WRONG_TRACKING_CODE:
        count(session, [(WRONG_CODES, number)], at=at)
    models.record(session, Act.APPROVAL_REFUSED, officer, token_hash(token), at=at, review=review, detail=code)


def approve_declaration(session: Session, token: str, number: str, person: Person, *, at: datetime) -> Review:
    """Decide that the declaration is in order; the other declarations of its insurance code give way.

    Raises:
        Refused: ``account_exists``.
    """
    officer, review = _find(session, token, number, Permission.DECIDE, at)
    if not review.opens_account or review.insurance_code is None:
        officer, review = _lock_review(session, token, number, Permission.DECIDE, at)
        announce(session, review.approve(officer.username, person, at=at))
        models.record(session, Act.APPROVED, officer, token_hash(token), at=at, review=review, detail=review.confirmed)
        return review
    models.lock_code(session, review.insurance_code)  # before any review: approvals wait for each other here only
    is_first = models.reserve_account(session, review.insurance_code, review.declaration_id, at)
    others = models.pending_under(session, review.insurance_code)
    session.refresh(review)
    approved = review.approve(officer.username, person, at=at)
    if not is_first:
        raise Refused("account_exists")
    announce(session, approved)
    ended = _give_way(session, others, at)
    models.record(session, Act.APPROVED, officer, token_hash(token), at=at, review=review, detail=review.confirmed)
    for other in ended:
        models.record(session, Act.REJECTED, officer, token_hash(token), at=at, review=other, detail=ANOTHER_APPROVED)
    return review


def _give_way(session: Session, found: Iterable[Review], at: datetime) -> list[Review]:
    """End those that are pending; return them."""
    pending = [review for review in found if review.status == Status.PENDING]
    for review in pending:
        announce(session, review.give_way(at))
    return pending


def remind(session: Session, token: str, number: str, *, at: datetime) -> Contact:
    """Have the tracking code sent again; return to whom.

    Raises:
        Refused: ``already_decided``.
        TooMany: after three a day.
    """
    officer, review = _lock_review(session, token, number, Permission.REMIND, at)
    event = review.remind(officer.username, reminder_id=new_id(), at=at)
    count(session, [(REMINDERS, number)], at=at)
    announce(session, event)
    models.record(session, Act.REMINDED, officer, token_hash(token), at=at, review=review)
    return event.contact


def reject_declaration(session: Session, token: str, number: str, reason: str, *, at: datetime) -> Review:
    officer, review = _lock_review(session, token, number, Permission.DECIDE, at)
    announce(session, review.reject(officer.username, reason, at=at))
    models.record(session, Act.REJECTED, officer, token_hash(token), at=at, review=review)
    return review


def _lock_review(
    session: Session, token: str, number: str, permission: Permission, at: datetime
) -> tuple[Officer, Review]:
    """Return officer and review, locked until this transaction ends: of two decisions the second sees the first."""
    return _find(session, token, number, permission, at, for_update=True)


def _find(
    session: Session, token: str, number: str, permission: Permission, at: datetime, *, for_update: bool = False
) -> tuple[Officer, Review]:
    officer = officer_of(session, token, permission, at=at)
    review = models.get_review(session, number, for_update=for_update)
    review.check_agency(officer.agency_code)
    return officer, review
