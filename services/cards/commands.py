"""What operators do at the cards desk: keep who is in which group, and what each group is entitled to."""

import csv
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import click

from services.cards import models
from services.cards.domain import BEST_FIRST, Payer
from shared import settings
from shared.language.clock import utc_now, vietnam_day
from shared.language.values import INSURANCE_CODE
from shared.storage.database import Database

Row = dict[str, Any]
GROUP_CODE = re.compile(r"[A-Z]{2}")
LEVELS = {str(level) for level in BEST_FIRST}
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def card() -> None:
    """Health cards: groups of participants and their benefit levels."""


@card.group()
def groups() -> None:
    """Who is in which group of participants."""


@card.group()
def levels() -> None:
    """What each group of participants is entitled to."""


@groups.command("import")
@click.argument("file", type=FILE)
def import_groups(file: Path) -> None:
    """Say who is in which group, from FILE.csv.

    Columns: insurance_code, group_code, valid_from, and if you like valid_to (YYYY-MM-DD, the last day).
    A row with a known code, group and first day replaces the old one. All rows are taken, or none.
    """
    rows = list(_rows(file, {"insurance_code", "group_code", "valid_from"}, _participation))
    with _database().begin() as session:
        known = models.group_codes(session)
        for line, row in rows:
            if row["group_code"] not in known:
                raise click.ClickException(f"line {line}: no group is called {row['group_code']!r}")
            models.put_participation(session, row)
    click.echo(f"{len(rows)} participations imported")


@groups.command("list")
def list_groups() -> None:
    """Show every group with its benefit level of today."""
    with _database().begin() as session:
        benefits = models.benefits_on(session, vietnam_day(utc_now()))
    for code in sorted(benefits):
        click.echo(f"{code}  {benefits[code].level}  {benefits[code].payer:<9}  {benefits[code].name}")


@levels.command("import")
@click.argument("file", type=FILE)
def import_levels(file: Path) -> None:
    """Set benefit levels, and add groups, from FILE.csv.

    Columns: group_code, name, payer (employer, fund, budget, supported or household), level (1 to 5),
    valid_from, and if you like valid_to (YYYY-MM-DD, the last day). Of two rows in force the one that began
    later counts, so a new level needs one row only. All rows are taken, or none.
    """
    rows = list(_rows(file, {"group_code", "name", "payer", "level", "valid_from"}, _benefit_level))
    with _database().begin() as session:
        for _, row in rows:
            models.put_benefit_level(session, row)
    click.echo(f"{len(rows)} benefit levels imported")


def _database() -> Database:
    configured = settings.read()
    return Database(models.metadata, configured.database("cards"), configured)


def _rows(file: Path, required: set[str], read: Callable[[int, dict[str, str]], Row]) -> Iterator[tuple[int, Row]]:
    """Return each row of a CSV file as checked values, with its line."""
    reader = csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines())
    missing = required - set(reader.fieldnames or ())
    if missing:
        raise click.ClickException(f"columns missing: {', '.join(sorted(missing))}")
    for line, row in enumerate(reader, start=2):
        yield line, read(line, {column: (row.get(column) or "").strip() for column in (*required, "valid_to")})


def _participation(line: int, row: dict[str, str]) -> Row:
    if not INSURANCE_CODE.fullmatch(row["insurance_code"]):
        raise click.ClickException(f"line {line}: {row['insurance_code']!r} is not an insurance code of ten digits")
    return {"insurance_code": row["insurance_code"], "group_code": row["group_code"], **_period(line, row)}


def _benefit_level(line: int, row: dict[str, str]) -> Row:
    if not GROUP_CODE.fullmatch(row["group_code"]):
        raise click.ClickException(f"line {line}: {row['group_code']!r} is not a group code of two capital letters")
    if not row["name"]:
        raise click.ClickException(f"line {line}: the name is missing")
    if row["payer"] not in list(Payer):
        raise click.ClickException(f"line {line}: {row['payer']!r} is not one of {', '.join(Payer)}")
    if row["level"] not in LEVELS:
        raise click.ClickException(f"line {line}: {row['level']!r} is not a benefit level from 1 to 5")
    return {
        "group_code": row["group_code"],
        "name": row["name"],
        "payer": row["payer"],
        "level": int(row["level"]),
        **_period(line, row),
    }


def _period(line: int, row: dict[str, str]) -> Row:
    first, last = _day(line, row["valid_from"]), _day(line, row["valid_to"]) if row["valid_to"] else None
    if last is not None and last < first:
        raise click.ClickException(f"line {line}: valid_to lies before valid_from")
    return {"valid_from": first, "valid_to": last}


def _day(line: int, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.ClickException(f"line {line}: {text!r} is not a date YYYY-MM-DD") from None
