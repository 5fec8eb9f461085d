"""Which passwords officers may set, and the form in which they are hashed."""

import unicodedata

import pytest
from argon2 import PasswordHasher

from services.approval.domain.password import weakness
from shared.storage.passwords import hash_password, is_password, matching_form, normal_form

GOOD = "hoa-sen-xanh-bien"
ACCENTED = "Hoa sen nở ở Đồng Tháp"
LENGTH = "it has {} characters; it takes 10 to 128"
COMMON = "it is common, or easy to guess; several unrelated words are not"


@pytest.mark.parametrize(
    "password",
    [GOOD, ACCENTED, "mat-khau-can-bo-mot", "x7#Kq!v9Lw", "Ⅳ" + GOOD, f"{ACCENTED}, {GOOD}, " * 2 + "x7#Kq!v9Lw"],
)
def test_long_and_unknown_passwords_may_be_set(password):
    assert weakness(normal_form(password), "canbo.mau") is None


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("", LENGTH.format(0)),
        ("x7#Kq!v9L", LENGTH.format(9)),
        ("hoa-sen-" * 16 + "x", LENGTH.format(129)),
        ("hoa-sen\0xanh-bien", "it contains control or hidden characters, which cannot be typed at sign-in"),
        ("hoa-sen\u200bxanh-bien", "it contains control or hidden characters, which cannot be typed at sign-in"),
        ("hoa-sen\udc80xanh-bien", "it contains control or hidden characters, which cannot be typed at sign-in"),
        ("hoa\tsen\txanh\tbien", "it contains control or hidden characters, which cannot be typed at sign-in"),
        ("hoa-CANBO.MAU-xanh", "it contains the user name"),
        ("mat-khau-demo-2", "it was published as an example"),
        ("smoke-mat-khau-1764147600", "it was published as an example"),
        ("1234567890", "This is a top-100 common password."),
        ("password1234", "This is a very common password."),
        ("P@ssw0rd2023", "This is similar to a commonly used password."),
        ("aaaaaaaaaaaa", 'Repeats like "aaa" are easy to guess.'),
        ("matkhau@123", COMMON),
    ],
)
def test_short_known_and_unreadable_passwords_are_refused(password, said):
    assert weakness(password, "canbo.mau") == said


def test_a_short_user_name_may_stand_in_a_password_by_chance():
    assert weakness(GOOD, "hoa") is None


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_a_password_is_the_same_however_a_keyboard_writes_it(form):
    hashed = hash_password(f"  {unicodedata.normalize(form, ACCENTED)} ")
    for other in ("NFC", "NFD"):
        assert is_password(hashed, unicodedata.normalize(other, f"{ACCENTED} "))
    assert not is_password(hashed, ACCENTED.casefold())


def test_compatible_characters_are_one():
    assert is_password(hash_password("ﬁne-ｈｏａ-sen"), "fine-hoa-sen")


@pytest.mark.parametrize("kept", ["ﬁne-hoa-sen", unicodedata.normalize("NFD", ACCENTED), " hoa sen "])
def test_what_was_hashed_as_it_came_is_known_again_by_its_form(kept):
    hashed = PasswordHasher(time_cost=1, memory_cost=1024).hash(kept)
    assert matching_form(hashed, kept) == kept
    assert matching_form(hashed, "another-password") is None


def test_what_is_hashed_in_its_normal_form_is_not_hashed_again():
    assert matching_form(hash_password("ﬁne-hoa-sen"), "ﬁne-hoa-sen") == normal_form("ﬁne-hoa-sen") == "fine-hoa-sen"
