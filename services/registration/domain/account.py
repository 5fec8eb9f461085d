"""An account: opened by an approval, with a first password that works once."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.language.events import (
    AccountActivated,
    CardRequested,
    DeclarationApproved,
    FirstPasswordRenewed,
    FirstPasswordRequested,
)
from shared.language.values import Address, Contact, IdDocument

READABLE_CHARACTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # read from an SMS and typed
PASSWORD_LENGTH = 10
FIRST_PASSWORD_LIFETIME = timedelta(hours=72)


@dataclass
class Account:
    """A person's account; the insurance code is the login name (S78)."""

    account_id: str
    insurance_code: str
    declaration_id: str
    full_name: str
    birth_date: str
    gender: str
    id_document: IdDocument
    address: Address
    contact: Contact
    password_hash: str
    password_expires_at: datetime
    must_change_password: bool
    activated_at: datetime
    password_version: int = 0

    def renew_first_password(
        self, event: FirstPasswordRequested, *, password_hash: str, sealed_password: str, at: datetime
    ) -> FirstPasswordRenewed | None:
        """Replace the password by a new first one; a request that came already, or is older, changes nothing."""
        if event.version <= self.password_version:
            return None
        self.password_version = event.version
        self.password_hash, self.must_change_password = password_hash, True
        self.password_expires_at = at + FIRST_PASSWORD_LIFETIME
        return FirstPasswordRenewed(
            renewal_id=event.renewal_id,
            account_id=self.account_id,
            declaration_id=self.declaration_id,
            number=event.number,
            insurance_code=self.insurance_code,
            contact=self.contact,
            agency=event.agency,
            sealed_password=sealed_password,
            password_expires_at=self.password_expires_at,
            at=at,
        )


def first_password() -> str:
    """Return a new first password, hard to guess and easy to read."""
    return "".join(secrets.choice(READABLE_CHARACTERS) for _ in range(PASSWORD_LENGTH))


def open_account(event: DeclarationApproved, *, account_id: str, password_hash: str, at: datetime) -> Account:
    """Return the account that an approval opens."""
    return Account(
        account_id=account_id,
        insurance_code=event.insurance_code,
        declaration_id=event.declaration_id,
        full_name=event.full_name,
        birth_date=event.birth_date,
        gender=event.gender,
        id_document=event.id_document,
        address=event.address,
        contact=event.contact,
        password_hash=password_hash,
        password_expires_at=at + FIRST_PASSWORD_LIFETIME,
        must_change_password=True,
        activated_at=at,
    )


def account_activated_event(account: Account, event: DeclarationApproved, sealed_password: str) -> AccountActivated:
    """Return the fact that the account is open; only notification can open the seal."""
    return AccountActivated(
        account_id=account.account_id,
        declaration_id=account.declaration_id,
        number=event.number,
        insurance_code=account.insurance_code,
        full_name=account.full_name,
        contact=account.contact,
        agency=event.agency,
        sealed_password=sealed_password,
        password_expires_at=account.password_expires_at,
        at=account.activated_at,
    )


def card_requested_event(account: Account, event: DeclarationApproved) -> CardRequested:
    """Return the fact that the account's holder is to have a card."""
    return CardRequested(
        account_id=account.account_id,
        declaration_id=account.declaration_id,
        insurance_code=account.insurance_code,
        full_name=account.full_name,
        birth_date=account.birth_date,
        gender=account.gender,
        agency=event.agency,
        at=account.activated_at,
    )
