"""What operators do with the household register."""

import re
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import click

from services.approval import clients, models
from services.approval.domain.register import is_birth_date, was_born_by
from shared import settings
from shared.forms import is_name
from shared.language.clock import utc_now, vietnam_day
from shared.language.values import INSURANCE_CODE, Gender
from shared.storage.csv_rows import ImportFormat
from shared.storage.database import open_database
from shared.storage.imports import import_file, keep_rows
from shared.storage.staging import Counts

COLUMNS = ("insurance_code", "full_name", "birth_date", "gender", "id_number")
ID_NUMBER = re.compile(r"[0-9A-Za-z]{0,12}")
DAYS_KEPT = 50_000  # dates of birth whose check is remembered


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
    import_file(open_database("approval", models.metadata), _people(), file)


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


def keep_people(lines: Iterable[str]) -> Counts:
    """Keep the people of a CSV file.

    Raises:
        ImportRefused: a row cannot be used; nothing was kept.
    """
    return keep_rows(open_database("approval", models.metadata), _people(), lines)


def _people() -> ImportFormat:
    today = vietnam_day(utc_now())
    # everybody alive shares fewer dates of birth than that
    is_possible = lru_cache(DAYS_KEPT)(lambda text: is_birth_date(text) and was_born_by(text, today))
    rules = (
        ("insurance_code", INSURANCE_CODE.fullmatch, "is not ten digits"),
        ("full_name", is_name, "is not a name"),
        ("birth_date", is_possible, "is no birth date (YYYY-MM-DD or YYYY)"),
        ("gender", set(Gender).__contains__, "is not male or female"),
        ("id_number", ID_NUMBER.fullmatch, "is not up to twelve letters and digits"),
    )
    return ImportFormat("people", models.register_people, COLUMNS, rules=rules)
