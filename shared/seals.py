"""Secrets that travel in events, sealed: only who holds SEAL_KEY can write or read them.

cryptography's Fernet: authenticated encryption with the time of sealing inside, so that age is checked.
"""

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
            return self._fernet.decrypt(sealed.encode(), ttl=int(max_age)).decode()
        except InvalidToken:
            raise BrokenSeal("the seal is foreign, damaged or too old") from None


def new_key() -> str:
    """Return a fresh key for SEAL_KEY or LINK_KEY."""
    return Fernet.generate_key().decode()
