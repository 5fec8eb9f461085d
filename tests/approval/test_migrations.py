"""What approval's migrations do to rows that are there already."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command

from services.approval import models
from shared.storage import migrate
from tests.support.databases import service_database
from tests.support.events import AT

LOCKED = ("canbo.mau", AT, 5, AT + timedelta(minutes=15))


@pytest.fixture(params=["settings", "postgresql_settings"], ids=["sqlite", "postgresql"])
def settings_used(request):
    return request.getfixturevalue(request.param)


def test_names_that_are_locked_stay_locked(settings_used):
    configuration = migrate.configuration("approval", settings_used.database("approval"), models.metadata)
    with service_database("approval", settings_used) as database:
        with database.begin() as session:
            session.execute(sa.insert(models.sign_in_attempts).values(LOCKED))
        command.downgrade(configuration, "0004")
        with database.begin() as session:
            assert session.scalar(sa.text("SELECT tries FROM sign_in_tries")) == 5
        command.upgrade(configuration, "head")
        with database.begin() as session:
            assert session.execute(sa.select(models.sign_in_attempts)).all() == [LOCKED]
