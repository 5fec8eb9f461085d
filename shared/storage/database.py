"""Engines, sessions and transactions: one database a service."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, registry

from shared.language.errors import Unavailable, reason_of
from shared.settings import Settings, SettingsError
from shared.settings import read as read_settings
from shared.storage import idempotency
from shared.storage.columns import insert_on
from shared.storage.idempotency import JsonAnswer, idempotency_keys_table
from shared.storage.outbox import announced_table, outbox_table
from shared.storage.serials import serials_table

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
CONNECTIONS_PER_WORKER = 2
LOCKED_SECONDS = 5.0  # waited for another program that writes into the SQLite file
LOCKED_PAUSE = 0.05
RETRY_AFTER = 2  # seconds a caller is asked to wait where the database does not answer

P = ParamSpec("P")
Result = TypeVar("Result")
Handler = Callable[Concatenate[Session, P], Result]


class ConnectionLost(Unavailable):
    """The connection was lost while a session used it, and nothing was committed; another may be there already."""


def mapping() -> registry:
    """Return the registry of a service's tables, with those that every service has in it."""
    tables = registry(metadata=sa.MetaData(naming_convention=NAMING))
    for table in (outbox_table, announced_table, idempotency_keys_table, serials_table):
        table(tables.metadata)
    return tables


@dataclass(frozen=True)
class Replay(Generic[Result]):
    """How the JSON answer of a handler's result is made; ``again`` brings one that was kept up to date."""

    make: Callable[[Result], JsonAnswer]
    again: Callable[[Session, JsonAnswer], JsonAnswer] | None = None


class Database:
    """A service's database.

    ``guard`` serialises sessions where several connections would block each other (SQLite under green
    threads); it is a context manager, and None means none is needed. ``on_announced`` is called after a
    commit that announced something.
    """

    def __init__(
        self, metadata: sa.MetaData, url: str, settings: Settings, guard: AbstractContextManager[Any] | None = None
    ) -> None:
        self.metadata = metadata
        self.outbox = metadata.tables.get("outbox")
        patience = LOCKED_SECONDS if guard is None else LOCKED_PAUSE  # SQLite's own waiting holds up the process
        self.engine = make_engine(url, settings, patience=patience)
        # an engine of its own: switching a connection to autocommit and back costs more than autocommit saves
        self._reading = make_engine(
            url, settings, connections=settings.workers, patience=patience, isolation_level="AUTOCOMMIT"
        )
        self.on_announced: Callable[[], None] = lambda: None
        self._guard = guard if self.engine.dialect.name == "sqlite" else None

    def run(self, handler: Handler[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Call ``handler(session, …)`` in a transaction and commit; after a conflict, once more.

        A conflict is a unique key that another transaction was first to write: the second try sees its row. Once more,
        too, where the connection was lost before the commit: the server has restarted since it was opened. A SQLite
        file that another program has locked is waited for, without holding up whatever else this process does.

        Raises:
            Unavailable: the database does not answer, or not in time. What the handler raises rolls back.
        """
        deadline, is_again = time.monotonic() + LOCKED_SECONDS, False
        while True:
            try:
                return self._run(handler, *args, **kwargs)
            except IntegrityError:
                return self._run(handler, *args, **kwargs)
            except ConnectionLost:
                if is_again:
                    raise
                is_again = True
            except Unavailable as error:
                if not _is_locked(error.__cause__) or time.monotonic() > deadline:
                    raise
                time.sleep(LOCKED_PAUSE)

    def _run(self, handler: Handler[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        with self.begin() as session:
            return handler(session, *args, **kwargs)

    def once(
        self,
        key: str | None,
        body: Any,
        answer: "Replay[Result]",
        handler: Handler[P, Result],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> JsonAnswer:
        """Do as `run`, once for an idempotency key: sent again with the same body, it gets its first answer.

        ``key`` comes from `idempotency.scoped_key`.

        Raises:
            Refused: ``idempotency_key_reused``, the key came with another body before.
        """
        act = partial(_answered, answer.make, handler, args, kwargs)
        return self.run(act) if key is None else self.run(idempotency.once, key, body, act, answer.again)

    def query(self, handler: Handler[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Call ``handler(session, …)`` to read; each statement runs by itself, without a transaction's round trips."""
        try:
            return self._query(handler, *args, **kwargs)
        except ConnectionLost:
            return self._query(handler, *args, **kwargs)

    def _query(self, handler: Handler[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        with self.read() as session:
            return handler(session, *args, **kwargs)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open a session and its transaction; commit at the end, roll back on any error.

        Raises:
            Unavailable: the database does not answer, or not in time.
        """
        with self._guard or nullcontext(), self._session(self.engine) as session:
            yield session
        if session.info.get("announced"):
            self.on_announced()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that only reads."""
        with self._guard or nullcontext(), self._session(self._reading) as session:
            yield session

    @contextmanager
    def _session(self, engine: sa.Engine) -> Iterator[Session]:
        session = Session(engine, expire_on_commit=False, info={"outbox": self.outbox})
        try:
            with session, session.begin():
                yield session
                session.info["committing"] = True
        except (OperationalError, PoolTimeout, engine.dialect.loaded_dbapi.OperationalError) as error:
            raise _unavailable(_is_lost(error, session)) from error  # the driver's own error comes from COPY
        except DBAPIError as error:
            if error.connection_invalidated:
                raise _unavailable(_is_lost(error, session)) from error
            raise

    def earliest_now(self, at: datetime) -> datetime:
        """Return the earlier of ``at``, our clock's now, and the database's: what cannot be undone waits for both."""
        if self.engine.dialect.name != "postgresql":
            return at  # a file has no clock of its own
        with self.read() as session:
            return min(at, session.execute(sa.select(sa.func.now())).scalar_one())

    def clear_log(self) -> None:
        """Write SQLite's log back into the file and empty it: it holds pages of deleted rows until then (S59).

        Where another connection is reading, the log is left for the next time.
        """
        with self.read() as session:
            session.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def check(self) -> None:
        """Raise Unavailable when the database does not answer."""
        with self.begin() as session:
            session.execute(sa.select(1))


def _answered(
    answer: Callable[[Any], JsonAnswer], handler: Callable[..., Any], args: Any, kwargs: Any, session: Session
) -> JsonAnswer:
    return answer(handler(session, *args, **kwargs))


def _is_locked(cause: BaseException | None) -> bool:
    """Say whether another program has locked the SQLite file; nothing was committed then."""
    code = getattr(getattr(cause, "orig", cause), "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _is_lost(error: Exception, session: Session) -> bool:
    """Say whether a connection that was there is gone, and nothing that the session did was committed."""
    return isinstance(error, DBAPIError) and error.connection_invalidated and not session.info.get("committing")


def _unavailable(is_lost: bool) -> Unavailable:
    kind = ConnectionLost if is_lost else Unavailable
    return kind("unavailable", retry_after=RETRY_AFTER, dependency="database")


def insert(session: Session, table: sa.Table, thing: Any) -> bool:
    """Write a thing into its table at once, at half the cost of `Session.add`; say whether it is new.

    A row that has one of its unique keys stays as it is. Where another transaction is writing such a row, this one
    waits for it. The server reports no error, which would put the whole row, a person's data, into its log.
    """
    row = {column.name: getattr(thing, column.name) for column in table.c}
    return session.execute(_insert(table, session.get_bind().dialect.name), row).first() is not None


@cache
def _insert(table: sa.Table, dialect: str) -> Any:
    return insert_on(dialect, table).on_conflict_do_nothing().returning(*table.primary_key)


def make_engine(
    url: str, settings: Settings, connections: int | None = None, patience: float = LOCKED_SECONDS, **options: Any
) -> sa.Engine:
    """Return an engine with every time-out set, and connections for what a process usually does at once.

    That is its calls, its events, its timers and, in notification, its senders. In a burst they wait for each
    other: what finds no connection free for ``database_timeout`` fails, and an event that does is retried later.
    """
    if url.startswith("sqlite"):
        arguments = {"timeout": patience, "check_same_thread": False}
        engine = sa.create_engine(url, hide_parameters=True, connect_args=arguments, **options)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        return engine
    milliseconds = int(settings.database_timeout * 1000)
    return sa.create_engine(
        checked(url),
        **options,
        hide_parameters=True,
        json_serializer=_json,
        json_deserializer=orjson.loads,
        pool_size=connections or CONNECTIONS_PER_WORKER * settings.workers,
        max_overflow=0,  # one beyond the pool would be opened and closed for each piece of work
        pool_use_lifo=True,  # so that few are used where few are needed
        pool_timeout=settings.database_timeout,
        pool_pre_ping=False,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": 2,
            "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
            " -c idle_in_transaction_session_timeout=30000 -c timezone=UTC",
            "keepalives_idle": 10,
            "tcp_user_timeout": 5000,
        },
    )


def checked(url: str) -> sa.URL:
    """Return a URL that the driver can read.

    Raises:
        SettingsError: what stands behind its question mark is no option.
    """
    from psycopg2 import Error  # here, so that the embedded system does not load the driver
    from psycopg2.extensions import make_dsn

    parsed = sa.make_url(url)
    try:
        make_dsn(**{**parsed.translate_connect_args(username="user", database="dbname"), **parsed.query})
    except Error as error:
        raise SettingsError(f"DATABASE_URL is not usable: {reason_of(error)}") from None
    return parsed


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten (S59)
    connection.execute("PRAGMA foreign_keys=ON")


def open_database(service: str, metadata: sa.MetaData) -> Database:
    """Open the database of a service for a command, where the environment says it is.

    Raises:
        SettingsError: a setting cannot be used.
    """
    configured = read_settings()
    return Database(metadata, configured.database(service), configured)
