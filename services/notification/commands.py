"""What operators do with messages: see which did not arrive, and try them again."""

from typing import Any

import click

from services.notification import handlers, models
from services.notification.domain.message import Message, State
from shared.language.clock import rfc3339, utc_now
from shared.language.errors import NotFound, Refused
from shared.listing import Row, json_option, print_rows, spaced
from shared.storage.database import open_database

TROUBLED = (State.UNKNOWN, State.FAILED)


@click.group()
def messages() -> None:
    """SMS and mails to people."""


@messages.command("list")
@click.option("--state", type=click.Choice([str(state) for state in State]), multiple=True, help="unknown and failed")
@click.option("--limit", type=click.IntRange(1, 10000), default=100, show_default=True)
@json_option
def list_messages(state: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Print messages of unknown outcome and failed ones, or those in the states given, the newest first."""
    with open_database("notification", models.metadata).begin() as session:
        found = handlers.list_messages(session, state or [str(one) for one in TROUBLED], limit)
        print_rows(map(_row, found), as_json=as_json, text=_line)


@messages.command("retry")
@click.argument("message_id")
def retry_message(message_id: str) -> None:
    """Make a message due now: a waiting one is sent, one of unknown outcome is looked up at its carrier.

    A sent or failed message cannot be retried: its text and recipient are no longer kept.
    """
    try:
        with open_database("notification", models.metadata).begin() as session:
            handlers.retry_message(session, message_id, at=utc_now())
    except NotFound:
        raise click.ClickException(
            f"there is no message {message_id}; `vssid messages list --state queued` shows those that wait"
        ) from None
    except Refused as refusal:
        state = refusal.details["state"]
        raise click.ClickException(f"{message_id} is {state}: only waiting ones can be tried again") from None
    click.echo(f"{message_id} is due now")


def _row(message: Message) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "state": message.state,
        "channel": message.channel,
        "recipient": message.masked or None,
        "occasion": message.occasion.partition(":")[0],
        "number": message.number,
        "attempts": message.attempt,
        "code": message.code,
        "queued_at": rfc3339(message.queued_at),
    }


def _line(row: Row) -> str:
    return spaced({**row, "attempts": f"attempts={row['attempts']}"})
