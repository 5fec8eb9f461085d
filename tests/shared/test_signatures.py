"""Signatures: the newest key signs, the public keys of all verify, and nothing else does."""

import pytest

from shared.settings import Settings, SettingsError
from shared.storage.seals import new_key
from shared.storage.signatures import Signer, is_signed

OLD, NEW = new_key(), new_key()


def signer(keys):
    return Signer(Settings(journal_key=keys))


def test_the_newest_key_signs_and_its_public_key_verifies():
    both = signer(f"{NEW},{OLD}")
    signature = both.sign("text")
    assert both.public_keys == [*signer(NEW).public_keys, *signer(OLD).public_keys]
    assert is_signed(both.public_keys[:1], "text", signature)
    assert not is_signed(both.public_keys[1:], "text", signature)
    assert is_signed(signer(f"{new_key()} {NEW}").public_keys, "text", signature)


@pytest.mark.parametrize("public_key", ["", "a", "ä", "not base64!", "AAAA", NEW])
def test_what_is_no_key_of_the_signer_signed_nothing(public_key):
    assert not is_signed([public_key], "text", signer(NEW).sign("text"))


@pytest.mark.parametrize("signature", ["", "a", "ä", "AAAA", signer(NEW).sign("other text"), signer(OLD).sign("text")])
def test_what_is_no_signature_of_the_text_is_refused(signature):
    assert not is_signed(signer(NEW).public_keys, "text", signature)


@pytest.mark.parametrize("keys", ["", ",", "short", f"{NEW} short"])
def test_a_key_that_cannot_be_used_is_named_by_its_setting(keys):
    with pytest.raises(SettingsError) as refusal:
        signer(keys)
    assert str(refusal.value) == "JOURNAL_KEY is not usable: it takes keys of `vssid key`, newest first"
