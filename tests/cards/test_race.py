"""Several instances of cards and one account, on PostgreSQL, where rows really lock."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from services.cards import models
from services.cards.handlers import issue_card
from services.cards.service import Cards
from shared.language.clock import utc_now
from tests.support.databases import announced, service_database
from tests.support.events import card_requested

ACCOUNTS = 20


@pytest.fixture
def database(postgresql_settings):
    with service_database("cards", postgresql_settings) as database:
        yield database


@pytest.fixture
def cards(database):
    service = Cards()
    service.database = database
    return service


def wait_until_somebody_waits_for_a_lock(database, *, seconds=10):
    deadline = time.monotonic() + seconds
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while time.monotonic() < deadline:
        with database.begin() as session:
            if session.scalar(waiting):
                return
    raise AssertionError("nobody waits")


def test_the_second_waits_and_finds_the_card_issued(database, cards):
    event = card_requested()
    with ThreadPoolExecutor(1) as second:
        with database.begin() as session:
            issue_card(session, event, at=utc_now())
            session.flush()
            outcome = second.submit(cards.on_card_requested, event)
            wait_until_somebody_waits_for_a_lock(database)
        outcome.result(timeout=10)
    with database.begin() as session:
        card = models.card_of(session, event.account_id)
    assert announced(database) == [card.issued_event()]


def test_two_at_once_issue_one_card_an_account(database, cards):
    events = [card_requested(account_id=f"account-{i}", insurance_code=f"79000{i:05d}") for i in range(ACCOUNTS)]
    together = threading.Barrier(2)

    def hear_all():
        for event in events:
            together.wait(timeout=10)
            cards.on_card_requested(event)

    with ThreadPoolExecutor(2) as instances:
        for instance in [instances.submit(hear_all) for _ in range(2)]:
            instance.result(timeout=60)
    told = announced(database)
    assert sorted(event.account_id for event in told) == sorted(event.account_id for event in events)
    assert len({event.serial for event in told}) == ACCOUNTS
    with database.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(models.cards)) == ACCOUNTS
