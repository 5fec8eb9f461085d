"""`make demo`: one declaration walked through the embedded system, each step printed as it happens."""

import email
import email.policy
import io
import os
import re
from pathlib import Path
from typing import Any

import click
import eventlet
import orjson
import requests

from services.approval.commands import keep_officer, keep_people
from shared.settings import Settings
from vssid import people, startup
from vssid.walk import StepFailed, Walk, until


def prepare(settings: Settings) -> None:
    """Add the demo people to the household register, and an officer to approve them."""
    startup.migrate(settings)
    keep_people(io.StringIO(people.REGISTER))
    username, password, agency_code = people.OFFICER
    keep_officer(username, agency_code, "officer", password)


def walk(settings: Settings, *, exit_after: bool) -> None:
    """Walk the declaration; with ``exit_after``, end the process: 0 only if every step happened."""
    try:
        _walk(settings)
    except StepFailed as failure:
        click.secho(f"  ✗ {failure}", fg="red", err=True)
        if exit_after:
            os._exit(1)
    if exit_after:
        eventlet.sleep(0)
        os._exit(0)
    _invite(settings)


def _walk(settings: Settings) -> None:
    username, password, agency_code = people.OFFICER
    person, going, outbox = people.DEMO, Walk(settings.public), settings.folder / "outbox"
    seen = {file.name for file in outbox.glob("*")} if outbox.exists() else set()
    click.echo(f"\nOne declaration, from submission to card ({settings.public})\n")
    step("the system is ready", ", ".join(requests.get(f"{settings.public}/readyz", timeout=5).json()["dependencies"]))
    declared = going.submit(person, agency_code)
    step("three pictures uploaded, declaration submitted", f"{declared['number']}, code {declared['tracking_code']}")
    step("Form 01 is ready to print", f"{len(going.form(declared)) // 1024} KB of PDF")
    step("the applicant is told by SMS", until(lambda: _sms(outbox, seen, declared["number"]), "the first SMS"))
    step("and by e-mail", until(lambda: _mail(outbox, seen, declared["number"]), "the first e-mail"))
    going.sign_in(username, password)
    step("an officer signs in", username)
    try:
        going.approve(declared)
    except StepFailed as refusal:
        if "account_exists" not in str(refusal):
            raise
        step("the account exists from an earlier walk", "`make clean` or another VAR_DIR starts anew")
        return
    step("receives the dossier, and approves it", "the tracking code is right, and the register knows the person")
    until(lambda: "account_activated" in going.history(declared), "the account opens")
    step("the account is open", f"insurance code {person.insurance_code}")
    told = until(lambda: _sms(outbox, seen, "Tai khoan:"), "the SMS with the first password")
    step("the first password goes out by SMS", re.sub(r"(Mat khau: )\S+", r"\1••••••", told))
    step("and the acceptance by e-mail", until(lambda: _mail(outbox, seen, person.insurance_code), "the second e-mail"))
    until(lambda: "card_issued" in going.history(declared), "the card")
    step("the health-insurance card is issued", "declaration history: " + ", ".join(sorted(going.history(declared))))


def _sms(outbox: Path, seen: set[str], wanted: str) -> str | None:
    """Return the text of a new SMS that holds ``wanted``."""
    for file in outbox.glob("sms-*.json"):
        text = str(orjson.loads(file.read_bytes())["body"])
        if file.name not in seen and wanted in text:
            return text
    return None


def _mail(outbox: Path, seen: set[str], wanted: str) -> str | None:
    """Return the subject and attachments of a new e-mail that holds ``wanted``."""
    for file in outbox.glob("mail-*.eml"):
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        text: Any = mail.get_body(("plain",))
        if file.name not in seen and (wanted in str(mail["Subject"]) or wanted in text.get_content()):
            attached = ", ".join(str(part.get_filename()) for part in mail.iter_attachments())
            return f"“{mail['Subject']}”" + (f" with {attached}" if attached else "")
    return None


def step(what: str, detail: str) -> None:
    click.echo(f"  {click.style('✓', fg='green')} {what}")
    click.echo(f"      {detail}")


def _invite(settings: Settings) -> None:
    username, password, agency_code = people.OFFICER
    click.echo(
        f"""
The system stays up. Look around:

  {settings.public}/docs         the API, for people
  {settings.public}/readyz       how it is
  {settings.folder}/outbox       every SMS and e-mail
  {settings.folder}/vssid.log    the log, one JSON object a line

  officer   {username} / {password}  (agency {agency_code})
  register  {people.REGISTER.splitlines()[2].replace(",", ", ")}
            {people.REGISTER.splitlines()[3].replace(",", ", ")}

Ctrl-C stops it."""
    )
