"""What operators do at the cards service: keep who is in which group, and what each group is entitled to."""

import re
from pathlib import Path
from typing import Any

import click

from services.cards import models
from services.cards.domain import BEST_FIRST, Payer
from shared.language.clock import utc_now, vietnam_day
from shared.language.values import INSURANCE_CODE
from shared.storage.database import open_database
from shared.storage.imports import ImportRefused, Row, open_csv, read_day, read_rows

PARTICIPATION = ("insurance_code", "group_code", "valid_from")
BENEFIT_LEVEL = ("group_code", "name", "payer", "level", "valid_from")
OPTIONAL = ("valid_to",)
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

    Columns: insurance_code, group_code, valid_from, and optionally valid_to (YYYY-MM-DD, the last day).
    A row with a known code, group and first day replaces the old one. All rows are imported, or none.
    """
    with open_csv(file) as lines:
        rows = [(line, _participation(line, row)) for line, row in read_rows(lines, PARTICIPATION, OPTIONAL)]
    with open_database("cards", models.metadata).begin() as session:
        known = models.group_codes(session)
        for line, row in rows:
            if row["group_code"] not in known:
                raise ImportRefused.at(line, f"no group is called {row['group_code']!r}")
            models.put_participation(session, row)
    click.echo(f"{len(rows)} participations imported")


@groups.command("list")
def list_groups() -> None:
    """Show every group with its benefit level of today."""
    with open_database("cards", models.metadata).begin() as session:
        benefits = models.benefits_on(session, vietnam_day(utc_now()))
    for code in sorted(benefits):
        click.echo(f"{code}  {benefits[code].level}  {benefits[code].payer:<9}  {benefits[code].name}")


@levels.command("import")
@click.argument("file", type=FILE)
def import_levels(file: Path) -> None:
    """Set benefit levels, and add groups, from FILE.csv.

    Columns: group_code, name, payer (employer, fund, budget, supported or household), level (1 to 5),
    valid_from, and optionally valid_to (YYYY-MM-DD, the last day). Of two rows in force the one that began
    later counts, so a new level needs one row only. All rows are imported, or none.
    """
    with open_csv(file) as lines:
        rows = [_benefit_level(line, row) for line, row in read_rows(lines, BENEFIT_LEVEL, OPTIONAL)]
    with open_database("cards", models.metadata).begin() as session:
        for row in rows:
            models.put_benefit_level(session, row)
    click.echo(f"{len(rows)} benefit levels imported")


def _participation(line: int, row: Row) -> dict[str, Any]:
    if not INSURANCE_CODE.fullmatch(row["insurance_code"]):
        raise ImportRefused.at(line, f"{row['insurance_code']!r} is not an insurance code of ten digits")
    return {"insurance_code": row["insurance_code"], "group_code": row["group_code"], **_period(line, row)}


def _benefit_level(line: int, row: Row) -> dict[str, Any]:
    if not GROUP_CODE.fullmatch(row["group_code"]):
        raise ImportRefused.at(line, f"{row['group_code']!r} is not a group code of two capital letters")
    if not row["name"]:
        raise ImportRefused.at(line, "the name is missing")
    if row["payer"] not in list(Payer):
        raise ImportRefused.at(line, f"{row['payer']!r} is not one of {', '.join(Payer)}")
    if row["level"] not in LEVELS:
        raise ImportRefused.at(line, f"{row['level']!r} is not a benefit level from 1 to 5")
    return {
        "group_code": row["group_code"],
        "name": row["name"],
        "payer": row["payer"],
        "level": int(row["level"]),
        **_period(line, row),
    }


def _period(line: int, row: Row) -> dict[str, Any]:
    first = read_day(line, row["valid_from"])
    last = read_day(line, row["valid_to"]) if row["valid_to"] else None
    if last is not None and last < first:
        raise ImportRefused.at(line, "valid_to lies before valid_from")
    return {"valid_from": first, "valid_to": last}
