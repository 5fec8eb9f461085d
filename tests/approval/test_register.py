"""Matching a declaration with the household register (S72-S74)."""

import unicodedata
from dataclasses import replace
from datetime import date

import pytest

from services.approval.domain.register import Match, Person, check_person, compare, is_birth_date, was_born_by
from shared.language.errors import Refused
from tests.support.people import INSURANCE_CODE

ID_NUMBER = "079190000017"
PERSON = Person(INSURANCE_CODE, "Đặng Thị Hồng", "1990-03-12", "female", ID_NUMBER)


@pytest.mark.parametrize(
    "name",
    [
        "Đặng Thị Hồng",
        "ĐẶNG THỊ HỒNG",
        "  đặng   thị hồng ",
        unicodedata.normalize("NFD", "Đặng Thị Hồng"),
    ],
    ids=["the same", "upper case", "spaces", "decomposed"],
)
def test_a_name_matches_in_any_case_spaces_and_unicode_form(name):
    assert compare(PERSON, name, ID_NUMBER) == Match.MATCHES
    assert check_person(PERSON, name, ID_NUMBER, confirmed=False) == PERSON


@pytest.mark.parametrize("confirmed", [True, False])
@pytest.mark.parametrize("name", ["Đặng Hồng", "Đặng Thị Hồng A", "Đặng Thị Hông Hồng", "Đặng Thị Hồngg", ""])
def test_another_name_does_not_match_whatever_is_confirmed(name, confirmed):
    assert compare(PERSON, name, ID_NUMBER) == Match.NAME_MISMATCH
    assert code_of_refusal(PERSON, name, ID_NUMBER, confirmed=confirmed) == "name_mismatch"


@pytest.mark.parametrize("name", ["Dang Thi Hong", "Đặng Thị Hông", "Đặng Thị Hộng", "ĐẶNG THỊ HỔNG"])
def test_a_name_with_other_accents_is_the_officer_s_to_confirm(name):
    assert compare(PERSON, name, ID_NUMBER) == Match.SPELLING_DIFFERS
    assert code_of_refusal(PERSON, name, ID_NUMBER) == "name_spelling_differs"
    assert check_person(PERSON, name, ID_NUMBER, confirmed=True) == PERSON


def test_no_confirmation_helps_against_another_id_number():
    assert compare(PERSON, "Dang Thi Hong", "079190000018") == Match.ID_MISMATCH
    assert code_of_refusal(PERSON, "Dang Thi Hong", "079190000018", confirmed=True) == "id_mismatch"


def code_of_refusal(*asked, confirmed=False):
    with pytest.raises(Refused) as refusal:
        check_person(*asked, confirmed=confirmed)
    return refusal.value.code


def test_a_code_that_nobody_has_is_not_registered():
    assert compare(None, "Đặng Thị Hồng", ID_NUMBER) == Match.CODE_NOT_REGISTERED
    assert code_of_refusal(None, "Đặng Thị Hồng", ID_NUMBER, confirmed=True) == "code_not_registered"


def test_another_id_number_does_not_match():
    assert compare(PERSON, PERSON.full_name, "079190000018") == Match.ID_MISMATCH
    assert code_of_refusal(PERSON, PERSON.full_name, "079190000018") == "id_mismatch"


@pytest.mark.parametrize(
    ("known", "declared"),
    [(None, ID_NUMBER), ("", ID_NUMBER), (" 079190000017 ", ID_NUMBER), ("c1234567", "C1234567")],
    ids=["unknown", "empty", "padded", "lower case"],
)
def test_an_id_number_matches_where_the_register_has_no_other(known, declared):
    assert compare(replace(PERSON, id_number=known), PERSON.full_name, declared) == Match.MATCHES


@pytest.mark.parametrize("declared", ["012345678", "C1234567"], ids=["cmnd", "passport"])
def test_a_paper_of_another_kind_says_nothing_of_the_one_the_register_knows(declared):
    assert compare(PERSON, PERSON.full_name, declared) == Match.MATCHES


@pytest.mark.parametrize("text", ["1990-03-12", "1990", "2024-02-29"])
def test_a_birth_date_is_a_day_or_a_year(text):
    assert is_birth_date(text)


@pytest.mark.parametrize(
    "text", ["", "199", "19900312", "1990-3-12", "12/03/1990", "2023-02-29", "1990-W10-1", "٢٠٢٤", "abcd", "1990-03"]
)
def test_anything_else_is_no_birth_date(text):
    assert not is_birth_date(text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("2026-08-03", True),
        ("2026", True),
        ("1900", True),
        ("2026-08-04", False),
        ("2027", False),
        ("1899-12-31", False),
    ],
)
def test_nobody_was_born_in_the_future_or_before_1900(text, right):
    assert was_born_by(text, date(2026, 8, 3)) is right
