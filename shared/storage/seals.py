"""Secrets that travel in events, sealed: only who holds SEAL_KEY can write or read them.

cryptography's Fernet: authenticated encryption with the time of sealing inside, so that age is checked.
"""

import time

from cryptography.fernet import Fernet, InvalidToken

from shared.settings import SettingsError


class BrokenSeal(Exception):
    """The seal is foreign, damaged or too old."""


class Seal:
    """Seals and opens short secrets with one Fernet key (44 characters, url-safe base64)."""

    def __init__(self, key: str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise SettingsError("SEAL_KEY is missing or not a Fernet key: `vssid key` prints a new one") from None

    def close(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str, max_age: float) -> str:
        """Return the secret.

        Raises:
            BrokenSeal: not sealed with our key, or older than ``max_age`` seconds.
        """
        try:
            # Fernet's own check of the age also refuses what was sealed by a clock that has been put back since
            sealed_at = self._fernet.extract_timestamp(sealed.encode())
            if time.time() - sealed_at <= max_age:
                return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            pass
        raise BrokenSeal("the seal is foreign, damaged or too old")


def new_key() -> str:
    """Return a fresh key for SEAL_KEY or LINK_KEY."""
    return Fernet.generate_key().decode()
