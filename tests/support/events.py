"""The events of the sample declaration; a test changes what it is about and leaves the rest."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.language.events import (
    AccountActivated,
    CardIssued,
    CardRequested,
    DeclarationAcknowledged,
    DeclarationApproved,
    DeclarationExpired,
    DeclarationReceived,
    DeclarationRejected,
    DeclarationReturned,
    DeclarationSubmitted,
    DeclarationWithdrawn,
    FirstPasswordRenewed,
    FirstPasswordRequested,
    FirstPasswordUndelivered,
    RegistrationRepeated,
    ReminderRequested,
)
from tests.support.people import ADDRESS, AGENCY, CONTACT, FULL_NAME, ID_DOCUMENT, INSURANCE_CODE

AT = datetime(2026, 8, 3, 2, 0, tzinfo=UTC)  # a Monday morning in Vietnam
DECLARATION = {"declaration_id": "declaration-1", "number": "2026-0000001"}
DECIDED = {**DECLARATION, "contact": CONTACT, "agency": AGENCY, "at": AT}
BORN = {"birth_date": "1990-03-12", "gender": "female"}
PERSON = {"full_name": FULL_NAME, **BORN}


def declaration_submitted(**changes: Any) -> DeclarationSubmitted:
    facts: dict[str, Any] = {
        **DECIDED,
        "tracking_code": "ABCDEFGH23",
        "kind": "register",
        "insurance_code": INSURANCE_CODE,
        "full_name": FULL_NAME,
        "id_document": ID_DOCUMENT,
        "address": ADDRESS,
        "photos": {},
        "expires_at": AT + timedelta(days=10),
    }
    return DeclarationSubmitted(**facts | changes)


def declaration_acknowledged(**changes: Any) -> DeclarationAcknowledged:
    facts = {"tracking_code": "ABCDEFGH23", "kind": "register", "expires_at": AT + timedelta(days=10)}
    return DeclarationAcknowledged(**{**DECIDED, **facts} | changes)


def registration_repeated(**changes: Any) -> RegistrationRepeated:
    account = {"account_id": "account-0", "contact": CONTACT, "agency": AGENCY, "same_phone": False, "at": AT}
    return RegistrationRepeated(**{**DECLARATION, **account} | changes)


def reminder_requested(**changes: Any) -> ReminderRequested:
    facts: dict[str, Any] = {
        **DECLARATION,
        "reminder_id": "reminder-1",
        "tracking_code": "ABCDEFGH23",
        "kind": "register",
        "contact": CONTACT,
        "agency": AGENCY,
        "expires_at": AT + timedelta(days=10),
        "at": AT,
    }
    return ReminderRequested(**facts | changes)


def declaration_received(**changes: Any) -> DeclarationReceived:
    return DeclarationReceived(**{**DECLARATION, "version": 1, "at": AT} | changes)


def declaration_returned(**changes: Any) -> DeclarationReturned:
    return DeclarationReturned(**{**DECLARATION, "version": 2, "at": AT} | changes)


def declaration_approved(**changes: Any) -> DeclarationApproved:
    person = {"insurance_code": INSURANCE_CODE, "id_document": ID_DOCUMENT, "address": ADDRESS}
    return DeclarationApproved(**{**DECIDED, **PERSON, **person} | changes)


def declaration_rejected(**changes: Any) -> DeclarationRejected:
    return DeclarationRejected(**{**DECIDED, "reason": "Ảnh mặt sau bị mờ"} | changes)


def declaration_expired(**changes: Any) -> DeclarationExpired:
    return DeclarationExpired(**DECIDED | changes)


def declaration_withdrawn(**changes: Any) -> DeclarationWithdrawn:
    return DeclarationWithdrawn(**{**DECLARATION, "at": AT} | changes)


def account_activated(**changes: Any) -> AccountActivated:
    facts: dict[str, Any] = {
        **DECIDED,
        "account_id": "account-1",
        "insurance_code": INSURANCE_CODE,
        "full_name": FULL_NAME,
        "sealed_password": "sealed",
        "password_expires_at": AT + timedelta(hours=72),
    }
    return AccountActivated(**facts | changes)


def first_password_undelivered(**changes: Any) -> FirstPasswordUndelivered:
    return FirstPasswordUndelivered(**{**DECLARATION, "message_id": "message-1", "at": AT} | changes)


def first_password_requested(**changes: Any) -> FirstPasswordRequested:
    facts = {**DECLARATION, "insurance_code": INSURANCE_CODE, "agency": AGENCY}
    return FirstPasswordRequested(**{**facts, "renewal_id": "declaration-1.1", "version": 1, "at": AT} | changes)


def first_password_renewed(**changes: Any) -> FirstPasswordRenewed:
    facts = {**DECIDED, "insurance_code": INSURANCE_CODE, "account_id": "account-1", "renewal_id": "declaration-1.1"}
    password = {"sealed_password": "sealed", "password_expires_at": AT + timedelta(hours=72)}
    return FirstPasswordRenewed(**facts | password | changes)


def card_requested(**changes: Any) -> CardRequested:
    account = {"account_id": "account-1", "declaration_id": "declaration-1", "insurance_code": INSURANCE_CODE}
    return CardRequested(**{**account, **PERSON, "agency": AGENCY, "at": AT} | changes)


def card_issued(**changes: Any) -> CardIssued:
    facts: dict[str, Any] = {
        "card_id": "card-1",
        "account_id": "account-1",
        "declaration_id": "declaration-1",
        "insurance_code": INSURANCE_CODE,
        "card_number": f"GD479{INSURANCE_CODE}",
        "serial": 1,
        "at": AT,
    }
    return CardIssued(**facts | changes)
