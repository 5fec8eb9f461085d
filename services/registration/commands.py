"""What operators do at the registration service: keep the list of agencies."""

from collections.abc import Iterable
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from services.registration import models
from services.registration.domain.places import province_code
from shared.language.values import AGENCY_CODE
from shared.storage.database import open_database
from shared.storage.imports import ImportRefused, Row, open_csv, read_day, read_rows

REQUIRED = ("code", "name", "province_code")
OPTIONAL = ("address", "opened_on", "closed_on", "note")
FIRST_DAY = date(1995, 2, 16)  # Vietnam Social Security was founded


@click.group()
def agency() -> None:
    """The list of social-insurance agencies."""


@agency.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_agencies(file: Path) -> None:
    """Add agencies, or bring known ones up to date, from FILE.csv.

    Columns: code, name, province_code, and optionally address, opened_on, closed_on (YYYY-MM-DD), note.
    All rows are imported, or none.
    """
    with open_csv(file) as lines:
        click.echo(f"{keep_agencies(lines)} agencies imported")


def keep_starter_list() -> int:
    """Put the agencies that come with the project in place; what operators changed since stays."""
    listed = (files("services.registration") / "agencies.csv").read_text(encoding="utf-8")
    return keep_agencies(listed.splitlines(), known_ones=False)


def keep_agencies(lines: Iterable[str], *, known_ones: bool = True) -> int:
    """Keep the agencies of a CSV file; return how many.

    Raises:
        ImportRefused: a row cannot be used; nothing was kept.
    """
    rows = [_agency(line, row) for line, row in read_rows(lines, REQUIRED, OPTIONAL)]
    with open_database("registration", models.metadata).begin() as session:
        for row in rows:
            models.put_agency(session, row, known_ones=known_ones)
    return len(rows)


def _agency(line: int, row: Row) -> dict[str, Any]:
    province = province_code(row["province_code"])
    if not AGENCY_CODE.fullmatch(row["code"]):
        raise ImportRefused.at(line, f"code {row['code']!r} is not three or five digits")
    if province is None:
        raise ImportRefused.at(line, f"{row['province_code']!r} is not one of today's provinces")
    if not row["name"]:
        raise ImportRefused.at(line, "the name is missing")
    return {
        "code": row["code"],
        "name": row["name"],
        "province_code": province,
        "address": row["address"] or None,
        "opened_on": read_day(line, row["opened_on"]) if row["opened_on"] else FIRST_DAY,
        "closed_on": read_day(line, row["closed_on"]) if row["closed_on"] else None,
        "note": row["note"] or None,
    }
