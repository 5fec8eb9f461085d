"""Rows that registration has before a declaration comes: its agency, and the pictures of the applicant."""

from datetime import date

from services.registration import models
from services.registration.domain.upload import Upload
from shared.language.values import upload_key
from tests.support.events import AT
from tests.support.people import AGENCY, PHOTOS

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
        models.put_agency(session, AGENCY_ROW)
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
