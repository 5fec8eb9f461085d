"""The events that notification receives from the other services; a test changes what it is about."""

from datetime import timedelta
from typing import Any

from shared.language.events import DeclarationExpired, DeclarationRejected, DeclarationSubmitted, DeclarationWithdrawn
from tests.support.facts import ADDRESS, AGENCY, AT, CONTACT, FULL_NAME, ID_DOCUMENT, INSURANCE_CODE

ABOUT = {"declaration_id": "declaration-1", "number": "2026-0000001", "at": AT}
PERSON = {**ABOUT, "full_name": FULL_NAME, "contact": CONTACT, "agency": AGENCY}


def declaration_submitted(**changes: Any) -> DeclarationSubmitted:
    facts = {
        **PERSON,
        "tracking_code": "ABCDEFGH23",
        "kind": "register",
        "insurance_code": INSURANCE_CODE,
        "id_document": ID_DOCUMENT,
        "address": ADDRESS,
        "photos": {},
        "expires_at": AT + timedelta(days=10),
    }
    return DeclarationSubmitted(**facts | changes)


def declaration_rejected(**changes: Any) -> DeclarationRejected:
    return DeclarationRejected(**{**PERSON, "officer": "canbo.mau", "reason": "Ảnh mặt sau bị mờ"} | changes)


def declaration_expired(**changes: Any) -> DeclarationExpired:
    return DeclarationExpired(**PERSON | changes)


def declaration_withdrawn(**changes: Any) -> DeclarationWithdrawn:
    return DeclarationWithdrawn(**ABOUT | changes)
