"""CSV files that operators import: a fault is named by its line, and then nothing of the file is kept."""

import csv
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import click

Row = dict[str, str]


class ImportRefused(click.ClickException):
    """A file cannot be imported. It is click's, so that every command prints it alike and exits with 1."""

    @classmethod
    def at(cls, line: int, fault: str) -> "ImportRefused":
        return cls(f"line {line}: {fault}")


@contextmanager
def open_csv(file: Path) -> Iterator[Iterable[str]]:
    """Open a file of UTF-8, with or without a byte-order mark.

    Raises:
        ImportRefused: what is read of it is not UTF-8.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except UnicodeDecodeError:
        raise ImportRefused("the file is not UTF-8 text") from None


def read_rows(
    lines: Iterable[str], required: Collection[str], optional: Collection[str] = ()
) -> Iterator[tuple[int, Row]]:
    """Yield (line, row) for each row below the header, with the columns named and no others.

    A value has no spaces around it; one that a row or the file does not have is empty.

    Raises:
        ImportRefused: a required column is missing, or this is not CSV.
    """
    reader = csv.DictReader(lines)
    try:
        missing = set(required) - set(reader.fieldnames or ())
        if missing:
            raise ImportRefused(f"columns missing: {', '.join(sorted(missing))}")
        for row in reader:
            yield reader.line_num, {column: (row.get(column) or "").strip() for column in (*required, *optional)}
    except csv.Error as error:
        raise ImportRefused.at(reader.reader.line_num, str(error)) from None


def read_day(line: int, text: str) -> date:
    """Return the date a row has as YYYY-MM-DD.

    Raises:
        ImportRefused: it is not one.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ImportRefused.at(line, f"{text!r} is not a date YYYY-MM-DD") from None
