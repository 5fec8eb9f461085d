"""The values all desks speak of, and how they are written."""

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language.clock import VIETNAM, working_days_before
from shared.language.text import same_text, search_key, tidy, without_accents
from shared.language.values import Condition, condition, masked_phone, mobile_number

MONDAY = datetime(2026, 8, 3, 2, 0, tzinfo=UTC)
PREFIXES = (
    "032",
    "039",
    "052",
    "055",
    "056",
    "058",
    "059",
    "070",
    "076",
    "079",
    "081",
    "085",
    "086",
    "088",
    "089",
    "090",
    "096",
    "099",
)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_mobile_number_is_known_by_its_prefix(prefix):
    assert mobile_number(f"{prefix}1234567") == f"+84{prefix[1:]}1234567"


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
        "0312345678",
        "0512345678",
        "0612345678",
        "0711234567",
        "0801234567",
        "02838221234",
        "091234567",
        "09123456789",
        "+6591234567",
        "+1 912 345 6789",
        "0912FLOWER",
        "0912345678x",
        "0912345678 ext 5",
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
    ("one", "other"),
    [
        ("Nguyễn Văn Thử", "NGUYỄN VĂN THỬ"),
        ("Nguyễn Văn Thử", "  nguyễn\u00a0văn   thử "),
        ("Đặng Thị Mẫu", unicodedata.normalize("NFD", "ĐẶNG THỊ MẪU")),
        ("Hoà Thử", "hoà thử"),
    ],
    ids=["case", "spaces", "unicode form", "accent"],
)
def test_case_spaces_and_unicode_form_do_not_make_two_names(one, other):
    assert same_text(one, other)
    assert same_text(other, one)


@pytest.mark.parametrize("other", ["Nguyen Van Thu", "Nguyễn Vân Thử", "Nguyễn VănThử", "Nguyễn Văn", ""])
def test_accents_and_letters_make_two_names(other):
    assert not same_text("Nguyễn Văn Thử", other)


def test_a_text_is_tidied_to_nfc_and_single_spaces():
    assert tidy(unicodedata.normalize("NFD", " \tẤp  Mẫu\n")) == "Ấp Mẫu"


@given(st.text())
def test_a_tidy_text_stays_as_it_is(text):
    assert tidy(tidy(text)) == tidy(text)


def test_accents_are_folded_letter_by_letter():
    assert without_accents("Đặng Thị Mẫu đường ỞƠỚƯỰ") == "Dang Thi Mau duong OOOUU"


@pytest.mark.parametrize(
    "written", ["Đặng Thị Mẫu", "ĐẶNG  THỊ mẫu ", "dang thi mau", unicodedata.normalize("NFD", "đặng thị mẫu")]
)
def test_a_name_is_found_however_it_is_written(written):
    assert search_key(written) == "dang thi mau"


@pytest.mark.parametrize(
    ("now", "days", "before"),
    [
        (MONDAY, 0, MONDAY),
        (MONDAY, 1, MONDAY - timedelta(days=3)),
        (MONDAY, 3, MONDAY - timedelta(days=5)),
        (MONDAY + timedelta(days=4), 3, MONDAY + timedelta(days=1)),
        (MONDAY - timedelta(days=1), 1, MONDAY - timedelta(days=3)),
        (MONDAY - timedelta(days=2), 1, MONDAY - timedelta(days=3)),
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
    assert sum(moment.astimezone(VIETNAM).weekday() < 5 for moment in passed) == days
    assert before.astimezone(VIETNAM).weekday() < 5


@pytest.mark.parametrize(
    ("received_at", "expected"),
    [
        (None, Condition.AWAITING_VISIT),
        (MONDAY, Condition.RECEIVED),
        (MONDAY - timedelta(days=5), Condition.RECEIVED),
        (MONDAY - timedelta(days=5, seconds=1), Condition.OVERDUE),
    ],
    ids=["nobody has it", "just now", "three working days ago", "a second longer"],
)
def test_an_agency_has_three_working_days(received_at, expected):
    assert condition(received_at, MONDAY) == expected
