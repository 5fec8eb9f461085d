"""A sealed secret is read by who holds the key, in time, and by nobody else."""

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


def test_what_was_sealed_before_the_clock_was_put_back_is_opened():
    sealed = Fernet(KEY).encrypt_at_time(b"ABCD2345EF", int(time.time()) + 3600).decode()
    assert SEAL.open(sealed, max_age=60) == "ABCD2345EF"


@pytest.mark.parametrize("key", ["", "short", "A" * 44, "khoá"])
def test_a_key_that_is_none_is_said_so(key):
    with pytest.raises(SettingsError, match="SEAL_KEY"):
        Seal(key)
