"""Old names, until every test imports from `events` and `people`."""

from tests.support.events import AT, account_activated, declaration_approved
from tests.support.people import (
    ADDRESS,
    AGENCY,
    CONTACT,
    FULL_NAME,
    ID_DOCUMENT,
    INSURANCE_CODE,
    PHOTOS,
    declaration_form,
)

__all__ = [
    "ADDRESS",
    "AGENCY",
    "AT",
    "CONTACT",
    "FULL_NAME",
    "ID_DOCUMENT",
    "INSURANCE_CODE",
    "PHOTOS",
    "account_activated",
    "declaration_approved",
    "declaration_form",
]
