"""What operators do with officers: `vssid officer …`."""

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click

from services.approval import models
from services.approval.domain.officer import (
    PERMISSIONS,
    Officer,
    OfficerSession,
    Permission,
    Role,
    new_otp_secret,
    otp_uri,
)
from services.approval.domain.password import weakness
from services.approval.handlers import officer as handlers
from services.approval.media import terminal_qr
from shared import settings
from shared.language.clock import rfc3339, utc_now
from shared.language.errors import NotFound
from shared.language.text import UNPRINTABLE, has_category, tidy
from shared.language.values import AGENCY_CODE
from shared.listing import Row, json_option, print_rows, tabbed
from shared.settings import Settings, SettingsError
from shared.storage.database import Database, open_database
from shared.storage.passwords import hash_password, normal_form
from shared.storage.seals import Seal, kept_key

LONGEST_USERNAME = 60


def username_argument(**options: Any) -> Callable[[Any], Any]:
    """Take USERNAME in the form in which it is looked for at sign-in."""
    return click.argument(
        "username", callback=lambda _context, _parameter, given: given and _username(given), **options
    )


def _username(given: str) -> str:
    username = tidy(given)
    if not 0 < len(username) <= LONGEST_USERNAME or has_category(UNPRINTABLE, username):
        raise click.ClickException(f"a user name has 1 to {LONGEST_USERNAME} characters, none of them hidden")
    return username


@click.group()
def officer() -> None:
    """The officers who review declarations."""


@officer.command("add")
@username_argument()
@click.option("--agency", "agency_code", required=True, help="code of the agency whose declarations they see")
@click.option("--role", type=click.Choice([str(role) for role in Role]), default=str(Role.OFFICER))
def add_officer(username: str, agency_code: str, role: str) -> None:
    """Add an officer, or set a known one's password, agency and role. The password is read from
    standard input; changing it ends the officer's sessions and lifts a lock."""
    if not AGENCY_CODE.fullmatch(agency_code):
        raise click.ClickException(f"agency {agency_code!r} is not three or five digits")
    keep_officer(username, agency_code, role, _read_password(username))
    click.echo(f"officer {username} sees agency {agency_code}")


@officer.command("list")
@json_option
def list_officers(as_json: bool) -> None:
    """List the officers: name, agency, role, authenticator, until when locked at some address, last sign-in."""
    database, at = _database(), utc_now()
    locks = database.query(models.locks, at)
    rows = [_row(one, locks.get(one.username)) for one in database.query(models.all_officers)]
    print_rows(rows, as_json=as_json, text=_line)


def _row(one: Officer, locked_until: datetime | None) -> dict[str, Any]:
    return {
        "username": one.username,
        "agency_code": one.agency_code,
        "role": one.role,
        "has_otp": one.has_otp,
        "locked_until": locked_until and rfc3339(locked_until),
        "last_sign_in_at": one.last_sign_in_at and rfc3339(one.last_sign_in_at),
    }


def _line(row: Row) -> str:
    return tabbed({**row, "has_otp": "otp" if row["has_otp"] else None})


@officer.command("remove")
@username_argument()
def remove_officer(username: str) -> None:
    """Remove an officer: it ends the sessions, and what was assigned to the officer returns to the queue."""
    returned = _run(handlers.remove_officer, username, at=utc_now())
    click.echo(f"officer {username} is removed, {returned} dossiers returned to the queue")


@officer.command("password")
@username_argument()
def set_password(username: str) -> None:
    """Set an officer's password, read from standard input: it ends the sessions and lifts a lock."""
    _run(handlers.set_password, username, hash_password(_read_password(username)))
    click.echo(f"officer {username} has a new password")


@officer.command("otp")
@username_argument()
@click.option("--remove", is_flag=True, help="take the authenticator away, for instance when the phone was lost")
def enrol_authenticator(username: str, remove: bool) -> None:
    """Give an officer a new authenticator (TOTP): show the QR code it scans. It ends the officer's sessions."""
    if remove:
        _run(handlers.enrol, username, None)
        click.echo(f"officer {username} has no authenticator")
        return
    secret = new_otp_secret()
    _run(handlers.enrol, username, _seal(settings.read()).close(secret))
    uri = otp_uri(username, secret)
    click.echo(f"{terminal_qr(uri)}\n\n{uri}\n\nThe officer scans it now: it is not shown again.")


def _seal(configured: Settings) -> Seal:
    """Return the seal of authenticators' secrets, as the approval service has it.

    Raises:
        SettingsError: there is no key.
    """
    kept = kept_key(configured.folder / "officer.key") if configured.embedded and not configured.officer_key else ""
    if not (configured.officer_key or kept):
        raise SettingsError("OFFICER_KEY is empty: give the approval service and this command a key of `vssid key`")
    return Seal(configured.officer_key or kept, "OFFICER_KEY")


@officer.command("sessions")
@username_argument(required=False)
@click.option("--end", is_flag=True, help="end those that are listed")
@json_option
def list_sessions(username: str | None, end: bool, as_json: bool) -> None:
    """List the sessions that run, of an officer or of all: id, name, since when, last used, from where."""
    running = _run(handlers.running_sessions, username, end=end, at=utc_now())
    print_rows(map(_session_row, running), as_json=as_json, text=tabbed)
    if end and not as_json:
        click.echo(f"{len(running)} sessions ended")


def _session_row(one: OfficerSession) -> dict[str, str]:
    return {
        "session_id": one.session_id,
        "username": one.username,
        "created_at": rfc3339(one.created_at),
        "last_used_at": rfc3339(one.last_used_at),
        "address": one.address,
    }


@officer.command("permissions")
@json_option
def show_permissions(as_json: bool) -> None:
    """Print what each role may do, as CSV: a permission a line, a role a column."""
    if not as_json:
        click.echo(",".join(["permission", *Role]))
    rows = [{"permission": one, **{str(role): one in PERMISSIONS[role] for role in Role}} for one in Permission]
    print_rows(rows, as_json=as_json, text=_permission_line)


def _permission_line(row: Row) -> str:
    return ",".join([row["permission"], *("yes" if row[role] else "no" for role in Role)])


def keep_officer(username: str, agency_code: str, role: str, password: str, lifetime: timedelta | None = None) -> None:
    """Keep an officer, new or known; with a ``lifetime``, for so long only."""
    expires_at = lifetime and utc_now() + lifetime
    _run(handlers.put_officer, username, agency_code, role, hash_password(password), expires_at)


def forget_officer(username: str) -> None:
    """Remove an officer, where there is one of that name."""
    try:
        _database().run(handlers.remove_officer, username, at=utc_now())
    except NotFound:
        return


def _run(handler: Callable[..., Any], username: Any, *arguments: Any, **named: Any) -> Any:
    try:
        return _database().run(handler, username, *arguments, **named)
    except NotFound:
        raise click.ClickException(f"there is no officer {username}; `vssid officer list` shows all") from None


def _database() -> Database:
    return open_database("approval", models.metadata)


def _read_password(username: str) -> str:
    """Read a password in the form that is hashed."""
    given = click.prompt("Password", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    password = normal_form(given)
    fault = weakness(password, username)
    if fault is not None:
        raise click.ClickException(f"the password is refused: {fault}")
    return password
