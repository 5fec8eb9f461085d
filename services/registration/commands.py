"""What operators do at the registration service: keep the list of agencies."""

from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from services.registration import models
from services.registration.domain.places import province_code
from shared.language.values import AGENCY_CODE
from shared.storage.csv_rows import ImportFormat, Row, read_day
from shared.storage.database import open_database
from shared.storage.imports import import_file, keep_rows
from shared.storage.refused_rows import RowRefused, shown

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
    import_file(open_database("registration", models.metadata), AGENCIES, file)


def keep_starter_list() -> None:
    """Put the agencies that come with the project in place; what operators changed since stays."""
    listed = (files("services.registration") / "agencies.csv").read_text(encoding="utf-8").splitlines()
    keep_rows(open_database("registration", models.metadata), AGENCIES, listed, known_ones=False)


def _agency(row: Row) -> dict[str, Any]:
    province = province_code(row["province_code"])
    if not AGENCY_CODE.fullmatch(row["code"]):
        raise RowRefused(f"code {shown(row['code'])} is not three or five digits")
    if province is None:
        raise RowRefused(f"{shown(row['province_code'])} is not one of today's provinces")
    if not row["name"]:
        raise RowRefused("the name is missing")
    return {
        "code": row["code"],
        "name": row["name"],
        "province_code": province,
        "address": row["address"] or None,
        "opened_on": read_day(row["opened_on"]) if row["opened_on"] else FIRST_DAY,
        "closed_on": read_day(row["closed_on"]) if row["closed_on"] else None,
        "note": row["note"] or None,
    }


AGENCIES = ImportFormat(
    "agencies",
    models.agencies,
    required=("code", "name", "province_code"),
    optional=("address", "opened_on", "closed_on", "note"),
    convert=_agency,
    lists=("address",),
)
