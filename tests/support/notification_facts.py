"""Old names, until every test imports from `events`."""

from tests.support.events import (
    AT,
    DECIDED,
    DECLARATION,
    declaration_expired,
    declaration_rejected,
    declaration_submitted,
    declaration_withdrawn,
)

ABOUT, PERSON = {**DECLARATION, "at": AT}, DECIDED

__all__ = [
    "ABOUT",
    "PERSON",
    "declaration_expired",
    "declaration_rejected",
    "declaration_submitted",
    "declaration_withdrawn",
]
