"""Working days are those on which offices in Vietnam work."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language.clock import VIETNAM, is_working_day, working_days_before
from tests.support.green import said_by

MONDAY = datetime(2026, 8, 3, 2, 0, tzinfo=UTC)
FRIDAY_MIDNIGHT = datetime(2026, 7, 31, tzinfo=VIETNAM)


def off(first, last):
    """Return the days from ``first`` to ``last`` on which offices are closed."""
    days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    each = [date.fromisoformat(first) + timedelta(days=day) for day in range(days)]
    return [day.isoformat() for day in each if not is_working_day(day)]


def test_offices_are_closed_over_the_lunar_new_year_of_2026():
    assert off("2026-02-12", "2026-02-24") == [f"2026-02-{day}" for day in range(14, 23)]


def test_offices_are_closed_over_the_lunar_new_year_of_2027():
    assert off("2027-02-03", "2027-02-12") == [f"2027-02-{day:02}" for day in range(4, 11)]


def test_a_holiday_on_a_sunday_is_made_up_for_on_monday():
    assert off("2026-04-23", "2026-05-05") == [
        *("2026-04-25", "2026-04-26", "2026-04-27"),
        *("2026-04-30", "2026-05-01", "2026-05-02", "2026-05-03"),
    ]


def test_a_saturday_exchanged_for_a_monday_is_worked():
    assert off("2026-08-20", "2026-09-04") == [
        *("2026-08-23", "2026-08-29", "2026-08-30", "2026-08-31", "2026-09-01", "2026-09-02"),
    ]


def test_a_saturday_exchanged_across_new_year_is_worked():
    assert off("2018-12-29", "2019-01-06") == ["2018-12-29", "2018-12-30", "2018-12-31", "2019-01-01", "2019-01-06"]


@pytest.mark.parametrize("year", [1900, 2101, 9999])
def test_outside_the_table_only_weekends_are_free(year):
    first = date(year, 1, 1)
    days = [first + timedelta(days=day) for day in range(365)]
    assert [is_working_day(day) for day in days] == [day.weekday() < 5 for day in days]


def test_a_process_that_counts_no_working_days_carries_no_calendar():
    script = "import json, sys; import shared.language.values; print(json.dumps('holidays' in sys.modules))"
    assert said_by(script) is False


@pytest.mark.parametrize(
    ("now", "days", "before"),
    [
        (MONDAY, 0, MONDAY),
        (MONDAY, 1, MONDAY - timedelta(days=3)),
        (MONDAY, 3, MONDAY - timedelta(days=5)),
        (MONDAY + timedelta(days=4), 3, MONDAY + timedelta(days=1)),
        (MONDAY - timedelta(days=1), 1, FRIDAY_MIDNIGHT),
        (MONDAY - timedelta(days=2), 1, FRIDAY_MIDNIGHT),
        (MONDAY, 10, MONDAY - timedelta(days=14)),
    ],
    ids=[
        "none",
        "over a weekend",
        "three over a weekend",
        "within a week",
        "from Sunday",
        "from Saturday",
        "two weeks",
    ],
)
def test_working_days_leave_weekends_out(now, days, before):
    assert working_days_before(now, days) == before


@given(st.timedeltas(timedelta(-9999), timedelta(9999)).map(MONDAY.__add__), st.integers(1, 40))
def test_between_two_moments_lie_so_many_working_days(now, days):
    before = working_days_before(now, days)
    passed = [before + timedelta(days=day) for day in range((now - before).days)]
    assert sum(is_working_day(moment.astimezone(VIETNAM).date()) for moment in passed) == days
    assert is_working_day(before.astimezone(VIETNAM).date())
