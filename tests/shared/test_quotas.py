"""Counting what may be done so often, in the transaction that does it, by all instances together."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.registration import models
from shared.language.errors import Locked, TooMany
from shared.language.limits import Limit, read_limit
from shared.storage.quotas import check, count, forget_quotas
from tests.support.databases import service_database
from tests.support.events import AT

HOURLY = Limit("hourly", 3, timedelta(hours=1))
QUOTAS = models.metadata.tables["quotas"]


@pytest.fixture(params=["settings", "postgresql_settings"], ids=["sqlite", "postgresql"])
def database(request):
    with service_database("registration", request.getfixturevalue(request.param)) as database:
        yield database


def test_as_often_as_the_limit_says_and_no_more(database):
    for _ in range(3):
        database.run(count, [(HOURLY, "a")], at=AT)
    with pytest.raises(TooMany) as refusal:
        database.run(count, [(HOURLY, "a")], at=AT + timedelta(minutes=50))
    assert refusal.value.retry_after == 600
    database.run(count, [(HOURLY, "a")], at=AT + timedelta(hours=1))


def test_several_limits_are_counted_together_or_not_at_all(database):
    other = Limit("other", 1, timedelta(hours=1), Locked)
    database.run(count, [(HOURLY, "a"), (other, "a")], at=AT)
    with pytest.raises(Locked):
        database.run(count, [(HOURLY, "a"), (other, "a")], at=AT)
    database.run(count, [(HOURLY, "a"), (HOURLY, "b")], at=AT)
    with database.begin() as session:
        assert sorted(session.scalars(sa.select(QUOTAS.c.counted))) == [1, 1, 2]


def test_nothing_to_count_is_no_statement(database):
    database.run(count, [], at=AT)


def test_a_check_counts_nothing(database):
    for _ in range(3):
        database.run(check, HOURLY, "a", at=AT)
        database.run(count, [(HOURLY, "a")], at=AT)
    for _ in range(2):
        with pytest.raises(TooMany):
            database.run(check, HOURLY, "a", at=AT + timedelta(minutes=59))
    database.run(check, HOURLY, "a", at=AT + timedelta(hours=1))


def test_of_many_at_once_as_many_pass_as_the_limit_says(database):
    def once(_):
        try:
            database.run(count, [(HOURLY, "a"), (Limit("wide", 99, timedelta(hours=1)), "b")], at=AT)
        except TooMany:
            return "refused"
        return "counted"

    with ThreadPoolExecutor(4) as instances:
        outcomes = list(instances.map(once, range(12)))
    assert outcomes.count("counted") == 3


def test_counts_are_forgotten_once_their_window_is_over(database):
    database.run(count, [(HOURLY, "a")], at=AT)
    database.run(forget_quotas, before=AT + timedelta(hours=1))
    with database.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(QUOTAS)) == 1
    database.run(forget_quotas, before=AT + timedelta(hours=1, seconds=1))
    with database.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(QUOTAS)) == 0


def test_a_setting_is_read_as_a_limit():
    assert read_limit("phone", "5/day") == Limit("phone", 5, timedelta(days=1))
    assert read_limit("phone", "7 per 2 hours") == Limit("phone", 7, timedelta(hours=2))
