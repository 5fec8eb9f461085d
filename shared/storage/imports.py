"""Files that operators import: all rows of a file are kept, or none, and then every row at fault is named."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from shared.storage.csv_rows import NOT_TEXT, ImportFormat, open_lines, read_rows
from shared.storage.database import Database
from shared.storage.refused_rows import ImportRefused, RefusedRows
from shared.storage.staging import Counts, Staging


def import_file(database: Database, form: ImportFormat, file: Path) -> None:
    """Keep the rows of a file, and print what became of them; a terminal sees how far it is.

    Raises:
        ImportRefused: it is no such file, or has rows that cannot be kept; nothing was kept.
    """
    try:
        with (
            closing(RefusedRows(file)) as refused,
            file.open("rb") as binary,
            open_lines(binary) as lines,
            _progress(binary) as show,
        ):
            counts = keep_rows(database, form, lines, refused, after_batch=show)
    except UnicodeDecodeError:
        raise ImportRefused(f"this begins like UTF-16, but {NOT_TEXT}") from None
    except OSError as error:
        raise ImportRefused(f"{error}; nothing was imported") from None
    click.echo(f"{form.things}: {counts.added} added, {counts.changed} changed, {counts.unchanged} unchanged")


def keep_rows(
    database: Database,
    form: ImportFormat,
    lines: Iterable[str],
    refused: RefusedRows | None = None,
    *,
    known_ones: bool = True,
    after_batch: Callable[[], None] = lambda: None,
) -> Counts:
    """Keep the rows of CSV lines in one transaction; bring known ones up to date if ``known_ones`` says so.

    Raises:
        ImportRefused: this is no such CSV, or has rows that cannot be kept; nothing was kept.
    """
    refused = refused or RefusedRows()
    with database.begin() as session:
        staging = Staging(session, form.table)
        for batch in read_rows(lines, form, refused):
            staging.load(batch)
            after_batch()
        key = ", ".join(column.name for column in form.table.primary_key)
        for line, first, row in staging.doubled():
            refused.add(line, [str(row.get(name) or "") for name in refused.header], f"{key} as on line {first}")
        refused.check()
        return staging.merge(known_ones=known_ones)


@contextmanager
def _progress(file: BinaryIO) -> Iterator[Callable[[], None]]:
    """Show on a terminal how much of a file was read; yield what is to be called from time to time."""
    size = os.fstat(file.fileno()).st_size  # 0 of a pipe
    if not size or not sys.stderr.isatty():
        yield lambda: None
        return
    with click.progressbar(length=size, file=sys.stderr) as bar:
        yield lambda: bar.update(file.tell() - bar.pos)
