"""Several instances of registration and one person, on PostgreSQL, where rows really lock."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.registration import models, service
from services.registration.handlers.account import activate_account
from services.registration.service import Registration
from shared.language.clock import utc_now
from shared.language.errors import NotFound, Refused
from shared.settings import read
from tests.registration.rows import add_agency_and_pictures, upload
from tests.support.databases import announced, service_database
from tests.support.events import AT, declaration_approved
from tests.support.people import PHOTOS, declaration_form

INSTANCES = 4
CALLER = "192.0.2.1"
SUBMITTED = ["declaration_submitted", "declaration_acknowledged"]


@pytest.fixture
def database(postgresql_settings):
    with service_database("registration", postgresql_settings) as database:
        add_agency_and_pictures(database)
        yield database


@pytest.fixture
def registration(database):
    one = Registration()
    one.database, one.declaration_days = database, 10.0
    one.limits = service.submission_limits(read({"RATE_LIMITS": "off"}))
    return one


def at_once(act):
    """Do something in every instance at once; return the answers and the refusals."""
    with ThreadPoolExecutor(INSTANCES) as instances:
        doing = [instances.submit(act, count) for count in range(INSTANCES)]
    answers = [one.result() for one in doing if one.exception() is None]
    return answers, [one.exception() for one in doing if one.exception() is not None]


def test_of_several_declarations_of_one_person_at_once_one_is_accepted(registration, database):
    photos = [
        {purpose: f"00000000-0000-4000-9000-{count:04d}{at:08d}" for at, purpose in enumerate(PHOTOS)}
        for count in range(INSTANCES)
    ]
    with database.begin() as session:
        session.add_all(upload(purpose, one) for ids in photos for purpose, one in ids.items())
    answers, refusals = at_once(
        lambda count: registration.submit_declaration(
            declaration_form(photos=photos[count], email_copy=False), "vi", None, CALLER
        )
    )
    assert (len(answers), len(announced(database))) == (1, len(SUBMITTED))
    assert [(type(one), one.code) for one in refusals] == [(Refused, "declaration_pending")] * (INSTANCES - 1)


def test_of_several_declarations_with_one_key_at_once_each_gets_the_same_answer(registration, database):
    answers, refusals = at_once(
        lambda _: registration.submit_declaration(declaration_form(email_copy=False), "vi", "key-1", CALLER)
    )
    assert refusals == []
    assert answers == [answers[0]] * INSTANCES
    assert [event.name for event in announced(database)] == SUBMITTED


def test_an_approval_heard_several_times_at_once_opens_one_account(registration, database):
    number = registration.submit_declaration(declaration_form(email_copy=False), "vi", None, CALLER)["number"]
    with database.begin() as session:
        declaration = models.get_declaration(session, number)
    approval = declaration_approved(declaration_id=declaration.declaration_id, number=number)

    def activate(_):
        with database.begin() as session:
            activate_account(session, approval, password_hash="hash", sealed_password="sealed", at=AT)

    assert at_once(activate) == ([None] * INSTANCES, [])
    assert [event.name for event in announced(database)] == [
        *SUBMITTED,
        "account_activated",
        "card_requested",
    ]
    with database.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(models.accounts)) == 1


def test_a_clock_that_runs_ahead_of_the_database_ends_no_declaration(registration, monkeypatch):
    answer = registration.submit_declaration(declaration_form(email_copy=False), "vi", None, CALLER)
    monkeypatch.setattr(service, "utc_now", lambda: utc_now() + timedelta(days=11))
    registration.expire_declarations()
    assert registration.get_declaration(answer["number"], answer["tracking_code"])["status"] == "pending"


@pytest.mark.parametrize("number", ["2026-0000001\x00", "\ud800"], ids=ascii)
def test_a_number_postgresql_cannot_be_asked_for_finds_nothing(registration, number):
    with pytest.raises(NotFound):
        registration.get_declaration(number, "ABCDEFGH23")
