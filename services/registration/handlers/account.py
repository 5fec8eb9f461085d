"""Accounts: activated by an approval."""

from datetime import datetime

from sqlalchemy.orm import Session

from services.registration import models
from services.registration.domain.account import account_activated_event, card_requested_event, open_account
from services.registration.domain.kinds import Effect, check_effect
from shared.language.events import DeclarationApproved
from shared.language.values import new_id
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
