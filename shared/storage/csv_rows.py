"""Rows of CSV, as spreadsheets write them: their text, their separators, and what is wrong with them."""

import codecs
import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain, islice
from typing import Any, BinaryIO

import sqlalchemy as sa

from shared.language.text import ODD, as_written, on_one_line
from shared.storage.refused_rows import ImportRefused, RefusedRows, RowRefused, shown

Row = dict[str, str]
CsvRow = tuple[int, list[str]]  # the line at which it begins, and its cells
Rule = tuple[str, Callable[[str], Any], str]  # a column, what is true of its values, and what is said where it is not
SEPARATORS = ",;\t"
LONGEST_LINE = 1_000_000  # characters; what has no line breaks is cut, and refused as a value or as too many of them
HALF_SURROGATE = re.compile("[\ud800-\udfff]")
BATCH_SIZE = 500  # rows; ten thousand do not fit into the caches of a processor, and take twice the time
UNTIDY = ("  ", "| ", " |")  # of cells between bars; other blanks cannot be printed
REPLACED = "\ufffd"  # what a program writes for a character that it lost
NOT_TEXT = (
    "this is not UTF-8 text. In Excel, save the file as “CSV UTF-8”; a Windows-1258 file is converted by "
    "`iconv -f WINDOWS-1258 -t UTF-8`"
)


@dataclass(frozen=True)
class ImportFormat:
    """What a file has to say of ``things``, and the table that keeps them; its columns are named alike.

    Of every row, each of ``rules`` must hold. ``convert`` makes the table's row of it, or raises RowRefused; without
    it a row is kept as it is, with NULL for an empty value that may be missing. Both get values as a person writes
    them (`as_written`), an empty one where there is none; those of ``lists`` with commas for line breaks.
    """

    things: str
    table: sa.Table
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    convert: Callable[[Row], dict[str, Any]] | None = None
    lists: tuple[str, ...] = ()


@contextmanager
def open_lines(file: BinaryIO) -> Iterator[Iterator[str]]:
    """Open the lines of a file of UTF-8, or of UTF-16 with its byte-order mark.

    What cannot be decoded comes as half a surrogate pair, so that its row can be named, or raises UnicodeDecodeError.
    """
    start = file.peek(2)[:2]  # type: ignore[attr-defined]  # it may be a pipe, which cannot be read twice
    encoding = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    text = io.TextIOWrapper(file, encoding, "surrogateescape", newline="")
    try:
        yield iter(partial(text.readline, LONGEST_LINE), "")
    finally:
        text.detach()  # the file is closed by who opened it


def read_rows(lines: Iterable[str], form: ImportFormat, refused: RefusedRows) -> Iterator[list[tuple[Any, ...]]]:
    """Yield batches of the rows that can be kept: the line, and the values in the order of the table's columns.

    The others go to ``refused``; so does the line from which on this is no CSV.

    Raises:
        ImportRefused: there is no header, it has not the columns it must have, or nothing follows it.
    """
    rows = CsvRows(lines)
    reader = RowReader(form, rows.header)
    refused.begin(rows.header, rows.separator)
    empty = True
    try:
        for batch in _batches(rows):
            empty = False
            yield reader.read_tidy(batch) or list(_read_each(reader, batch, refused))
    except ImportRefused as fault:
        refused.add_fault(fault.message)
        return
    if empty:
        raise ImportRefused("there are no rows below the header")


def _batches(rows: Iterable[CsvRow]) -> Iterator[list[CsvRow]]:
    """Yield rows in batches, and those before a fault before it is raised."""
    rest, fault = iter(rows), None
    while fault is None:
        batch: list[CsvRow] = []
        try:
            batch.extend(islice(rest, BATCH_SIZE))
        except ImportRefused as refusal:
            fault = refusal
        if not batch and fault is None:
            return
        if batch:
            yield batch
    raise fault


def _read_each(reader: "RowReader", batch: list[CsvRow], refused: RefusedRows) -> Iterator[tuple[Any, ...]]:
    for line, cells in batch:
        try:
            yield reader.read(line, cells)
        except RowRefused as refusal:
            refused.add(line, cells, str(refusal))


class CsvRows:
    """The header of CSV, and its other rows, each with the line it begins at; rows without any value are left out.

    Raises:
        ImportRefused: this is no CSV, or it is empty.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        rest = iter(lines)
        self._lines_before = 0
        first = next(rest, "")
        while first and not first.strip():
            first = next(rest, "")
            self._lines_before += 1
        if not first:
            raise ImportRefused("the file is empty")
        if "\0" in first or HALF_SURROGATE.search(first):  # NULs: UTF-16 without its mark
            raise ImportRefused(NOT_TEXT)
        self.separator = max(SEPARATORS, key=first.count)
        self._reader = csv.reader(chain([first], rest), delimiter=self.separator, strict=True)
        _, header = next(iter(self), (0, []))
        self.header = [name.strip() for name in header]

    def __iter__(self) -> Iterator[CsvRow]:
        while True:
            line = self._lines_before + self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                fault = f"the row that begins here is no CSV ({error}): look for a quotation mark that is alone"
                raise ImportRefused.at(line, fault) from None
            if any(map(str.strip, cells)):
                yield line, cells


class RowReader:
    """Makes rows of a table from cells; columns that the format does not name are left out.

    Raises:
        ImportRefused: a required column is missing, or a name stands in the header twice.
    """

    def __init__(self, form: ImportFormat, header: list[str]) -> None:
        missing = sorted(set(form.required) - set(header))
        if missing:
            raise ImportRefused(f"columns missing: {', '.join(missing)}")
        doubled = sorted(shown(name) for name, times in Counter(header).items() if name and times > 1)
        if doubled:
            raise ImportRefused(f"columns named twice: {', '.join(doubled)}")
        self._form, self._width = form, len(header)
        names = (*form.required, *form.optional)
        self._places = {name: header.index(name) if name in header else None for name in names}
        lengths = {column.name: getattr(column.type, "length", None) or LONGEST_LINE for column in form.table.c}
        self._lengths = {name: lengths[name] for name in names}
        self._nullable = {column.name for column in form.table.c if column.nullable}

    def read_tidy(self, batch: list[CsvRow]) -> list[tuple[Any, ...]] | None:
        """Return the rows where none of them needs anything: what `read` would return, several times as fast.

        None where that cannot be said at once.
        """
        if self._form.convert is not None or {len(cells) for _, cells in batch} != {self._width}:
            return None
        text = f"|{'|'.join('|'.join(cells) for _, cells in batch)}|"
        if (
            not (_is_text(text) and unicodedata.is_normalized("NFC", text))
            or any(odd in text for odd in UNTIDY)
            or ODD.search(text)
        ):
            return None
        lines, rows = zip(*batch, strict=True)
        columns = list(zip(*rows, strict=True))
        values: dict[str, Any] = {
            name: ("",) * len(rows) if at is None else columns[at] for name, at in self._places.items()
        }
        if any(max(map(len, values[name])) > length for name, length in self._lengths.items()):
            return None
        if not all(all(map(holds, values[name])) for name, holds, _ in self._form.rules):
            return None
        for name in self._nullable & set(values):
            values[name] = tuple(value or None for value in values[name])
        return list(zip(lines, *(values[name] for name in self._kept), strict=True))

    def read(self, line: int, cells: list[str]) -> tuple[Any, ...]:
        """Return the row of a table, its line first.

        Raises:
            RowRefused: it has more values than the header, or one that cannot be kept.
            ImportRefused: it is not text.
        """
        text = "".join(cells)
        if not text.isprintable() and HALF_SURROGATE.search(text):
            raise ImportRefused.at(line, NOT_TEXT)
        if len(cells) > self._width:
            raise RowRefused(f"{len(cells)} values for {self._width} columns")
        cells.extend([""] * (self._width - len(cells)))
        row = {name: "" if at is None else self._written(name, cells[at]) for name, at in self._places.items()}
        self._check(row)
        made = self._form.convert(row) if self._form.convert else self._nulled(row)
        return line, *(made[name] for name in self._kept)

    def _written(self, name: str, cell: str) -> str:
        return as_written(on_one_line(cell) if name in self._form.lists else cell)

    @property
    def _kept(self) -> list[str]:
        return [column.name for column in self._form.table.c]

    def _nulled(self, row: Row) -> dict[str, str | None]:
        return {name: text or None if name in self._nullable else text for name, text in row.items()}

    def _check(self, row: Row) -> None:
        odd = [name for name, text in row.items() if not _is_text(text)]
        if odd:
            raise RowRefused(f"{', '.join(odd)}: characters that cannot be printed")
        limits = self._lengths.items()
        faults = [f"{name} is longer than {length} characters" for name, length in limits if len(row[name]) > length]
        faults = faults or [f"{name} {fault}" for name, holds, fault in self._form.rules if not holds(row[name])]
        if faults:
            raise RowRefused("; ".join(faults))


def _is_text(text: str) -> bool:
    return text.isprintable() and REPLACED not in text


def read_day(text: str) -> date:
    """Return the date a row has as YYYY-MM-DD.

    Raises:
        RowRefused: it is not one.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # 20260217 and 2026-W08-2 are ISO, too
        raise RowRefused(f"{shown(text)} is not a date YYYY-MM-DD")
    return day
