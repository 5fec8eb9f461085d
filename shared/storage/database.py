"""Tables, sessions, the outbox and `announce`: what every desk's memory is made of."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, registry

from shared import logs
from shared.language.errors import Refused, Unavailable
from shared.language.events import Event
from shared.language.values import new_id
from shared.messaging import codec
from shared.settings import Settings
from shared.settings import read as read_settings

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
Answer = TypeVar("Answer")
MOST_AT_ONCE = 2  # times ``workers``: connections of one process at the most
BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts only INTEGER keys up by itself


class Moment(sa.TypeDecorator[datetime]):
    """A moment in UTC, aware on both sides; SQLite forgets the zone, so it is put back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Stored(sa.TypeDecorator[Any]):
    """A dataclass of texts and dataclasses, kept as JSON."""

    impl = sa.JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, kind: type) -> None:
        self.kind = kind
        super().__init__()

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return None if value is None else dataclasses.asdict(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        return codec.built(self.kind, value)


def mapping() -> registry:
    """Return the registry of one desk's tables, with the outbox and the remembered answers in it."""
    tables = registry(metadata=sa.MetaData(naming_convention=NAMING))
    outbox_table(tables.metadata)
    _answers(tables.metadata)
    _serials(tables.metadata)
    return tables


def outbox_table(metadata: sa.MetaData) -> sa.Table:
    """Facts on their way to the broker; columns after Debezium's outbox event router."""
    return sa.Table(
        "outbox",
        metadata,
        sa.Column("position", BigId, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("aggregatetype", sa.String(40), nullable=False),
        sa.Column("aggregateid", sa.String(64), nullable=False),
        sa.Column("type", sa.String(60), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
    )


def _answers(metadata: sa.MetaData) -> sa.Table:
    """First answers by idempotency key."""
    return sa.Table(
        "answers",
        metadata,
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("created_at", Moment, nullable=False, index=True),
    )


def _serials(metadata: sa.MetaData) -> sa.Table:
    """Counters, for databases without sequences (SQLite)."""
    return sa.Table(
        "serials",
        metadata,
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )


def next_serial(session: Session, name: str) -> int:
    """Return the next number of a sequence, never the same twice; a rolled-back one leaves a gap."""
    if session.get_bind().dialect.name == "postgresql":
        return int(session.execute(_drawing(name)).scalar_one())
    counted = session.execute(
        sa.text(
            "INSERT INTO serials (name, value) VALUES (:name, 1)"
            " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
        ),
        {"name": name},
    )
    return int(counted.scalar_one())


@cache
def _drawing(name: str) -> sa.Select[Any]:
    return sa.select(sa.func.nextval(f"{name}_serial"))


def insert(session: Session, table: sa.Table, thing: Any) -> None:
    """Write a thing into its table at once; for what is written once and read elsewhere, at half the cost of `add`."""
    session.execute(_inserting(table), {column.name: getattr(thing, column.name) for column in table.c})


@cache
def _inserting(table: sa.Table) -> sa.Insert:
    return sa.insert(table)


def announce(session: Session, event: Event) -> None:
    """Write the event into the outbox, so that it is told if and only if this transaction commits."""
    session.execute(
        _telling(session.info["outbox"], session.get_bind().dialect.name),
        {
            "id": new_id(),
            "aggregatetype": event.speaker,
            "aggregateid": event.subject,
            "type": event.name,
            "payload": codec.pack(event),
            "request_id": logs.request_id(),
            "created_at": event.at,
        },
    )
    session.info["announced"] = True


@cache
def _telling(outbox: sa.Table, dialect: str) -> Any:
    told = sa.insert(outbox)
    # the relay is woken without a question of its own
    return told.returning(sa.func.pg_notify("outbox", "")) if dialect == "postgresql" else told


class Database:
    """One desk's database.

    ``guard`` serialises sessions where several connections would block each other (SQLite under green
    threads); it is a context manager, and None means none is needed. ``on_announced`` is called after a
    commit that announced something.
    """

    def __init__(self, metadata: sa.MetaData, url: str, settings: Settings, guard: Any = None) -> None:
        self.metadata = metadata
        self.outbox = metadata.tables.get("outbox")
        self.engine = make_engine(url, settings)
        # an engine of its own: changing a connection's mode back and forth costs more than the mode saves
        self._reading = make_engine(url, settings, connections=settings.workers, isolation_level="AUTOCOMMIT")
        self.on_announced: Callable[[], None] = lambda: None
        self._guard = guard if self.engine.dialect.name == "sqlite" else None

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
        """Open a session that only reads: each query by itself, without the round trips of a transaction."""
        with self._guard or nullcontext(), self._session(self._reading) as session:
            yield session

    @contextmanager
    def _session(self, engine: sa.Engine) -> Iterator[Session]:
        session = Session(engine, expire_on_commit=False, info={"outbox": self.outbox})
        try:
            with session, session.begin():
                yield session
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable("unavailable", retry_after=2, dependency="database") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable("unavailable", retry_after=2, dependency="database") from error
            raise

    def surely_past(self, at: datetime) -> datetime:
        """Return the earlier of ``at``, our clock's now, and the database's: what cannot be undone waits for both."""
        if self.engine.dialect.name != "postgresql":
            return at  # a file has no clock of its own
        with self.read() as session:
            return min(at, session.execute(sa.select(sa.func.now())).scalar_one())

    def clear_log(self) -> None:
        """Write SQLite's log back into the file and empty it: pages of deleted rows stand in it until then (S59).

        Where somebody reads meanwhile, it is left for the next time.
        """
        with self.read() as session:
            session.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def check(self) -> None:
        """Raise Unavailable when the database does not answer."""
        with self.begin() as session:
            session.execute(sa.select(1))


def make_engine(url: str, settings: Settings, connections: int | None = None, **options: Any) -> sa.Engine:
    """Return an engine with every time-out set, and connections for what a process usually does at once.

    That is its calls, its listeners' events, its timers and, in notification, its hands. In a burst they wait for
    each other: who finds none free for ``database_timeout`` gives up, and an event that does waits for its next round.
    """
    if url.startswith("sqlite"):
        arguments = {"timeout": 5, "check_same_thread": False}
        engine = sa.create_engine(url, hide_parameters=True, connect_args=arguments, **options)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        return engine
    milliseconds = int(settings.database_timeout * 1000)
    return sa.create_engine(
        url,
        **options,
        hide_parameters=True,
        json_serializer=_json,
        json_deserializer=orjson.loads,
        pool_size=connections or MOST_AT_ONCE * settings.workers,
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


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten (S59)
    connection.execute("PRAGMA foreign_keys=ON")


def answer_once(
    session: Session, key: str | None, fingerprint: str, now: datetime, act: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Do ``act`` and remember its answer under ``key``; the same key and fingerprint get that answer again.

    The row is written before the act, so that of two callers at once the second waits, and then finds
    an `IntegrityError`: `again_on_conflict` sends him through once more.

    Raises:
        Refused: ``idempotency_key_reused``, the key came with another body before.
    """
    if not key:
        return act()
    known_one, keep, complete = _answering(session.info["outbox"].metadata)
    known = session.execute(known_one, {"the_key": key}).first()
    if known is None:
        session.execute(keep, {"key": key, "fingerprint": fingerprint, "answer": {}, "created_at": now})
        answer = act()
        session.execute(complete, {"the_key": key, "answer": answer})
        return answer
    if known.fingerprint != fingerprint:
        raise Refused("idempotency_key_reused")
    return dict(known.answer)


@cache
def _answering(metadata: sa.MetaData) -> tuple[Any, Any, Any]:
    """Return the statements that look an answer up, keep its place, and fill it in."""
    table = metadata.tables["answers"]
    here = table.c.key == sa.bindparam("the_key")
    filled = sa.update(table).where(here).values(answer=sa.bindparam("answer", type_=table.c.answer.type))
    return sa.select(table.c.fingerprint, table.c.answer).where(here), sa.insert(table), filled


def forget_answers(session: Session, before: datetime) -> None:
    """Delete the answers remembered before a moment."""
    table = session.info["outbox"].metadata.tables["answers"]
    session.execute(sa.delete(table).where(table.c.created_at < before))


def again_on_conflict(act: Callable[[], Answer]) -> Answer:
    """Do ``act``; where another transaction was first with the same key, do it once more and see its result."""
    try:
        return act()
    except IntegrityError:
        return act()


def open_database(service: str, metadata: sa.MetaData) -> Database:
    """Open the database of a service for a command, where the environment says it is.

    Raises:
        SettingsError: a setting cannot be used.
    """
    configured = read_settings()
    return Database(metadata, configured.database(service), configured)
