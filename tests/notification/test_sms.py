"""What fits into an SMS."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notification.domain.sms import GSM, composed, folded, is_gsm, segments

PLAIN = {"a": "aăâ", "e": "eê", "i": "i", "o": "oôơ", "u": "uư", "y": "y"}
TONES = ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
VOWELS = [
    (unicodedata.normalize("NFC", vowel + tone), plain)
    for plain, vowels in PLAIN.items()
    for vowel, tone in itertools.product(vowels, TONES)
]
CHARACTERS = [*VOWELS, ("đ", "d")]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_vietnamese_character_is_folded_to_its_plain_one(form):
    for character, plain in CHARACTERS:
        assert folded(unicodedata.normalize(form, character)) == plain
        assert folded(unicodedata.normalize(form, character.upper())) == plain.upper()
    assert len(CHARACTERS) == 73


def test_a_whole_sentence_is_folded_character_by_character():
    assert folded("Nguyễn Thị Ánh Đào ở Quảng Ngãi, đường Lê Lợi") == "Nguyen Thi Anh Dao o Quang Ngai, duong Le Loi"


@pytest.mark.parametrize(
    ("foreign", "plain"),
    [
        ("“Trường” – số 5…", '"Truong" - so 5...'),
        ("a\u00a0b\u202fc", "a b c"),
        ("`", "'"),
        ("Müller", "Muller"),
        ("Straße", "Straße"),
        ("안", "An"),
        ("\ufffd\ufffc\x00\x1b\x0c", ""),
        ("？", "?"),
    ],
)
def test_foreign_signs_get_a_readable_spelling(foreign, plain):
    assert folded(foreign) == plain


def test_an_emoji_becomes_words_and_never_a_question_mark():
    assert is_gsm(folded("Xong 👍🏽 👨‍👩‍👧"))
    assert "?" not in folded("Xong 👍🏽 👨‍👩‍👧 🇻🇳")


@given(st.text())
def test_whatever_is_folded_is_gsm_and_has_no_question_mark_of_its_own(text):
    plain = folded(text)
    assert set(plain) <= GSM
    assert "?" not in plain or "?" in unicodedata.normalize("NFKC", text)


def test_every_character_there_is_folds_into_gsm():
    for number in itertools.chain(range(0xD800), range(0xE000, 0x110000)):
        character = chr(number)
        plain = folded(character)
        assert set(plain) <= GSM
        assert "?" not in plain or "?" in unicodedata.normalize("NFKD", character), hex(number)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 459, 3),
        ("a" * 460, 4),
        ("{" * 80, 1),
        ("{" * 80 + "a", 2),
        ("ạ" * 70, 1),
        ("ạ" * 71, 2),
        ("ạ" * 134, 2),
        ("ạ" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_segments_are_counted_as_carriers_bill_them(text, count):
    assert segments(text) == count


def test_an_escaped_sign_is_not_split_between_segments():
    assert segments("a" * 152 + "{" + "a" * 151) == 2
    assert segments("a" * 152 + "{" + "a" * 152) == 3


def test_a_surrogate_pair_is_not_split_between_segments():
    assert segments("ạ" * 66 + "😀" + "ạ" * 65) == 2
    assert segments("ạ" * 66 + "😀" + "ạ" * 66) == 3


@given(st.text(alphabet=st.sampled_from("abc {}€ạ😀"), max_size=400))
def test_another_character_never_makes_a_text_cheaper(text):
    assert segments(text) <= segments(text + "a")


def test_advice_is_left_out_before_a_value_is_cut():
    reason = "b" * 300
    assert composed("{reason}", " advice", "!", {"reason": reason}, shortens="reason", accents=False) == reason + "!"


def test_a_value_too_long_is_cut_to_exactly_two_segments():
    text = composed("{reason}", " advice", " end", {"reason": "b" * 1000}, shortens="reason", accents=False)
    assert text.endswith("bbb... end")
    assert len(text) == 306


@given(st.text(max_size=600), st.booleans())
def test_whatever_the_value_two_segments_are_enough(reason, accents):
    text = composed("Lý do: {reason}.", " Lời khuyên.", " Hết.", {"reason": reason}, shortens="reason", accents=accents)
    assert segments(text) <= 2


def test_braces_in_a_value_stay_as_they_are():
    text = composed("{reason}", "", "", {"reason": "{number} {0}"}, shortens="reason", accents=False)
    assert text == "{number} {0}"
