"""How text is compared, tidied and searched."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language.text import (
    as_written,
    on_one_line,
    same_but_for_accents,
    same_name,
    search_key,
    tidy,
    without_accents,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nguyễn Văn Thử", "NGUYỄN VĂN THỬ"),
        ("Nguyễn Văn Thử", "  nguyễn\u00a0văn   thử "),
        ("Đặng Thị Mẫu", unicodedata.normalize("NFD", "ĐẶNG THỊ MẪU")),
        ("Hoà Thử", "hoà thử"),
        ("Hòa Thúy Khoẻ", "Hoà Thuý Khỏe"),
        ("Thùy Dương", unicodedata.normalize("NFD", "THUỲ DƯƠNG")),
        ("H'Hen Niê", "H’Hen Niê"),
        ("Đặng Đức", "Ðặng Ɖức"),
        ("Lê-Mẫu", "Lê\u2011Mẫu"),
        ("Y ƀĭng ÊƀAN", "Y Ƀĭng Êƀan"),
    ],
    ids=["case", "spaces", "unicode form", "accent", "tone", "tone apart", "apostrophe", "letter", "hyphen", "Êđê"],
)
def test_what_does_not_make_two_names(one, other):
    assert same_name(one, other)
    assert same_name(other, one)


@pytest.mark.parametrize("other", ["Nguyen Van Thu", "Nguyễn Vân Thử", "Nguyễn VănThử", "Nguyễn Văn", ""])
def test_accents_and_characters_make_two_names(other):
    assert not same_name("Nguyễn Văn Thử", other)


@pytest.mark.parametrize("other", ["Hoa", "Hoá", "Hóa", "Hỏa", "Hoả", "Hõa", "Họa", "Hoạ", "Hoă", "Hơa"])
def test_the_tone_itself_makes_two_names_that_agree_but_for_accents(other):
    assert not same_name("Hòa", other)
    assert same_but_for_accents("Hòa", other)


@pytest.mark.parametrize("other", ["Hòan", "Hò", "Hòa A", ""])
def test_other_characters_make_names_that_do_not_agree(other):
    assert not same_but_for_accents("Hòa", other)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("H’Hen ʼNiê", "H'Hen 'Niê"),
        ("Ðặng ðức Ɖinh ɖ", "Đặng đức Đinh đ"),
        ("Lê\u2011Mẫu – Thử", "Lê-Mẫu - Thử"),
        ("\u202a0912345678\u202c\u00a0\n", "0912345678"),
        ("Nguyễn Văn Thử", "Nguyễn Văn Thử"),
    ],
)
def test_look_alikes_and_what_is_pasted_along_are_put_right(typed, written):
    assert as_written(typed) == written
    assert as_written(written) == written


@given(st.text())
def test_what_is_searched_by_is_no_longer_than_the_name(text):
    assert len(search_key(text)) <= max(len(tidy(text)), len(unicodedata.normalize("NFC", text)))


@pytest.mark.parametrize("name", ["ß" * 100, "İ" * 100, "ŉ" * 100, "ﬃ" * 100, "없" * 100, "ǰ" * 100])
def test_no_letter_makes_what_a_name_is_searched_by_longer_than_its_column(name):
    assert len(search_key(name)) <= 100


def test_lines_of_an_address_become_one():
    assert on_one_line(" 12 Đường Mẫu,\r\n Xã Hóc Môn\n\nTP. Hồ Chí Minh\n") == (
        "12 Đường Mẫu, Xã Hóc Môn, TP. Hồ Chí Minh"
    )


def test_a_text_is_tidied_to_nfc_and_single_spaces():
    assert tidy(unicodedata.normalize("NFD", " \tẤp  Mẫu\n")) == "Ấp Mẫu"


@given(st.text())
def test_a_tidy_text_stays_as_it_is(text):
    assert tidy(tidy(text)) == tidy(text)


def test_accents_are_folded_character_by_character():
    assert without_accents("Đặng Thị Mẫu đường ỞƠỚƯỰ ƀĭng Ƀ") == "Dang Thi Mau duong OOOUU bing B"


@pytest.mark.parametrize(
    "written", ["Đặng Thị Mẫu", "ĐẶNG  THỊ mẫu ", "dang thi mau", unicodedata.normalize("NFD", "đặng thị mẫu")]
)
def test_a_name_is_found_however_it_is_written(written):
    assert search_key(written) == "dang thi mau"
