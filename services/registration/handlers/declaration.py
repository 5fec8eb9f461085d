"""Declarations: submitted, handled, decided, withdrawn, expired."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.registration import models
from services.registration.domain.declaration import (
    Applicant,
    Declaration,
    check_id_document,
    declaration_number,
    expiry,
    new_tracking_code,
)
from services.registration.domain.upload import form_key
from services.registration.handlers.upload import drop_uploads_of
from shared.language.clock import vietnam_day
from shared.language.errors import FieldError, Refused
from shared.language.events import CardIssued, DeclarationReceived, DeclarationRejected, DeclarationReturned
from shared.language.limits import Limit
from shared.language.values import Contact, DeclarationKind, IdDocument, new_id
from shared.storage.database import insert
from shared.storage.outbox import announce
from shared.storage.quotas import count
from shared.storage.serials import next_serial

BATCH_SIZE = 50  # declarations whose data are deleted in one transaction


def submit_declaration(
    session: Session, form: dict[str, Any], *, days: float, counted: Iterable[tuple[Limit, str]], at: datetime
) -> Declaration:
    """Keep the declaration a checked form makes, mark its uploads as used, and announce it.

    It is kept whether or not the code has an account: the answer must not tell. The account's holder is told. Once
    nothing else is in the way, it counts for each limit and subject in ``counted``.

    Raises:
        Invalid: the ID number is impossible.
        Refused: ``unknown_agency``, ``declaration_pending``, ``upload_not_found``.
        TooMany: as many declarations as a phone, an address or a mail address may send were accepted.
    """
    document = IdDocument(**form["id_document"])
    check_id_document(document, vietnam_day(at))
    kind = DeclarationKind(form["kind"])
    agency, account = models.admission(session, form["insurance_code"], form["agency_code"], vietnam_day(at))
    if agency is None:
        raise Refused("unknown_agency", errors=[FieldError("agency_code", "unknown_agency")])
    declaration_id = new_id()
    photos = _use_uploads(session, form["photos"], declaration_id)
    declaration = Declaration(
        declaration_id=declaration_id,
        number=declaration_number(next_serial(session, "declaration"), at),
        tracking_code=new_tracking_code(),
        kind=kind,
        agency=agency,
        insurance_code=form["insurance_code"],
        phone=form["phone"],
        applicant=Applicant(
            full_name=form["full_name"],
            id_document=document,
            address=form["address"],
            contact=Contact(phone=form["phone"], email=form.get("email"), language=form["language"]),
            photos=photos,
            form_key=form_key(declaration_id) if form["email_copy"] and form.get("email") else None,
        ),
        submitted_at=at,
        expires_at=expiry(at, days),
    )
    submitted = declaration.submit()
    if not insert(session, models.declarations, declaration):
        raise Refused("declaration_pending")
    count(session, counted, at=at)
    announce(session, submitted)
    announce(session, declaration.acknowledged_event())
    if account is not None:
        announce(session, declaration.repeats(*account))
    return declaration


def submitted_again(session: Session, answer: dict[str, Any], *, at: datetime) -> dict[str, Any]:
    """Return the answer to a submission that is sent again, with what became of the declaration since."""
    declaration = models.get_declaration(session, answer["number"])
    return answer | {"status": declaration.status, "condition": declaration.condition(at)}


def find_declaration(session: Session, *, number: str, tracking_code: str) -> Declaration:
    declaration = models.get_declaration(session, number)
    declaration.check_tracking_code(tracking_code)
    return declaration


def withdraw_declaration(session: Session, *, number: str, tracking_code: str, at: datetime) -> Declaration:
    declaration = models.get_declaration(session, number, for_update=True)
    declaration.check_tracking_code(tracking_code)
    _erase_files(session, declaration)
    announce(session, declaration.withdraw(at))
    return declaration


def expire_declarations(session: Session, *, at: datetime) -> int:
    """End a batch of the declarations that are due; return how many."""
    undecided = models.undecided_declarations(session, at, BATCH_SIZE)
    for declaration in undecided:
        _erase_files(session, declaration)
        announce(session, declaration.expire(at))
    return len(undecided)


def erase_decided(session: Session, kind: str, *, before: datetime) -> tuple[int, int]:
    """Delete data and files of a batch of declarations that were decided before; return how many of both."""
    decided, files = models.decided_declarations(session, kind, before, BATCH_SIZE), 0
    for declaration in decided:
        files += _erase_files(session, declaration)
        declaration.forget()
    return len(decided), files


def receive_declaration(session: Session, event: DeclarationReceived) -> None:
    models.declaration_by_id(session, event.declaration_id).receive(event)


def return_declaration(session: Session, event: DeclarationReturned) -> None:
    models.declaration_by_id(session, event.declaration_id).return_to_queue(event)


def reject_declaration(session: Session, event: DeclarationRejected) -> None:
    models.declaration_by_id(session, event.declaration_id).reject(event)


def note_card(session: Session, event: CardIssued) -> None:
    models.declaration_by_id(session, event.declaration_id).note("card_issued", event.at)


def _use_uploads(session: Session, photos: dict[str, str], declaration_id: str) -> dict[str, str]:
    """Mark the uploads as this declaration's; return their keys by purpose."""
    used = models.use_uploads(session, photos.values(), declaration_id)
    missing = [
        FieldError(f"photos.{purpose}", "upload_not_found")
        for purpose, upload_id in photos.items()
        if upload_id not in used or used[upload_id][0] != purpose
    ]
    if missing:
        raise Refused("upload_not_found", errors=missing)
    return {purpose: used[upload_id][1] for purpose, upload_id in photos.items()}


def _erase_files(session: Session, declaration: Declaration) -> int:
    """Delete the pictures and the form of a declaration; return how many files those are at most."""
    pictures = drop_uploads_of(session, declaration.declaration_id)
    models.erase_files(session, [form_key(declaration.declaration_id)])
    return pictures + 1
