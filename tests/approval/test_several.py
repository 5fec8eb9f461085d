"""Several declarations of one insurance code: one is approved, the others give way, whichever comes first."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.approval import models
from services.approval.domain.register import Person
from services.approval.domain.review import Review
from services.approval.handlers.review import approve_declaration, close_review, open_review
from shared.language.errors import Refused
from shared.language.events import DeclarationApproved, DeclarationRejected
from shared.language.values import Status
from tests.support.databases import announced, service_database
from tests.support.events import AT, declaration_submitted, declaration_withdrawn
from tests.support.officers import add_officer, add_session
from tests.support.people import AGENCY, CONTACT, FULL_NAME, ID_DOCUMENT, INSURANCE_CODE

LATER = AT + timedelta(hours=1)
PERSON = Person(INSURANCE_CODE, FULL_NAME, "1990-03-12", "female", ID_DOCUMENT.number)
RACES = 30


@pytest.fixture(params=["settings", "postgresql_settings"], ids=["sqlite", "postgresql"])
def database(request):
    with service_database("approval", request.getfixturevalue(request.param)) as database:
        furnish(database)
        yield database


@pytest.fixture
def postgresql(postgresql_settings):
    with service_database("approval", postgresql_settings) as database:
        furnish(database)
        yield database


def furnish(database):
    with database.begin() as session:
        add_session(session, add_officer(session, "ours"), "token", LATER)


def submitted(count, **changes):
    names = {"declaration_id": f"declaration-{count}", "number": f"2026-{count:07d}"}
    return declaration_submitted(**names | changes)


def approve(database, count, at=LATER):
    database.run(approve_declaration, "token", f"2026-{count:07d}", PERSON, at=at)


def statuses(database):
    with database.begin() as session:
        return dict(session.execute(sa.select(models.reviews.c.declaration_id, models.reviews.c.status)).all())


def standing(database, count):
    with database.begin() as session:
        return models.standings(session, [models.get_review(session, f"2026-{count:07d}")]).get(INSURANCE_CODE)


def test_the_others_of_the_code_give_way_at_every_agency(database):
    elsewhere = {"agency": type(AGENCY)("07901", "Nơi khác", None)}
    for event in (submitted(1), submitted(2, **elsewhere), submitted(3), submitted(4, insurance_code="7900000025")):
        database.run(open_review, event)
    assert standing(database, 1).others_pending == 2
    approve(database, 3)
    assert statuses(database) == {
        "declaration-1": Status.REJECTED,
        "declaration-2": Status.REJECTED,
        "declaration-3": Status.APPROVED,
        "declaration-4": Status.PENDING,
    }
    approved, *ended = announced(database)
    assert (type(approved), approved.number) == (DeclarationApproved, "2026-0000003")
    assert [(type(one), one.number, one.reason) for one in ended] == [
        (DeclarationRejected, "2026-0000001", "another_declaration_approved"),
        (DeclarationRejected, "2026-0000002", "another_declaration_approved"),
    ]


def test_one_that_was_submitted_before_the_approval_and_arrives_after_it_gives_way_at_once(database):
    database.run(open_review, submitted(1))
    approve(database, 1)
    database.run(open_review, submitted(2))
    assert statuses(database)["declaration-2"] == Status.REJECTED
    assert announced(database)[-1].reason == "another_declaration_approved"


def test_one_that_was_submitted_after_the_approval_waits_and_cannot_be_approved(database):
    database.run(open_review, submitted(1))
    approve(database, 1)
    database.run(open_review, submitted(2, at=LATER + timedelta(seconds=1)))
    database.run(open_review, submitted(3, at=LATER + timedelta(seconds=2)))
    assert statuses(database)["declaration-2"] == Status.PENDING
    assert (standing(database, 2).account_exists, standing(database, 2).others_pending) == (True, 1)
    with pytest.raises(Refused) as refusal:
        approve(database, 2, at=LATER + timedelta(minutes=1))
    assert refusal.value.code == "account_exists"
    assert statuses(database)["declaration-2"] == Status.PENDING


def test_an_approval_that_crossed_a_withdrawal_keeps_nobody_out(database):
    database.run(open_review, submitted(1))
    approve(database, 1)
    database.run(close_review, declaration_withdrawn(declaration_id="declaration-1", number="2026-0000001", at=LATER))
    database.run(open_review, submitted(2, at=LATER + timedelta(seconds=1)))
    approve(database, 2, at=LATER + timedelta(minutes=1))
    assert statuses(database)["declaration-2"] == Status.APPROVED


def test_a_declaration_that_arrives_while_another_is_approved_gives_way(postgresql):
    """Neither transaction sees the other's rows; they wait for each other by the insurance code."""
    codes = [f"790001{count:04d}" for count in range(RACES)]
    for count, code in enumerate(codes):
        postgresql.run(open_review, submitted(2 * count, insurance_code=code, contact=CONTACT))
    with ThreadPoolExecutor(2) as instances:
        for count, code in enumerate(codes):
            late = submitted(2 * count + 1, insurance_code=code)
            done = [
                instances.submit(approve, postgresql, 2 * count),
                instances.submit(postgresql.run, open_review, late),
            ]
            for one in done:
                one.result()
    with postgresql.begin() as session:
        found = session.scalars(sa.select(Review)).all()
    assert sorted(one.status for one in found) == [Status.APPROVED] * RACES + [Status.REJECTED] * RACES
