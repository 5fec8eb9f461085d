"""Which group and level a card states, and how its number is made."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cards.domain import (
    BEST_FIRST,
    CARD_NUMBER,
    Benefit,
    Payer,
    benefit_of,
    card_number,
    is_young_child,
    new_card,
)
from shared.language.clock import vietnam_day
from shared.language.errors import Invalid, Refused
from shared.language.events import CardIssued
from tests.support.events import AT, card_requested
from tests.support.people import AGENCY

TODAY = date(2026, 8, 3)
HOUSEHOLD = Benefit("GD", "hộ gia đình", Payer.HOUSEHOLD, 4)
CHILD = Benefit("TE", "trẻ em dưới 6 tuổi", Payer.BUDGET, 1)
DIGITS = "0123456789"


def benefits(*groups: Benefit) -> dict[str, Benefit]:
    return {one.group_code: one for one in (HOUSEHOLD, CHILD, *groups)}


def group(code: str, level: int, payer: str = Payer.BUDGET) -> Benefit:
    return Benefit(code, "nhóm mẫu", payer, level)


def test_a_person_in_no_group_belongs_to_a_household():
    assert benefit_of([], "1990-03-12", benefits(), TODAY) == HOUSEHOLD


def test_a_group_somebody_is_in_goes_before_the_household():
    enterprise = group("DN", 4, Payer.EMPLOYER)
    assert benefit_of(["DN"], "1990-03-12", benefits(enterprise), TODAY) == enterprise


def test_a_group_without_a_level_today_does_not_count():
    assert benefit_of(["ZZ"], "1990-03-12", benefits(), TODAY) == HOUSEHOLD


@pytest.mark.parametrize(("better", "worse"), [(5, 1), (1, 2), (2, 3), (3, 4)], ids=lambda level: f"level {level}")
def test_of_several_groups_the_best_benefit_counts(better, worse):
    table = benefits(group("AA", worse), group("ZZ", better))
    assert benefit_of(["AA", "ZZ"], "1990-03-12", table, TODAY).level == better
    assert benefit_of(["ZZ", "AA"], "1990-03-12", table, TODAY).level == better


def test_of_two_groups_of_one_level_the_law_s_order_of_payers_decides():
    pupil, enterprise = group("HS", 4, Payer.SUPPORTED), group("DN", 4, Payer.EMPLOYER)
    assert benefit_of(["HS", "DN"], "1990-03-12", benefits(pupil, enterprise), TODAY) == enterprise


def test_a_child_under_six_is_in_the_group_of_children():
    assert benefit_of([], "2021-01-01", benefits(), TODAY) == CHILD


def test_a_child_keeps_its_level_where_another_group_is_worse():
    assert benefit_of(["HN"], "2021-01-01", benefits(group("HN", 2)), TODAY) == CHILD


def test_without_a_level_for_households_there_is_no_card():
    with pytest.raises(Refused) as refusal:
        benefit_of([], "1990-03-12", {}, TODAY)
    assert refusal.value.code == "no_benefit_level"


@pytest.mark.parametrize(
    ("birth_date", "young"),
    [
        ("2020-08-03", False),
        ("2020-08-04", True),
        ("2026-08-03", True),
        ("1990-03-12", False),
        ("2020", True),
        ("2019", False),
    ],
    ids=["six today", "six tomorrow", "born today", "grown up", "six this year, day unknown", "six last year"],
)
def test_a_child_is_young_until_its_sixth_birthday(birth_date, young):
    assert is_young_child(birth_date, TODAY) is young


def test_a_child_of_the_29th_of_february_is_young_to_the_end_of_february():
    assert is_young_child("2020-02-29", date(2026, 2, 28))
    assert not is_young_child("2020-02-29", date(2026, 3, 1))


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_six_years_are_six_years_whenever_somebody_was_born(born, today):
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    assert is_young_child(born.isoformat(), today) is (age < 6)


@given(
    code=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2),
    level=st.sampled_from(BEST_FIRST),
    agency_code=st.text(DIGITS, min_size=3, max_size=3) | st.text(DIGITS, min_size=5, max_size=5),
    insurance_code=st.text(DIGITS, min_size=10, max_size=10),
)
def test_a_card_number_is_group_level_province_and_insurance_code(code, level, agency_code, insurance_code):
    number = card_number(group(code, level), agency_code, insurance_code)
    assert CARD_NUMBER.fullmatch(number)
    assert (number[:2], number[2], number[3:5], number[5:]) == (code, str(level), agency_code[1:3], insurance_code)


@pytest.mark.parametrize(
    ("benefit", "agency_code", "insurance_code"),
    [
        (HOUSEHOLD, "079", "790000001"),
        (HOUSEHOLD, "079", "79000000177"),
        (HOUSEHOLD, "079", "7900000O17"),
        (HOUSEHOLD, "079", "٧٩٠٠٠٠٠٠١٧"),
        (HOUSEHOLD, "079", "7900000017\n"),
        (HOUSEHOLD, "07", "7900000017"),
        (group("gd", 4), "079", "7900000017"),
        (group("GD", 6), "079", "7900000017"),
    ],
    ids=["short", "long", "letter", "other digits", "line feed", "no province", "small letters", "no such level"],
)
def test_what_cannot_be_a_card_number_is_refused(benefit, agency_code, insurance_code):
    with pytest.raises(Invalid) as refusal:
        card_number(benefit, agency_code, insurance_code)
    assert refusal.value.code == "not_a_card_number"


def test_a_card_says_whose_it_is_and_from_which_day():
    card = new_card(card_requested(), HOUSEHOLD, card_id="card-1", serial=12, at=AT)
    assert (card.card_number, card.full_name, card.agency) == ("GD4797900000017", "Trần Thị Mẫu", AGENCY)
    assert (card.valid_from, card.five_years_from) == (TODAY, None)
    assert card.issued_event() == CardIssued(
        card_id="card-1",
        account_id="account-1",
        declaration_id="declaration-1",
        insurance_code="7900000017",
        card_number="GD4797900000017",
        serial=12,
        at=AT,
    )


def test_a_day_begins_in_vietnam():
    assert vietnam_day(datetime(2025, 12, 31, 16, 59, tzinfo=UTC)) == date(2025, 12, 31)
    assert vietnam_day(datetime(2025, 12, 31, 17, 0, tzinfo=UTC)) == date(2026, 1, 1)
