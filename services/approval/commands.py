"""What operators do at the approval service: officers, and the household register."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from services.approval import clients, models
from services.approval.domain.officer import Officer, Role
from services.approval.domain.register import is_birth_date
from shared import settings
from shared.forms import NAME
from shared.language.errors import Problem
from shared.language.text import tidy
from shared.language.values import AGENCY_CODE, INSURANCE_CODE, Gender
from shared.storage.database import open_database
from shared.storage.imports import ImportRefused, open_csv, read_rows
from shared.storage.passwords import hash_password

COLUMNS = ("insurance_code", "full_name", "birth_date", "gender", "id_number")
BATCH_SIZE = 1000  # people written by one statement
SHORTEST_PASSWORD = 8


@click.group()
def officer() -> None:
    """The officers who review declarations."""


@officer.command("add")
@click.argument("username")
@click.option("--agency", "agency_code", required=True, help="code of the agency whose declarations they see")
@click.option("--role", type=click.Choice([str(role) for role in Role]), default=str(Role.OFFICER))
def add_officer(username: str, agency_code: str, role: str) -> None:
    """Add an officer, or set a known one's password, agency and role. The password is read from
    standard input; changing it ends the officer's sessions."""
    password = click.prompt("Password", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if len(password) < SHORTEST_PASSWORD:
        raise click.ClickException(f"the password needs at least {SHORTEST_PASSWORD} characters")
    if not AGENCY_CODE.fullmatch(agency_code):
        raise click.ClickException(f"agency {agency_code!r} is not three or five digits")
    keep_officer(tidy(username), agency_code, role, password)
    click.echo(f"officer {username} sees agency {agency_code}")


def keep_officer(username: str, agency_code: str, role: str, password: str) -> None:
    """Keep an officer, new or known."""
    with open_database("approval", models.metadata).begin() as session:
        models.end_sessions_of(session, username)
        models.forget_attempts(session, username)
        session.merge(Officer(username, agency_code, role, hash_password(password)))


@click.group()
def register() -> None:
    """The household register."""


@register.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_register(file: Path) -> None:
    """Add people, or bring known ones up to date, from FILE.csv.

    Columns: insurance_code, full_name, birth_date (YYYY-MM-DD or YYYY), gender (male or female), id_number.
    All rows are imported, or none.
    """
    with open_csv(file) as lines:
        click.echo(f"{keep_people(lines)} people imported")


@register.command("check")
def check_register() -> None:
    """Ask the HTTP register whether it is there."""
    client = clients.http_register(settings.read())
    if client is None:
        click.echo("REGISTER_URL is empty: the imported table is the register")
        return
    try:
        client.check()
    except Problem as problem:
        raise click.ClickException(f"the register at REGISTER_URL does not answer: {problem}") from None
    click.echo("the register answers")


def keep_people(lines: Iterable[str]) -> int:
    """Keep the people of a CSV file; return how many.

    Raises:
        ImportRefused: a row cannot be used; nothing was kept.
    """
    people, count = _people(lines), 0
    with open_database("approval", models.metadata).begin() as session:
        while batch := list(islice(people, BATCH_SIZE)):
            models.put_people(session, batch)
            count += len(batch)
    return count


def _people(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line, row in read_rows(lines, COLUMNS):
        person = {column: tidy(value) for column, value in row.items()}
        faults = [name for name, right in _checks(person).items() if not right]
        if faults:
            raise ImportRefused.at(line, f"{', '.join(faults)} not usable; nothing was imported")
        yield {**person, "id_number": person["id_number"] or None}


def _checks(person: dict[str, str]) -> dict[str, bool]:
    return {
        "insurance_code": bool(INSURANCE_CODE.fullmatch(person["insurance_code"])),
        "full_name": bool(NAME.fullmatch(person["full_name"])) and len(person["full_name"]) <= 100,
        "birth_date": is_birth_date(person["birth_date"]),
        "gender": person["gender"] in list(Gender),
        "id_number": len(person["id_number"]) <= 12,
    }
