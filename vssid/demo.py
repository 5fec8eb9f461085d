"""`make demo`: one declaration walked through the embedded system, each step printed as it happens."""

import email
import email.policy
import io
import re
import secrets
from pathlib import Path
from typing import Any

import click
import orjson
import requests

from services.approval.commands.officer import forget_officer, keep_officer
from services.approval.commands.register import keep_people
from shared.settings import Settings
from vssid import people, startup
from vssid.walk import StepFailed, Walk, until


def prepare(settings: Settings) -> str:
    """Add the demo people to the household register, and an officer to approve them; return the officer's password.

    It is drawn anew, and the officer is there while the demo runs: everybody can read what a document prints.
    """
    startup.migrate(settings)
    keep_people(io.StringIO(people.REGISTER))
    password = secrets.token_urlsafe()
    keep_officer(people.OFFICER, people.AGENCY, "officer", password)
    return password


def forget() -> None:
    """Remove the demo's officer, also that of a demo which was killed."""
    forget_officer(people.OFFICER)


def walk(settings: Settings, password: str) -> bool:
    """Walk the declaration; return whether every step happened."""
    try:
        _walk(settings, password)
    except StepFailed as failure:
        click.secho(f"  ✗ {failure}", fg="red", err=True)
        return False
    return True


def _walk(settings: Settings, password: str) -> None:
    person, going, outbox = people.DEMO, Walk(settings.public), settings.folder / "outbox"
    seen = {file.name for file in outbox.glob("*")} if outbox.exists() else set()
    click.echo(f"\nOne declaration, from submission to card ({settings.public})\n")
    step("the system is ready", ", ".join(requests.get(f"{settings.public}/readyz", timeout=5).json()["dependencies"]))
    declared = going.submit(person, people.AGENCY)
    step("three pictures uploaded, declaration submitted", f"{declared['number']}, code {declared['tracking_code']}")
    step("Form 01 is ready to print", f"{len(going.form(declared)) // 1024} KB of PDF")
    step("the applicant is told by SMS", until(lambda: _sms(outbox, seen, declared["number"]), "the first SMS"))
    step("and by e-mail", until(lambda: _mail(outbox, seen, declared["number"]), "the first e-mail"))
    going.sign_in(people.OFFICER, password)
    step("an officer signs in", people.OFFICER)
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


def invite(settings: Settings, password: str) -> None:
    """Say what there is to look at."""
    click.echo(
        f"""
The system stays up. Look around:

  {settings.public}/docs         the API, for people
  {settings.public}/readyz       how it is
  {settings.folder}/outbox       every SMS and e-mail
  {settings.folder}/vssid.log    the log, one JSON object a line

  officer   {people.OFFICER} / {password}
            (agency {people.AGENCY}, until this process ends)
  register  {people.REGISTER.splitlines()[2].replace(",", ", ")}
            {people.REGISTER.splitlines()[3].replace(",", ", ")}

Ctrl-C stops it."""
    )
