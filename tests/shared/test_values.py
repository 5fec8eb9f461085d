"""The values that all services speak of."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language.values import Condition, condition, masked_phone, mobile_number

MONDAY = datetime(2026, 8, 3, 2, 0, tzinfo=UTC)
# one of every network, inside the blocks that are in use (I23; the library knows the blocks)
NUMBERS = (
    "0321234567",
    "0391234567",
    "0523456789",
    "0559123456",
    "0561234567",
    "0581234567",
    "0591234567",
    "0701234567",
    "0761234567",
    "0791234567",
    "0811234567",
    "0851234567",
    "0861234567",
    "0871234567",
    "0881234567",
    "0899123456",
    "0901234567",
    "0961234567",
    "0993123456",
)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_of_every_mobile_network_is_known(number):
    assert mobile_number(number) == f"+84{number[1:]}"


@pytest.mark.parametrize(
    "written",
    ["0912345678", "+84912345678", "84912345678", "0084912345678", "0912 345 678", "0912.345.678", "(0912) 345-678"],
)
def test_one_number_written_in_many_ways_is_one_number(written):
    assert mobile_number(written) == "+84912345678"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "0541234567",
        "0612345678",
        "0711234567",
        "0801234567",
        "02838221234",
        "+842438221234",
        "01612345678",
        "01269876543",
        "+841612345678",
        "19001234",
        "18001234",
        "113",
        "091234567",
        "09123456789",
        "+6591234567",
        "+1 912 345 6789",
        "+1 415 555 2671",
        "+86 139 1234 5678",
        "+855912345678",
        "0912FLOWER",
        "0912345678x",
        "0912345678 ext 5",
        "0912345678;ext=5",
        "0912345678#5",
        "0912345678\n",
        "tel:0912345678",
        "０９１２３４５６７８",
        "7900000017",
        "0" * 5000,
    ],
    ids=lambda written: ascii(written)[:20],
)
def test_what_is_no_vietnamese_mobile_number_is_none(written):
    assert mobile_number(written) is None


@given(st.text() | st.text("+0123456789 ().-", max_size=20))
def test_a_mobile_number_has_one_form_or_none(written):
    number = mobile_number(written)
    assert number is None or (len(number), number[:3], mobile_number(number)) == (12, "+84", number)


def test_a_masked_number_shows_its_ends_only():
    assert masked_phone("+84912345678") == "+84•••••678"


@pytest.mark.parametrize(
    ("received_at", "expected"),
    [
        (None, Condition.AWAITING_VISIT),
        (MONDAY, Condition.RECEIVED),
        (MONDAY - timedelta(days=5), Condition.RECEIVED),
        (MONDAY - timedelta(days=5, seconds=1), Condition.OVERDUE),
    ],
    ids=["assigned to nobody", "just now", "three working days ago", "a second longer"],
)
def test_an_agency_has_three_working_days(received_at, expected):
    assert condition(received_at, MONDAY) == expected


def at(day, second=0):
    """Nine o'clock in the morning of a day in Vietnam, and so many seconds later."""
    return datetime.fromisoformat(f"{day}T02:00:00+00:00") + timedelta(seconds=second)


# (received, the last working day on which it is in time): decree 166/2016, and the calendar of the year
DEADLINES = [
    ("2026-02-11", "2026-02-23"),
    ("2026-02-12", "2026-02-24"),
    ("2026-02-13", "2026-02-25"),
    ("2027-02-01", "2027-02-11"),
    ("2027-02-02", "2027-02-12"),
    ("2027-02-03", "2027-02-15"),
    ("2026-04-29", "2026-05-06"),
    ("2027-04-29", "2027-05-06"),
    ("2026-04-24", "2026-05-04"),
    ("2026-08-28", "2026-09-07"),
    ("2026-08-20", "2026-08-24"),
    ("2027-09-01", "2027-09-08"),
    ("2025-12-31", "2026-01-06"),
]


@pytest.mark.parametrize(("received", "last"), DEADLINES)
def test_public_holidays_and_days_in_lieu_do_not_count(received, last):
    assert condition(at(received), at(last)) == Condition.RECEIVED
    assert condition(at(received), at(last, second=1)) == Condition.OVERDUE


@pytest.mark.parametrize(("received", "last"), DEADLINES)
def test_no_dossier_becomes_overdue_on_a_day_off(received, last):
    """Every hour from receipt to the deadline, Tết and weekends included."""
    hours = int((at(last) - at(received)).total_seconds() // 3600)
    assert {condition(at(received), at(received, second=3600 * hour)) for hour in range(hours + 1)} == {
        Condition.RECEIVED
    }
