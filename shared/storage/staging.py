"""Many rows at once into a table: staged in a temporary one, looked through there, and merged by one statement."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from shared.storage.columns import insert_on

# An import takes as long as it takes: the limits of a connection are those of the services' statements
UNLIMITED = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


@dataclass(frozen=True)
class Counts:
    """What became of the rows that were merged."""

    added: int
    changed: int
    unchanged: int


class Staging:
    """Rows on their way into a table, each with its line in the file. It lasts as long as the transaction."""

    def __init__(self, session: Session, table: sa.Table) -> None:
        self._session, self._table = session, table
        columns = [sa.Column(column.name, column.type) for column in table.c]
        self._staged = sa.Table(
            f"staged_{table.name}",
            sa.MetaData(),
            sa.Column("line", sa.Integer),
            *columns,
            prefixes=["TEMPORARY"],
            postgresql_on_commit="DROP",
        )
        self._rows = 0
        self._on_postgresql = session.get_bind().dialect.name == "postgresql"
        if self._on_postgresql:
            for limit in UNLIMITED:
                session.execute(sa.text(f"SET LOCAL {limit} = 0"))
        session.execute(sa.schema.DropTable(self._staged, if_exists=True))  # SQLite keeps it with the connection
        self._staged.create(session.connection())

    def load(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Stage rows: a line, and the values in the order of the table's columns."""
        self._rows += len(rows)
        if not rows:
            return
        if self._on_postgresql and not _is_green(self._session):
            self._copy(rows)
        else:
            names = [column.name for column in self._staged.c]
            self._session.execute(sa.insert(self._staged), [dict(zip(names, row, strict=True)) for row in rows])

    def _copy(self, rows: Sequence[tuple[Any, ...]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        text.seek(0)
        cursor: Any = self._session.connection().connection.cursor()
        cursor.copy_expert(f"COPY {self._staged.name} FROM STDIN WITH (FORMAT csv)", text)
        cursor.close()

    def doubled(self) -> Iterator[tuple[int, int, Mapping[Any, Any]]]:
        """Yield (line, first line, row) of each row whose key stands on an earlier line, too."""
        keys = [self._staged.c[column.name] for column in self._table.primary_key]
        several = (
            sa.select(*keys, sa.func.min(self._staged.c.line).label("first"))
            .group_by(*keys)
            .having(sa.func.count() > 1)
            .subquery()
        )
        same = sa.and_(*(key == several.c[key.name] for key in keys), self._staged.c.line > several.c.first)
        query = sa.select(several.c.first, self._staged).join(several, same).order_by(self._staged.c.line)
        for row in self._session.execute(query, execution_options={"yield_per": 1000}).mappings():
            yield row["line"], row["first"], row

    def merge(self, *, known_ones: bool) -> Counts:
        """Add the rows that are new, and bring those up to date that differ if ``known_ones`` says so.

        Others that write to the table wait until the transaction ends; who reads it does not.
        """
        self._lock()
        before = self._count()
        written = self._session.execute(self._upsert(known_ones), execution_options={"preserve_rowcount": True})
        changed_too: int = written.rowcount  # type: ignore[attr-defined]
        added = self._count() - before
        return Counts(added, changed_too - added, self._rows - changed_too)

    def _lock(self) -> None:
        if self._on_postgresql:  # two imports would wait for each other's rows
            self._session.execute(sa.text(f"LOCK TABLE {self._table.name} IN SHARE ROW EXCLUSIVE MODE"))
        else:  # SQLite refuses to write after reading where somebody else wrote in between
            self._session.execute(sa.delete(self._table).where(sa.false()))

    def _count(self) -> int:
        return self._session.execute(sa.select(sa.func.count()).select_from(self._table)).scalar_one()

    def _upsert(self, known_ones: bool) -> Any:
        """Return the statement; rows that are there already and equal are not touched, or each would be written."""
        table, staged = self._table, self._staged
        key = [column.name for column in table.primary_key]
        others = [column.name for column in table.c if not column.primary_key]
        is_new = table.c[key[0]].is_(None)
        differs = (table.c[name].is_distinct_from(staged.c[name]) for name in others)
        wanted = sa.or_(is_new, *differs) if known_ones else is_new
        names = [column.name for column in table.c]
        same = sa.and_(*(table.c[name] == staged.c[name] for name in key))
        rows = sa.select(*(staged.c[name] for name in names)).select_from(staged.outerjoin(table, same)).where(wanted)
        rows = rows.order_by(*(staged.c[name] for name in key))  # an index takes sorted keys faster
        insert = insert_on(self._session.get_bind().dialect.name, table).from_select(names, rows)
        return insert.on_conflict_do_update(index_elements=key, set_={name: insert.excluded[name] for name in others})


def _is_green(session: Session) -> bool:
    """Say whether psycopg2 waits for green threads, as in `vssid demo`: it cannot copy then."""
    return session.get_bind().dialect.loaded_dbapi.extensions.get_wait_callback() is not None
