"""What operators do with the household register."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import click

from services.approval import clients, models
from services.approval.domain.register import is_birth_date
from shared import settings
from shared.forms import NAME
from shared.language.text import tidy
from shared.language.values import INSURANCE_CODE, Gender
from shared.storage.database import open_database
from shared.storage.imports import ImportRefused, open_csv, read_rows

COLUMNS = ("insurance_code", "full_name", "birth_date", "gender", "id_number")
BATCH_SIZE = 1000  # people written by one statement


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
    configured = settings.read()
    client = clients.http_register(configured)
    if client is None:
        click.echo("REGISTER_URL is empty: the imported table is the register")
        return
    try:
        with time_limit(configured.register_timeout):
            client.check()
    except clients.RegisterFault as fault:
        raise click.ClickException(f"the register: {fault}") from None
    click.echo("the register answers")


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise RegisterFault where the block takes longer: the time-out of a socket begins anew with each byte."""

    def end(*_: Any) -> None:
        raise clients.RegisterFault(f"it does not answer within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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
