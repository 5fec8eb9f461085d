"""Secrets, sealed: those that travel in events under SEAL_KEY, those of authenticators at rest under OFFICER_KEY.

cryptography's Fernet: authenticated encryption with the time of sealing inside, so that age is checked.
"""

import time
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.settings import SettingsError, split_keys


class BrokenSeal(Exception):
    """The seal is foreign, damaged or too old."""


class Seal:
    """Seals and opens short secrets with Fernet keys (44 characters each, url-safe base64).

    ``keys`` is the setting ``name``: the first key seals, all of them open, so that a key is changed while something
    sealed is under way.

    Raises:
        SettingsError: there is no key, or one is not a Fernet key.
    """

    def __init__(self, keys: str, name: str = "SEAL_KEY") -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in split_keys(keys)])
        except ValueError:
            raise SettingsError(f"{name} is not usable: it takes keys of `vssid key`, newest first") from None

    def close(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str, max_age: float) -> str:
        """Return the secret.

        Raises:
            BrokenSeal: sealed with none of our keys, or older than ``max_age`` seconds.
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
    """Return a fresh key for SEAL_KEY, LINK_KEY, OFFICER_KEY or JOURNAL_KEY."""
    return Fernet.generate_key().decode()


def kept_key(file: Path) -> str:
    """Return the key in a file of the embedded system, which is made once and kept beside its data."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(new_key(), encoding="ascii")
    return file.read_text(encoding="ascii")
