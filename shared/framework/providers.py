"""What a service's methods are given: its database, the store of files, its clients."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import eventlet
from eventlet import tpool
from eventlet.semaphore import Semaphore
from nameko.extensions import DependencyProvider

from shared import logs
from shared.framework.isolated import IsolatedWork
from shared.language.errors import Unavailable, reason_of
from shared.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from shared.storage.database import Database
    from shared.storage.seals import Seal

Result = TypeVar("Result")

log = logs.log(__name__)


def in_thread(act: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """Do something that would hold up every green thread (hashing, pictures, files) in a real thread."""
    return tpool.execute(act, *arguments, **named)


def in_time(seconds: float, late: BaseException, act: Callable[..., Result], *arguments: Any) -> Result:
    """Do something that waits for somebody outside; raise ``late`` when it takes longer than ``seconds``."""
    with eventlet.Timeout(seconds, late):
        return act(*arguments)


class DatabaseProvider(DependencyProvider):
    """The service's own database."""

    def __init__(self, metadata: "MetaData") -> None:
        self.metadata = metadata

    def setup(self) -> None:
        from shared.storage.database import (
            Database,  # here, so that the gateway, which has none, does not load SQLAlchemy
        )

        settings = self.container.config["SETTINGS"]
        url = settings.database(self.container.service_name)
        self.database = Database(self.metadata, url, settings, guard=Semaphore())

    def start(self) -> None:
        self.container.spawn_managed_thread(self._look)

    def _look(self) -> None:
        """Say at once where no database answers: a service that waits for an event would not notice until then."""
        try:
            self.check()
        except Unavailable as error:
            log.warning("database_unavailable", reason=reason_of(error))

    def get_dependency(self, worker_ctx: Any) -> "Database":
        return self.database

    def check(self) -> None:
        self.database.check()


class FilesProvider(DependencyProvider):
    """The store of pictures and papers."""

    def setup(self) -> None:
        self.files = GreenFileStore(self.container.config["SETTINGS"].store)

    def get_dependency(self, worker_ctx: Any) -> "GreenFileStore":
        return self.files

    def check(self) -> None:
        self.files.check()


class GreenFileStore:
    """`shared.storage.files.FileStore` with every call in a real thread."""

    def __init__(self, url: str) -> None:

        from shared.storage.files import FileStore  # here, so that a service without files does not load the library

        self._store = FileStore(url)

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


class IsolatedWorkProvider(DependencyProvider):
    """Processes for work on what strangers sent; of the usual eight workers one never waits for it.

    ``module`` is loaded before the service takes its first call.
    """

    def __init__(self, module: str) -> None:
        self.module = module

    def setup(self) -> None:
        workers = self.container.config["SETTINGS"].workers
        processes = max(2, workers // 4)
        self.isolated = IsolatedWork(processes, waiting=max(2, workers - processes - 1))
        self.isolated.start(self.module)

    def stop(self) -> None:
        self.isolated.stop()

    def get_dependency(self, worker_ctx: Any) -> IsolatedWork:
        return self.isolated


class ClientProvider(DependencyProvider):
    """A client of a third party, made once a process from the settings."""

    def __init__(self, make: Callable[[Settings], Any]) -> None:
        self.make = make

    def setup(self) -> None:
        self.client = self.make(self.container.config["SETTINGS"])

    def get_dependency(self, worker_ctx: Any) -> Any:
        return self.client


class SettingProvider(DependencyProvider):
    """One value of the settings."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_dependency(self, worker_ctx: Any) -> Any:
        return getattr(self.container.config["SETTINGS"], self.name)


class SealProvider(DependencyProvider):
    """The seal for secrets in events."""

    def setup(self) -> None:
        from shared.storage.seals import Seal  # here, so that a service that seals nothing does not load the library

        self.seal = Seal(self.container.config["SETTINGS"].seal_key)

    def get_dependency(self, worker_ctx: Any) -> "Seal":
        return self.seal
