"""Rows of registration: an agency, the pictures of an applicant, a declaration."""

from datetime import date, timedelta

import sqlalchemy as sa

from services.registration import models
from services.registration.domain.declaration import Applicant, Declaration
from services.registration.domain.upload import Upload
from shared.language.values import upload_key
from tests.support.events import AT
from tests.support.people import ADDRESS, AGENCY, CONTACT, FULL_NAME, ID_DOCUMENT, INSURANCE_CODE, PHOTOS

AGENCY_ROW = {
    "code": AGENCY.code,
    "name": AGENCY.name,
    "address": AGENCY.address,
    "province_code": "79",
    "opened_on": date(1995, 2, 16),
    "closed_on": None,
    "note": None,
}


def add_agency_and_pictures(database):
    with database.begin() as session:
        session.execute(sa.insert(models.agencies), [AGENCY_ROW])
        session.add_all(upload(purpose, upload_id) for purpose, upload_id in PHOTOS.items())


def upload(purpose, upload_id, **changes):
    facts = {
        "upload_id": upload_id,
        "purpose": purpose,
        "content_type": "image/jpeg",
        "bytes": 1000,
        "key": upload_key(purpose, upload_id, ".jpg"),
        "created_at": AT,
    }
    return Upload(**facts | changes)


def declaration(declaration_id, number, **changes):
    """Return a pending declaration of the sample person, as it was submitted."""
    person = {"full_name": FULL_NAME, "id_document": ID_DOCUMENT, "address": ADDRESS, "contact": CONTACT}
    facts = {
        "declaration_id": declaration_id,
        "number": number,
        "tracking_code": "ABCDEFGH23",
        "kind": "register",
        "agency": AGENCY,
        "insurance_code": INSURANCE_CODE,
        "phone": CONTACT.phone,
        "applicant": Applicant(**person, photos={"portrait": "uploads/1.jpg"}),
        "submitted_at": AT,
        "expires_at": AT + timedelta(days=10),
    }
    return Declaration(**facts | changes)
