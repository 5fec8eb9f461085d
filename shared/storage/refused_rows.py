"""What an import refuses: shown to the operator, and written into a file that can be mended and imported."""

import csv
import os
import tempfile
from itertools import count
from pathlib import Path
from typing import TextIO

import click

REASON = "reason"  # the column that a file of refused rows has besides
ROWS_SHOWN = 20
LONGEST_SHOWN = 40  # characters of a value


class ImportRefused(click.ClickException):
    """A file cannot be imported. It is click's, so that every command prints it alike and exits with 1."""

    @classmethod
    def at(cls, line: int, fault: str) -> "ImportRefused":
        return cls(f"line {line}: {fault}")


class RowRefused(ValueError):
    """A row cannot be imported; the text says why."""


def shown(text: str) -> str:
    """Return a value as a refusal shows it: in quotes, and not too much of it."""
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")


class RefusedRows:
    """The rows of a file that cannot be imported, with the reason of each.

    The first are kept to be shown; all are written into a new file beside ``imported``, or, where that folder takes
    none, in the current one or among the temporary ones. There is none without ``imported``, and none before a row.
    """

    def __init__(self, imported: Path | None = None) -> None:
        self.header: list[str] = []
        self._imported, self._separator = imported, ","
        self._faults = 0
        self._shown: list[str] = []
        self._file: TextIO | None = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def begin(self, header: list[str], separator: str) -> None:
        """Note how the file that is imported is written: the refused rows are written alike."""
        self.header, self._separator = header, separator

    def add(self, line: int, cells: list[str], why: str) -> None:
        reason = f"line {line}: {why}"
        self.add_fault(reason)
        width = len(self.header)
        if self._file is None and self._imported is not None:
            self._file = _new_file(self._imported)
            self._write(self.header, REASON, [])
        self._write(cells[:width] + [""] * (width - len(cells)), reason, cells[width:])

    def add_fault(self, fault: str) -> None:
        """Note a fault of the file that is none of a single row."""
        self._faults += 1
        if self._faults <= ROWS_SHOWN:
            self._shown.append(fault)

    def check(self) -> None:
        """Raise ImportRefused where anything was added."""
        if not self._faults:
            return
        more = [f"… and {self._faults - ROWS_SHOWN} more"] if self._faults > ROWS_SHOWN else []
        where = f"; the refused rows and why: {self._file.name}" if self._file is not None else ""
        raise ImportRefused("\n".join([*self._shown, *more, f"Nothing was imported{where}"]))

    def _write(self, cells: list[str], reason: str, surplus: list[str]) -> None:
        """Write a row; a reason that it had from an earlier import gives way."""
        if self._file is not None:
            own = [cell for name, cell in zip(self.header, cells, strict=True) if name != REASON]
            csv.writer(self._file, delimiter=self._separator).writerow([*own, reason, *surplus])


def _new_file(imported: Path) -> TextIO | None:
    """Open a file of a new name that only its owner may read: UTF-8 with the mark by which spreadsheets know it."""
    for folder in (imported.resolve().parent, Path.cwd(), Path(tempfile.gettempdir())):
        for number in count(1):
            path = folder / f"{imported.stem}.refused{'' if number == 1 else f'-{number}'}.csv"
            try:
                made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            except OSError:
                break
            os.close(made)
            return path.open("w", encoding="utf-8-sig", newline="")
    return None
