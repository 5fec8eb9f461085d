"""What registration's migrations do to rows that are there already."""

import pytest
import sqlalchemy as sa
from alembic import command

from services.registration import models
from services.registration.handlers.declaration import submit_declaration
from services.registration.schemas.declaration import read_declaration
from shared.storage import migrate
from shared.storage.outbox import announce
from tests.registration.rows import add_agency_and_pictures, upload
from tests.support.databases import announced, service_database
from tests.support.events import (
    AT,
    account_activated,
    card_issued,
    card_requested,
    declaration_acknowledged,
    declaration_submitted,
)
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


@pytest.fixture
def waiting(settings_used):
    """Return a function that upgrades over events of version 0.1 that wait in the outbox, and returns what waits then.

    Their bodies are as 0.1 wrote them, with fields that this version has no use for.
    """

    def upgraded(*events):
        configuration = migrate.configuration("registration", settings_used.database("registration"), models.metadata)
        with service_database("registration", settings_used) as database:
            command.downgrade(configuration, "0005")
            with database.begin() as session:
                for event in events:
                    announce(session, event)
                outbox = models.metadata.tables["outbox"]
                body = sa.func.replace(outbox.c.payload, '{"at"', '{"unknown":{"to":["this version"]},"at"')
                session.execute(sa.update(outbox).values(payload=body))
            command.upgrade(configuration, "head")
            told = announced(database)
            command.downgrade(configuration, "0005")
            assert announced(database) == list(events)
        return told

    return upgraded


def test_what_an_older_version_announced_reaches_who_hears_less_now(waiting):
    submitted, received = declaration_submitted(form_key="forms/1.pdf"), card_issued()
    activated = account_activated(birth_date="1990-03-12", gender="female")
    told = waiting(submitted, received, activated)
    assert told == [
        submitted,
        received,
        activated,
        declaration_acknowledged(form_key="forms/1.pdf"),
        card_requested(),
    ]


def test_an_empty_outbox_stays_empty(waiting):
    assert waiting() == []
