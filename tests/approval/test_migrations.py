"""What approval's migrations do to rows that are there already."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command

from services.approval import models
from services.approval.domain.officer import Officer
from services.approval.handlers.review import open_review
from shared.storage import migrate
from tests.support.databases import service_database
from tests.support.events import AT, declaration_submitted

LOCKED = ("canbo.mau", AT, 5, AT + timedelta(minutes=15))


@pytest.fixture(params=["settings", "postgresql_settings"], ids=["sqlite", "postgresql"])
def settings_used(request):
    return request.getfixturevalue(request.param)


def test_codes_that_were_approved_have_an_account(settings_used):
    configuration = migrate.configuration("approval", settings_used.database("approval"), models.metadata)
    with service_database("approval", settings_used) as database:
        for count, (kind, code) in enumerate((("register", "7900000017"), ("register", "7900000025"), ("stop", "1"))):
            event = declaration_submitted(
                declaration_id=f"declaration-{count}", number=f"2026-{count:07d}", kind=kind, insurance_code=code
            )
            database.run(open_review, event)
        with database.begin() as session:
            approved = models.reviews.c.declaration_id != "declaration-1"
            session.execute(sa.update(models.reviews).where(approved).values(status="approved", decided_at=AT))
        command.downgrade(configuration, "0005")
        command.upgrade(configuration, "head")
        with database.begin() as session:
            assert session.execute(sa.select(models.account_codes)).all() == [("7900000017", "declaration-0", AT)]


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


def test_officers_keep_their_passwords_and_sign_in_again(settings_used):
    configuration = migrate.configuration("approval", settings_used.database("approval"), models.metadata)
    with service_database("approval", settings_used) as database:
        command.downgrade(configuration, "0006")
        with database.begin() as session:
            session.execute(sa.text("INSERT INTO officers VALUES ('canbo.mau', '07921', 'officer', 'hash')"))
            opened = sa.text("INSERT INTO officer_sessions VALUES ('token hash', 'canbo.mau', :expires_at)")
            session.execute(opened, {"expires_at": (AT + timedelta(hours=8)).isoformat(" ")})
            session.execute(sa.insert(models.sign_in_attempts).values(LOCKED))
        command.upgrade(configuration, "head")
        with database.begin() as session:
            (kept,) = models.all_officers(session)
            assert kept == Officer("canbo.mau", "07921", "officer", "hash")
            assert models.running_sessions(session, AT) == []
            assert models.locks(session, AT) == {"canbo.mau": AT + timedelta(minutes=15)}
        command.downgrade(configuration, "0006")
        with database.begin() as session:
            assert session.execute(sa.text("SELECT * FROM officers")).all() == [
                ("canbo.mau", "07921", "officer", "hash")
            ]
        command.upgrade(configuration, "head")
