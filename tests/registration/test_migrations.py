"""What registration's migrations do to rows that are there already."""

import pytest
import sqlalchemy as sa
from alembic import command

from services.registration import models
from services.registration.handlers.declaration import submit_declaration
from services.registration.schemas.declaration import read_declaration
from shared.storage import migrate
from tests.registration.rows import add_agency_and_pictures, upload
from tests.support.databases import service_database
from tests.support.events import AT
from tests.support.people import PHOTOS, declaration_form


@pytest.fixture(params=["settings", "postgresql_settings"], ids=["sqlite", "postgresql"])
def settings_used(request):
    return request.getfixturevalue(request.param)


def submit(database, phone, photos):
    checked = read_declaration(declaration_form(phone=phone, photos=photos)) | {"language": "vi"}
    return database.run(submit_declaration, checked, days=10, counted=(), at=AT).number


def test_a_pending_declaration_is_found_by_its_phone_and_on_the_way_back_the_oldest_of_a_code_waits(settings_used):
    configuration = migrate.configuration("registration", settings_used.database("registration"), models.metadata)
    others = {purpose: f"00000000-0000-4000-9000-00000000000{at}" for at, purpose in enumerate(PHOTOS)}
    with service_database("registration", settings_used) as database:
        add_agency_and_pictures(database)
        with database.begin() as session:
            session.add_all(upload(purpose, upload_id) for purpose, upload_id in others.items())
        first, second = submit(database, "0912345678", PHOTOS), submit(database, "0987654321", others)
        command.downgrade(configuration, "0002")
        command.upgrade(configuration, "head")
        columns = (models.declarations.c.number, models.declarations.c.phone, models.declarations.c.status)
        with database.begin() as session:
            found = session.execute(sa.select(*columns).order_by(models.declarations.c.number)).all()
        assert found == [(first, "+84912345678", "pending"), (second, "+84987654321", "rejected")]
