"""What operators do at the registration desk: keep the list of agencies."""

import csv
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from services.registration import models
from services.registration.domain.places import province_code
from shared import settings
from shared.storage.database import Database

COLUMNS = ("code", "name", "province_code", "address", "opened_on", "closed_on", "note")


@click.group()
def agency() -> None:
    """The list of social-insurance agencies."""


@agency.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_agencies(file: Path) -> None:
    """Add agencies, or bring known ones up to date, from FILE.csv.

    Columns: code, name, province_code, and if you like address, opened_on, closed_on (YYYY-MM-DD), note.
    All rows are taken, or none.
    """
    count = keep_agencies(file.read_text(encoding="utf-8-sig"))
    click.echo(f"{count} agencies imported")


def keep_starter_list() -> int:
    """Put the agencies that come with the project in place; what operators changed since stays."""
    listed = (files("services.registration") / "agencies.csv").read_text(encoding="utf-8")
    return keep_agencies(listed, known_ones=False)


def keep_agencies(text: str, *, known_ones: bool = True) -> int:
    """Keep the agencies of a CSV text; return how many."""
    rows = list(_rows(text))
    configured = settings.read()
    with Database(models.metadata, configured.database("registration"), configured).begin() as session:
        for row in rows:
            models.put_agency(session, row, known_ones=known_ones)
    return len(rows)


def _rows(text: str) -> Iterator[dict[str, Any]]:
    reader = csv.DictReader(text.splitlines())
    missing = {"code", "name", "province_code"} - set(reader.fieldnames or ())
    if missing:
        raise click.ClickException(f"columns missing: {', '.join(sorted(missing))}")
    for line, row in enumerate(reader, start=2):
        yield _agency(line, {column: (row.get(column) or "").strip() for column in COLUMNS})


def _agency(line: int, row: dict[str, str]) -> dict[str, Any]:
    province = province_code(row["province_code"])
    if not (row["code"].isdecimal() and row["code"].isascii() and len(row["code"]) in (3, 5)):
        raise click.ClickException(f"line {line}: code {row['code']!r} is not three or five digits")
    if province is None:
        raise click.ClickException(f"line {line}: {row['province_code']!r} is not one of today's provinces")
    if not row["name"]:
        raise click.ClickException(f"line {line}: the name is missing")
    return {
        "code": row["code"],
        "name": row["name"],
        "province_code": province,
        "address": row["address"] or None,
        "opened_on": _day(line, row["opened_on"]) or date(1995, 2, 16),
        "closed_on": _day(line, row["closed_on"]),
        "note": row["note"] or None,
    }


def _day(line: int, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise click.ClickException(f"line {line}: {text!r} is not a date YYYY-MM-DD") from None
