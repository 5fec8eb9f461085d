"""Signatures that anybody can check who has the public key: Ed25519, by cryptography."""

import base64
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.settings import Settings, SettingsError, are_keys, split_keys


class Signer:
    """Signs with the newest key of JOURNAL_KEY; ``public_keys`` are those of all of them, in url-safe base64.

    Raises:
        SettingsError: there is no key, or one is not 32 bytes in url-safe base64.
    """

    def __init__(self, settings: Settings) -> None:
        keys = split_keys(settings.journal_key)
        if not keys or not are_keys(settings.journal_key):
            raise SettingsError("JOURNAL_KEY is not usable: it takes keys of `vssid key`, newest first")
        self._keys = [Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(key)) for key in keys]
        self.public_keys = [_text(key.public_key().public_bytes_raw()) for key in self._keys]

    def sign(self, text: str) -> str:
        """Return the signature in url-safe base64."""
        return _text(self._keys[0].sign(text.encode()))


def is_signed(public_keys: Iterable[str], text: str, signature: str) -> bool:
    """Say whether one of the keys signed the text; what is no key or no signature signed nothing."""
    return any(_is_signed(key, text, signature) for key in public_keys)


def _is_signed(public_key: str, text: str, signature: str) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(public_key))
        key.verify(base64.urlsafe_b64decode(signature), text.encode())
    except (ValueError, InvalidSignature):
        return False
    return True


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
