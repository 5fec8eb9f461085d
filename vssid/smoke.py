"""`vssid smoke`: the main job against a running system, and what Mailpit received, counted.

In parts, because the register and the officers are reached by the operators' command only: `prepare` and `finish` run
beside the approval service's database, `run` anywhere. A shared seed gives them the same invented people; the officer's
password is drawn by `prepare`, which prints it for the standard input of `run`.
"""

import io
import secrets
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import click
import requests

from services.approval.commands.officer import forget_officer, keep_officer
from services.approval.commands.register import keep_people
from vssid.people import DemoPerson
from vssid.walk import StepFailed, Walk, until

AGENCY = "07921"
PARALLEL = 4  # declarations on their way at the same time
OFFICER_LIFETIME = timedelta(hours=8)  # of one that `finish` did not come to remove
QUIET_SECONDS = 3.0  # after the last message expected: a doubled one would arrive by then


@click.group()
def smoke() -> None:
    """The main job against a running system; `make smoke` does all parts."""


@smoke.command("prepare")
@click.option("--seed", type=int, required=True)
@click.option("--count", default=1)
def prepare_smoke(seed: int, count: int) -> None:
    """Add invented people to the household register, and an officer to approve them; print the officer's password."""
    click.echo(prepare(seed, count))


@smoke.command("run")
@click.option("--url", envvar="GATEWAY_URL", default="http://127.0.0.1:8000", help="the gateway (GATEWAY_URL)")
@click.option(
    "--inbox",
    envvar="INBOX_URL",  # not a word of the command: everybody on the machine may read those
    default="http://127.0.0.1:8025",
    help="Mailpit, where messages arrive, with user and password (INBOX_URL)",
)
@click.option("--seed", type=int, required=True)
@click.option("--count", default=1)
def run_smoke(url: str, inbox: str, seed: int, count: int) -> None:
    """Take invented people's declarations through the whole main job, and count their messages in Mailpit.

    Standard input has the password that `prepare` printed.
    """
    password = sys.stdin.readline().strip()
    if not password:
        raise click.ClickException("standard input has no password: pipe `vssid smoke prepare` into this command")
    run(url, inbox, seed, count, password)


@smoke.command("finish")
@click.option("--seed", type=int, required=True)
def finish_smoke(seed: int) -> None:
    """Remove the officer that `prepare` added."""
    forget_officer(officer_of(seed))


def people(seed: int, count: int) -> list[DemoPerson]:
    """Return invented people; another seed gives others."""
    first = seed * 1000 % 10**7
    return [
        DemoPerson(
            insurance_code=f"790{(first + one) % 10**7:07d}",
            full_name=f"Nguyễn Văn Thử {chr(65 + one % 26)}",
            id_number=f"079085{one % 10**6:06d}",
            phone=f"+8498{(first + one) % 10**7:07d}",
            email=f"nguoi.thu.{(first + one) % 10**7}@vidu.example",
        )
        for one in range(count)
    ]


def officer_of(seed: int) -> str:
    """Return the user name of the officer for the occasion."""
    return f"smoke.{seed}"


def prepare(seed: int, count: int) -> str:
    """Add the people to the household register, and the officer to the approval service; return the password."""
    rows = [f"{one.insurance_code},{one.full_name},1985-08-15,male,{one.id_number}" for one in people(seed, count)]
    keep_people(io.StringIO("\n".join(["insurance_code,full_name,birth_date,gender,id_number", *rows])))
    password = secrets.token_urlsafe()
    keep_officer(officer_of(seed), AGENCY, "officer", password, OFFICER_LIFETIME)
    return password


def run(url: str, inbox: str, seed: int, count: int, password: str) -> None:
    """Take everybody's declaration through the main job; exit with 1 where anything is missing or doubled."""
    began = time.monotonic()
    try:
        Smoke(url, inbox, officer_of(seed), password).run(people(seed, count))
    except (StepFailed, requests.RequestException) as failure:
        click.secho(f"✗ {failure}", fg="red", err=True)
        sys.exit(1)
    click.echo(f"✓ the main job works: {count} declarations in {time.monotonic() - began:.1f} s")


class Smoke:
    """Many walks at once, and the inbox afterwards."""

    def __init__(self, url: str, inbox: str, username: str, password: str) -> None:
        self._url, self._inbox, self._officer = url, inbox.rstrip("/"), (username, password)
        self._signed_in = Walk(url)

    def run(self, everybody: list[DemoPerson]) -> None:
        self._signed_in.sign_in(*self._officer)
        with ThreadPoolExecutor(PARALLEL) as pool:
            declared = list(pool.map(self._whole_way, everybody))
        click.echo(f"✓ {len(declared)} declarations submitted, approved, activated, with their cards")
        expected = {address: 2 for one in everybody for address in (f"{one.phone}@sms.sandbox", one.email)}
        until(lambda: self._arrived(expected) == expected, "two SMS and two e-mails for everybody", 90)
        time.sleep(QUIET_SECONDS)
        if self._arrived(expected) != expected:
            raise StepFailed(f"told twice: {Counter(self._arrived(expected)) - Counter(expected)}")
        click.echo(f"✓ {sum(expected.values())} messages in Mailpit, none missing, none doubled")
        self._check_passwords(everybody)

    def _whole_way(self, person: DemoPerson) -> dict[str, Any]:
        going = Walk(self._url, as_officer=self._signed_in)
        declared = going.submit(person, AGENCY)
        going.approve(declared)
        until(lambda: "card_issued" in going.history(declared), f"the card of {declared['number']}", 90)
        return declared

    def _arrived(self, expected: dict[str, int]) -> dict[str, int]:
        listed = requests.get(f"{self._inbox}/api/v1/messages", params={"limit": 100_000}, timeout=30).json()
        counted = Counter(to["Address"] for one in listed["messages"] for to in one["To"])
        return {address: counted[address] for address in expected}

    def _check_passwords(self, everybody: list[DemoPerson]) -> None:
        """Read one account message whole: the account and the password stand in it."""
        wanted = f"{everybody[0].phone}@sms.sandbox"
        listed = requests.get(f"{self._inbox}/api/v1/messages", params={"limit": 100_000}, timeout=30).json()
        ids = [one["ID"] for one in listed["messages"] if one["To"][0]["Address"] == wanted]
        texts = [requests.get(f"{self._inbox}/api/v1/message/{one}", timeout=30).json()["Text"] for one in ids]
        if not any(f"Tai khoan: {everybody[0].insurance_code} Mat khau: " in text for text in texts):
            raise StepFailed("no SMS holds the account and the first password")
        click.echo("✓ the account and the first password stand in the SMS")
