"""Registration's database, with one agency and the pictures of one applicant in it."""

from datetime import date

import pytest

from services.registration import models
from services.registration.domain.upload import Upload
from shared.language.values import upload_key
from tests.support.databases import desk_database
from tests.support.facts import AGENCY, AT, PHOTOS


@pytest.fixture
def database(settings):
    with desk_database("registration", settings) as database:
        furnish(database)
        yield database


def furnish(database):
    with database.begin() as session:
        models.put_agency(
            session,
            {
                "code": AGENCY.code,
                "name": AGENCY.name,
                "address": AGENCY.address,
                "province_code": "79",
                "opened_on": date(1995, 2, 16),
                "closed_on": None,
                "note": None,
            },
        )
        for purpose, upload_id in PHOTOS.items():
            session.add(picture(purpose, upload_id))


def picture(purpose, upload_id, **changes):
    facts = {
        "upload_id": upload_id,
        "purpose": purpose,
        "content_type": "image/jpeg",
        "bytes": 1000,
        "key": upload_key(purpose, upload_id, ".jpg"),
        "created_at": AT,
    }
    return Upload(**facts | changes)
