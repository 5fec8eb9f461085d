"""What operators do at the cards service: keep who is in which group, and what each group is entitled to."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import click

from services.cards import models
from services.cards.domain import BEST_FIRST, Payer
from shared.language.clock import utc_now, vietnam_day
from shared.language.values import INSURANCE_CODE
from shared.listing import json_option, print_rows
from shared.storage.csv_rows import ImportFormat, Row, read_day
from shared.storage.database import open_database
from shared.storage.imports import import_file
from shared.storage.refused_rows import RowRefused, shown

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
    database = open_database("cards", models.metadata)
    convert = partial(_participation, database.query(models.group_codes))
    form = ImportFormat("participations", models.participations, PARTICIPATION, OPTIONAL, convert=convert)
    import_file(database, form, file)


@groups.command("list")
@json_option
def list_groups(as_json: bool) -> None:
    """Show every group with its benefit level of today."""
    with open_database("cards", models.metadata).begin() as session:
        benefits = models.benefits_on(session, vietnam_day(utc_now()))
    rows = [
        {"group_code": code, "level": benefit.level, "payer": benefit.payer, "name": benefit.name}
        for code, benefit in sorted(benefits.items())
    ]
    print_rows(rows, as_json=as_json, text="{group_code}  {level}  {payer:<9}  {name}".format_map)


@levels.command("import")
@click.argument("file", type=FILE)
def import_levels(file: Path) -> None:
    """Set benefit levels, and add groups, from FILE.csv.

    Columns: group_code, name, payer (employer, fund, budget, supported or household), level (1 to 5),
    valid_from, and optionally valid_to (YYYY-MM-DD, the last day). Of two rows in force the one that began
    later counts, so a new level needs one row only. All rows are imported, or none.
    """
    form = ImportFormat("benefit levels", models.benefit_levels, BENEFIT_LEVEL, OPTIONAL, convert=_benefit_level)
    import_file(open_database("cards", models.metadata), form, file)


def _participation(known_groups: set[str], row: Row) -> dict[str, Any]:
    if not INSURANCE_CODE.fullmatch(row["insurance_code"]):
        raise RowRefused(f"{shown(row['insurance_code'])} is not an insurance code of ten digits")
    if row["group_code"] not in known_groups:
        raise RowRefused(f"no group is called {shown(row['group_code'])}")
    return {"insurance_code": row["insurance_code"], "group_code": row["group_code"], **_period(row)}


def _benefit_level(row: Row) -> dict[str, Any]:
    if not GROUP_CODE.fullmatch(row["group_code"]):
        raise RowRefused(f"{shown(row['group_code'])} is not a group code of two capital letters")
    if not row["name"]:
        raise RowRefused("the name is missing")
    if row["payer"] not in list(Payer):
        raise RowRefused(f"{shown(row['payer'])} is not one of {', '.join(Payer)}")
    if row["level"] not in LEVELS:
        raise RowRefused(f"{shown(row['level'])} is not a benefit level from 1 to 5")
    return {
        "group_code": row["group_code"],
        "name": row["name"],
        "payer": row["payer"],
        "level": int(row["level"]),
        **_period(row),
    }


def _period(row: Row) -> dict[str, Any]:
    first = read_day(row["valid_from"])
    last = read_day(row["valid_to"]) if row["valid_to"] else None
    if last is not None and last < first:
        raise RowRefused("valid_to lies before valid_from")
    return {"valid_from": first, "valid_to": last}
