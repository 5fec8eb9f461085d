"""Where pictures and forms are kept: a folder by default, S3 by URL; obstore gives both one interface.

obstore and not fsspec: fsspec reaches S3 over an asyncio thread that eventlet's patching breaks
(docs/decisions/0002).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from shared.language.errors import Unavailable, reason_of
from shared.settings import SettingsError


class FileStore:
    """Files by key; a key is ``folder/name.suffix``, made by us and never by a caller.

    A store that is full or out of reach raises `Unavailable`, whatever was asked of it; one that can never be used,
    `SettingsError` when it is made.
    """

    def __init__(self, url: str) -> None:
        try:
            self._files = _folder(url) if url.startswith("file:") else from_url(url)
        except (BaseError, OSError, ValueError) as error:
            raise SettingsError(f"STORE_URL={url!r} is not usable: {reason_of(error)}") from None

    def put(self, key: str, data: bytes) -> None:
        """Keep ``data`` under ``key``; a half-written file is never seen under its name."""
        with _answering():
            obstore.put(self._files, key, data)

    def get(self, key: str) -> bytes:
        """Return what lies under ``key``.

        Raises:
            FileNotFoundError: nothing does.
        """
        with _answering():
            return bytes(obstore.get(self._files, key).bytes())

    def remove(self, key: str) -> None:
        """Delete for good; nothing there is as good as deleted."""
        with _answering(), suppress(FileNotFoundError):
            obstore.delete(self._files, key)

    def older(self, folder: str, before: datetime) -> Iterator[str]:
        """Yield the keys of a folder that were last written before a moment."""
        with _answering():
            for page in obstore.list(self._files, folder):
                yield from (one["path"] for one in page if one["last_modified"] < before)

    def check(self) -> None:
        """Raise Unavailable when nothing can be kept here; a byte, because a full disk still takes an empty file."""
        self.put("ready", b"1")


def _folder(url: str) -> Any:
    files, path = from_url(url, mkdir=True), unquote(urlsplit(url).path)
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} cannot be written")
    return files


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise Unavailable(retry_after=2, dependency="files") from error
