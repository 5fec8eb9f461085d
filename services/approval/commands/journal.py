"""What operators and auditors do with the journal: `vssid audit …`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import click
from sqlalchemy.orm import Session

from services.approval import models
from services.approval.domain.journal import BrokenJournal, Entry, Root, read_root
from services.approval.handlers import journal
from shared import settings
from shared.language.clock import VIETNAM, rfc3339
from shared.language.errors import NotFound
from shared.listing import Row, json_option, print_rows, spaced
from shared.storage import signatures
from shared.storage.database import open_database


@click.group()
def audit() -> None:
    """The journal of what officers saw and did."""


@audit.command("verify")
@click.option("--roots", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="roots kept elsewhere")
@click.option("--key", "keys", multiple=True, help="a public key that signed roots; without any, those of JOURNAL_KEY")
def verify_journal(roots: Path | None, keys: tuple[str, ...]) -> None:
    """Find the first row that was changed, removed, moved or put in; end with 1 where there is one.

    --roots names a file with what `vssid audit root` printed once: whoever changed the journal could not change that.
    """
    is_signed = partial(signatures.is_signed, keys or _signer().public_keys)
    kept = _read_roots(roots, is_signed) if roots else []
    with open_database("approval", models.metadata).begin() as session:
        try:
            end, root = journal.verify_journal(session, is_signed, kept)
        except BrokenJournal as broken:
            raise click.ClickException(f"the journal is broken at {broken}") from None
    click.echo(f"{end.sequence} rows are as they were written; the newest root covers {root.sequence if root else 0}")


@audit.command("root")
@json_option
def print_roots(as_json: bool) -> None:
    """Print every signed root, to be kept elsewhere: day, row, hash, signature."""
    with open_database("approval", models.metadata).read() as session:
        rows = [{**vars(root), "hash": root.hash or None} for root in models.roots(session)]
    print_rows(rows, as_json=as_json, text=_root_line)


def _root_line(row: Row) -> str:
    return str(Root(**{**row, "hash": row["hash"] or ""}))


@audit.command("key")
@json_option
def print_public_keys(as_json: bool) -> None:
    """Print the public keys of JOURNAL_KEY, newest first: with them an auditor verifies without the secret."""
    print_rows([{"public_key": key} for key in _signer().public_keys], as_json=as_json, text=spaced)


@audit.command("list")
@click.option("--number", help="of a declaration: who looked at it")
@click.option("--officer", "username", help="what an officer saw and did")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="on this day of Vietnam or later")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="on this day of Vietnam or earlier")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@json_option
def list_entries(
    number: str | None, username: str | None, since: datetime | None, until: datetime | None, limit: int, as_json: bool
) -> None:
    """Print rows, newest first: sequence, time, officer, act, number, detail, address, session, request."""
    search = {
        "number": number,
        "officer": username,
        "from": since and since.replace(tzinfo=VIETNAM),
        "to": until and until.replace(tzinfo=VIETNAM) + timedelta(days=1),
        "limit": limit,
    }
    with open_database("approval", models.metadata).read() as session:
        found = models.entries_found(session, search)[:limit]
        if not found:
            _check_known(session, number, username)
    print_rows(map(_row, found), as_json=as_json, text=_line)


def _check_known(session: Session, number: str | None, username: str | None) -> None:
    """Refuse a number or a name that never was: nothing found would look as if nobody had looked."""
    try:
        if number and not models.entries_found(session, {"number": number, "limit": 1}):
            models.get_review(session, number)
    except NotFound:
        raise click.ClickException(f"there is no declaration {number}; look at the number again") from None
    try:
        if username and not models.entries_found(session, {"officer": username, "limit": 1}):
            models.get_officer(session, username)
    except NotFound:
        raise click.ClickException(f"there is no officer {username}; `vssid officer list` shows all") from None


def _row(one: Entry) -> dict[str, str | int | None]:
    return {
        "sequence": one.sequence,
        "at": rfc3339(one.at),
        "officer": one.officer or None,
        "act": one.act,
        "number": one.number or None,
        "detail": one.detail or None,
        "address": one.address or None,
        "session_id": one.session_id or None,
        "request_id": one.request_id or None,
    }


def _line(row: Row) -> str:
    return "\t".join("" if value is None else str(value) for value in row.values())


def _signer() -> signatures.Signer:
    """Return the signer of JOURNAL_KEY, or of the key that the embedded system keeps beside its data."""
    configured = settings.read()
    kept = configured.folder / "journal.key"
    if not configured.journal_key and kept.exists():
        configured = replace(configured, journal_key=kept.read_text("ascii"))
    return signatures.Signer(configured)


def _read_roots(file: Path, is_signed: Callable[[str, str], bool]) -> list[Root]:
    roots = []
    for count, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        try:
            root = read_root(line)
        except ValueError:
            raise click.ClickException(f"{file}, line {count}: not a line of `vssid audit root`") from None
        if not is_signed(root.text, root.signature):
            raise click.ClickException(f"{file}, line {count}: not signed by a known key")
        roots.append(root)
    return roots
