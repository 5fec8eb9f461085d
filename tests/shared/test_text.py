"""How text is compared, tidied and searched."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language.text import same_text, search_key, tidy, without_accents


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
def test_accents_and_characters_make_two_names(other):
    assert not same_text("Nguyễn Văn Thử", other)


def test_a_text_is_tidied_to_nfc_and_single_spaces():
    assert tidy(unicodedata.normalize("NFD", " \tẤp  Mẫu\n")) == "Ấp Mẫu"


@given(st.text())
def test_a_tidy_text_stays_as_it_is(text):
    assert tidy(tidy(text)) == tidy(text)


def test_accents_are_folded_character_by_character():
    assert without_accents("Đặng Thị Mẫu đường ỞƠỚƯỰ") == "Dang Thi Mau duong OOOUU"


@pytest.mark.parametrize(
    "written", ["Đặng Thị Mẫu", "ĐẶNG  THỊ mẫu ", "dang thi mau", unicodedata.normalize("NFD", "đặng thị mẫu")]
)
def test_a_name_is_found_however_it_is_written(written):
    assert search_key(written) == "dang thi mau"
