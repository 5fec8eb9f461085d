"""A sealed secret is opened with a key, in time, and not otherwise."""

import time

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import SettingsError
from shared.storage.seals import BrokenSeal, Seal, new_key

KEY = new_key()
SEAL = Seal(KEY)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_secret_is_read_again_by_the_same_key(secret):
    assert SEAL.open(SEAL.close(secret), max_age=60) == secret


def test_a_sealed_secret_does_not_show_it_and_never_looks_the_same_twice():
    one, other = SEAL.close("ABCD2345EF"), SEAL.close("ABCD2345EF")
    assert "ABCD2345EF" not in one
    assert one != other


def test_another_key_does_not_open_it():
    with pytest.raises(BrokenSeal):
        Seal(new_key()).open(SEAL.close("ABCD2345EF"), max_age=60)


@pytest.mark.parametrize(
    "damage", [lambda sealed: sealed[:-5], lambda sealed: "A" + sealed, lambda _: "", lambda _: "Mẫu"]
)
def test_a_damaged_seal_is_not_opened(damage):
    with pytest.raises(BrokenSeal):
        SEAL.open(damage(SEAL.close("ABCD2345EF")), max_age=60)


def test_a_seal_older_than_its_life_is_not_opened():
    sealed = Fernet(KEY).encrypt_at_time(b"ABCD2345EF", int(time.time()) - 100).decode()
    assert SEAL.open(sealed, max_age=1000) == "ABCD2345EF"
    with pytest.raises(BrokenSeal):
        SEAL.open(sealed, max_age=99)


def test_what_was_sealed_before_the_clock_was_set_back_is_opened():
    sealed = Fernet(KEY).encrypt_at_time(b"ABCD2345EF", int(time.time()) + 3600).decode()
    assert SEAL.open(sealed, max_age=60) == "ABCD2345EF"


def test_the_first_key_seals_and_every_key_opens():
    new = new_key()
    both = Seal(f"{new},{KEY}")
    assert both.open(SEAL.close("ABCD2345EF"), max_age=60) == "ABCD2345EF"
    assert Seal(new).open(both.close("ABCD2345EF"), max_age=60) == "ABCD2345EF"
    with pytest.raises(BrokenSeal):
        SEAL.open(both.close("ABCD2345EF"), max_age=60)


def test_a_key_is_changed_in_three_steps_while_secrets_are_under_way():
    """While one service has taken a step and the other has not, each opens what the other seals."""
    new = new_key()
    now, added, first, done = Seal(KEY), Seal(f"{KEY} {new}"), Seal(f"{new} {KEY}"), Seal(new)
    for one, other in [(now, added), (added, now), (added, first), (first, added), (first, done), (done, first)]:
        assert other.open(one.close("ABCD2345EF"), max_age=60) == "ABCD2345EF"


def test_an_old_key_opens_what_was_sealed_before_the_clock_was_set_back():
    sealed = Fernet(KEY).encrypt_at_time(b"ABCD2345EF", int(time.time()) + 3600).decode()
    assert Seal(f"{new_key()} {KEY}").open(sealed, max_age=60) == "ABCD2345EF"


def test_an_old_key_does_not_make_a_seal_younger():
    sealed = Fernet(KEY).encrypt_at_time(b"ABCD2345EF", int(time.time()) - 100).decode()
    with pytest.raises(BrokenSeal):
        Seal(f"{new_key()} {KEY}").open(sealed, max_age=99)


@pytest.mark.parametrize("keys", ["", ",", "short", "A" * 44, "khoá", f"{KEY},short"])
def test_a_key_that_cannot_be_used_is_named_by_its_setting(keys):
    with pytest.raises(SettingsError) as refusal:
        Seal(keys)
    assert str(refusal.value) == "SEAL_KEY is not usable: it takes keys of `vssid key`, newest first"
