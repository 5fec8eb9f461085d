"""Rows into tables by COPY, with a progress bar where there are many."""

import io
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import psycopg2

CHUNK = 20_000  # rows handed over at once
BAR = 30  # characters
# plain indexes are made anew after the filling: a row at a time they cost many times as much
PLAIN_INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename = %s AND indexdef NOT LIKE 'CREATE UNIQUE%%'
"""


def copy(dsn: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Put rows into a table."""
    with connected(dsn) as connection, connection.cursor() as cursor:
        for _ in copied(cursor, table, columns, rows):
            pass


def fill(dsn: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], count: int) -> None:
    """Put many rows into a table with a progress bar, its plain indexes laid aside meanwhile."""
    with connected(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
        cursor.execute(PLAIN_INDEXES, (table,))
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        bar, done = Bar(table, count), 0
        for chunk in copied(cursor, table, columns, rows):
            done += chunk
            bar.show(done)
        bar.end(f"{len(indexes)} indexes")
        for _, definition in indexes:
            cursor.execute(definition)
    vacuum(dsn, table)


def copied(cursor: Any, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[int]:
    """Copy chunk by chunk; yield how many rows each had."""
    waiting = iter(rows)
    while chunk := list(islice(waiting, CHUNK)):
        text = io.StringIO("".join("\t".join(map(_cell, row)) + "\n" for row in chunk))
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", text)
        yield len(chunk)


def _cell(value: Any) -> str:
    return r"\N" if value is None else str(value)


def vacuum(dsn: str, table: str) -> None:
    """Leave the table as autovacuum would in a running system."""
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        connection.cursor().execute(f"VACUUM ANALYZE {table}")
    finally:
        connection.close()


@contextmanager
def connected(dsn: str) -> Iterator[Any]:
    """Open a connection and its transaction."""
    connection = psycopg2.connect(dsn)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


class Bar:
    """A progress bar on a terminal; in a file, one line at the end."""

    def __init__(self, name: str, count: int) -> None:
        self._name, self._count, self._began = name, count, time.monotonic()

    def show(self, done: int) -> None:
        if sys.stderr.isatty():
            full = BAR * done // max(self._count, 1)
            print(f"\r{self._name:<16} [{'#' * full:<{BAR}}] {done:,}", end="", file=sys.stderr, flush=True)

    def end(self, more: str) -> None:
        took = time.monotonic() - self._began
        start = "\r" if sys.stderr.isatty() else ""
        print(f"{start}{self._name}: {self._count:,} rows in {took:.0f} s, then {more}".ljust(70), file=sys.stderr)
