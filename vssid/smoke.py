"""`vssid smoke`: the main job against a running system, and what Mailpit received, counted.

Two halves, because the register and the officers are reached by the operators' command only: `prepare` runs
beside the approval service's database, `run` anywhere. A shared seed gives both the same invented people.
"""

import io
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click
import requests

from services.approval.commands import keep_officer, keep_people
from vssid.people import DemoPerson
from vssid.walk import StepFailed, Walk, until

AGENCY = "07921"
PARALLEL = 4  # declarations on their way at the same time
QUIET_SECONDS = 3.0  # after the last message expected: a doubled one would arrive by then


@click.group()
def smoke() -> None:
    """The main job against a running system; `make smoke` does both halves."""


@smoke.command("prepare")
@click.option("--seed", type=int, required=True)
@click.option("--count", default=1)
def prepare_smoke(seed: int, count: int) -> None:
    """Add invented people to the household register, and an officer to approve them."""
    prepare(seed, count)


@smoke.command("run")
@click.option("--url", default="http://127.0.0.1:8000", help="the gateway")
@click.option("--inbox", default="http://127.0.0.1:8025", help="Mailpit, where messages arrive")
@click.option("--seed", type=int, required=True)
@click.option("--count", default=1)
def run_smoke(url: str, inbox: str, seed: int, count: int) -> None:
    """Take invented people's declarations through the whole main job, and count their messages in Mailpit."""
    run(url, inbox, seed, count)


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


def officer_of(seed: int) -> tuple[str, str]:
    """Return user name and password of the officer for the occasion."""
    return f"smoke.{seed}", f"smoke-mat-khau-{seed}"


def prepare(seed: int, count: int) -> None:
    """Add the people to the household register, and the officer to the approval service."""
    rows = [f"{one.insurance_code},{one.full_name},1985-08-15,male,{one.id_number}" for one in people(seed, count)]
    keep_people(io.StringIO("\n".join(["insurance_code,full_name,birth_date,gender,id_number", *rows])))
    username, password = officer_of(seed)
    keep_officer(username, AGENCY, "officer", password)


def run(url: str, inbox: str, seed: int, count: int) -> None:
    """Take everybody's declaration through the main job; exit with 1 where anything is missing or doubled."""
    began = time.monotonic()
    try:
        Smoke(url, inbox, seed).run(people(seed, count))
    except (StepFailed, requests.RequestException) as failure:
        click.secho(f"✗ {failure}", fg="red", err=True)
        sys.exit(1)
    click.echo(f"✓ the main job works: {count} declarations in {time.monotonic() - began:.1f} s")


class Smoke:
    """Many walks at once, and the inbox afterwards."""

    def __init__(self, url: str, inbox: str, seed: int) -> None:
        self._url, self._inbox, self._officer = url, inbox.rstrip("/"), officer_of(seed)
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
