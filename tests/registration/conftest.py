"""Registration's database, with one agency and the pictures of one applicant in it."""

import pytest

from tests.registration.rows import add_agency_and_pictures
from tests.support.databases import service_database


@pytest.fixture
def database(settings):
    with service_database("registration", settings) as database:
        add_agency_and_pictures(database)
        yield database
