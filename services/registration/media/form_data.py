"""What Form 01 shows: a file of its own, so that who knows it need not carry fpdf2 (19 MB) before a form is printed."""

from dataclasses import dataclass
from datetime import datetime

from shared.language.values import Address, Agency, DeclarationKind, IdDocument


@dataclass(frozen=True)
class FormData:
    """What Form 01 shows.

    ``phone`` is in E.164, the times are aware. ``contact_name`` is the guardian where the person declared
    is a child; without it people are their own contact.
    """

    number: str
    tracking_code: str
    full_name: str
    insurance_code: str
    id_document: IdDocument
    address: Address
    phone: str
    agency: Agency
    submitted_at: datetime
    expires_at: datetime
    email: str | None = None
    kind: DeclarationKind = DeclarationKind.REGISTER
    contact_name: str | None = None
