"""Accounts: activated by an approval, with a first password that an officer may have renewed."""

from datetime import datetime

from sqlalchemy.orm import Session

from services.registration import models
from services.registration.domain.account import account_activated_event, card_requested_event, open_account
from services.registration.domain.kinds import Effect, check_effect
from shared.language.events import DeclarationApproved, FirstPasswordRequested
from shared.language.values import Status, new_id
from shared.storage.database import insert
from shared.storage.outbox import announce


def activate_account(
    session: Session, event: DeclarationApproved, *, password_hash: str, sealed_password: str, at: datetime
) -> None:
    """Open the account and announce it; an approval that comes again changes nothing.

    Raises:
        WrongKind: this kind of declaration opens no account.
    """
    check_effect(event.kind, Effect.OPEN_ACCOUNT)
    declaration = models.declaration_by_id(session, event.declaration_id)
    if not declaration.approve(event):
        return
    account = open_account(event, account_id=new_id(), password_hash=password_hash, at=at)
    if not insert(session, models.accounts, account):
        return
    declaration.note("account_activated", at)
    announce(session, account_activated_event(account, event, sealed_password))
    announce(session, card_requested_event(account, event))


def renew_first_password(
    session: Session, event: FirstPasswordRequested, *, password_hash: str, sealed_password: str, at: datetime
) -> None:
    """Give the account a new first password and announce it; a request that comes again changes nothing.

    Nor does one for a declaration that was withdrawn while it was approved, and opened no account.

    Raises:
        NotFound: the account is not open yet.
    """
    declaration = models.declaration_by_id(session, event.declaration_id)
    if declaration.status == Status.WITHDRAWN:
        return
    account = models.locked_account(session, event.insurance_code)
    renewed = account.renew_first_password(event, password_hash=password_hash, sealed_password=sealed_password, at=at)
    if renewed is not None:
        announce(session, renewed)
