"""What a desk's methods are given: its database, the store of files, its clients."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import eventlet
from eventlet import tpool
from eventlet.semaphore import Semaphore
from nameko.extensions import DependencyProvider

from shared.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from shared.storage import database, seals

Result = TypeVar("Result")


def in_thread(act: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """Do something that would hold up every green thread (hashing, pictures, files) in a real thread."""
    return tpool.execute(act, *arguments, **named)


def in_time(seconds: float, late: BaseException, act: Callable[..., Result], *arguments: Any) -> Result:
    """Do something that waits for somebody outside; raise ``late`` when it takes longer than ``seconds``."""
    with eventlet.Timeout(seconds, late):
        return act(*arguments)


class Database(DependencyProvider):
    """The desk's own database."""

    def __init__(self, metadata: "MetaData") -> None:
        self.metadata = metadata

    def setup(self) -> None:
        from shared.storage import database  # here, so that the gateway, which has none, does not carry SQLAlchemy

        config = self.container.config
        url = config["SETTINGS"].database(self.container.service_name)
        self.database = database.Database(self.metadata, url, config["SETTINGS"], guard=Semaphore())
        if config.get("TOWN") is not None:
            config["TOWN"].carry_from(self.container.service_name, self.database)

    def get_dependency(self, worker_ctx: Any) -> "database.Database":
        return self.database

    def check(self) -> None:
        self.database.check()


class Files(DependencyProvider):
    """The store of pictures and papers."""

    def setup(self) -> None:
        self.files = GreenStore(self.container.config["SETTINGS"].store)

    def get_dependency(self, worker_ctx: Any) -> "GreenStore":
        return self.files

    def check(self) -> None:
        self.files.check()


class GreenStore:
    """`shared.storage.files.Store` with every call in a real thread."""

    def __init__(self, url: str) -> None:

        from shared.storage.files import Store  # here, so that who keeps no files does not carry the library

        self._store = Store(url)

    def put(self, key: str, data: bytes) -> None:
        in_thread(self._store.put, key, data)

    def get(self, key: str) -> bytes:
        return in_thread(self._store.get, key)

    def remove(self, key: str) -> None:
        in_thread(self._store.remove, key)

    def older(self, folder: str, before: datetime) -> list[str]:
        return in_thread(lambda: list(self._store.older(folder, before)))

    def check(self) -> None:
        in_thread(self._store.check)


class Client(DependencyProvider):
    """A client of somebody outside, made once a process from the settings."""

    def __init__(self, make: Callable[[Settings], Any]) -> None:
        self.make = make

    def setup(self) -> None:
        self.client = self.make(self.container.config["SETTINGS"])

    def get_dependency(self, worker_ctx: Any) -> Any:
        return self.client


class Setting(DependencyProvider):
    """One value of the settings."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_dependency(self, worker_ctx: Any) -> Any:
        return getattr(self.container.config["SETTINGS"], self.name)


class Sealed(DependencyProvider):
    """The seal for secrets in events."""

    def setup(self) -> None:
        from shared.storage import seals  # here, so that who seals nothing does not carry the library

        self.seal = seals.Seal(self.container.config["SETTINGS"].seal_key)

    def get_dependency(self, worker_ctx: Any) -> "seals.Seal":
        return self.seal
