"""Where pictures and papers lie: a folder by default, S3 by URL. obstore gives both one face.

obstore and not fsspec: fsspec reaches S3 over an asyncio thread that eventlet's patching breaks
(docs/decisions/0002).
"""

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url


class Store:
    """Files by key; a key is ``folder/name.suffix``, made by us and never by a caller."""

    def __init__(self, url: str) -> None:
        self._files = from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)

    def put(self, key: str, data: bytes) -> None:
        """Keep ``data`` under ``key``; a half-written file is never seen under its name."""
        obstore.put(self._files, key, data)

    def get(self, key: str) -> bytes:
        """Return what lies under ``key``.

        Raises:
            FileNotFoundError: nothing does.
        """
        return bytes(obstore.get(self._files, key).bytes())

    def remove(self, key: str) -> None:
        """Delete for good; nothing there is as good as deleted."""
        try:
            obstore.delete(self._files, key)
        except FileNotFoundError:
            return

    def check(self) -> None:
        """Raise OSError when nothing can be kept here."""
        try:
            self.put("ready", b"")
        except BaseError as error:
            raise OSError("the store keeps nothing") from error

    @property
    def local(self) -> bool:
        """Whether the files lie on this machine, so that a call is quick."""
        return isinstance(self._files, LocalStore)
