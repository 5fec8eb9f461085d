"""`vssid dead`: events that failed on every attempt."""

from collections.abc import Callable
from typing import Any

import click


@click.group()
def dead() -> None:
    """Events that failed on every attempt: look at them, replay them, or drop them."""


def _letters() -> Any:
    from shared import settings
    from shared.messaging import dead_letters
    from vssid.documents import listener_queues

    configured = settings.read()
    return dead_letters.open_letters(configured, listener_queues(configured.broker_prefix))


def _chosen(queue: str | None, event_id: str | None) -> Callable[[dict[str, Any]], bool]:
    return lambda letter: (not queue or letter["queue"] == queue) and (not event_id or letter["id"] == event_id)


@dead.command("list")
def list_dead() -> None:
    """List dead events: queue, id, type, error, since when."""
    for letter in _letters().all():
        headers = letter["headers"]
        click.echo(
            "  ".join(
                (
                    letter["queue"],
                    letter["id"],
                    str(headers.get("cloudEvents:type", "?")),
                    str(headers.get("x-error", "parked after too many deliveries")),
                    str(headers.get("x-failed-at", "")),
                )
            )
        )


@dead.command("show")
@click.argument("event_id")
def show_dead(event_id: str) -> None:
    """Show one dead event whole, its personal data included."""
    import orjson

    found = [letter for letter in _letters().all() if letter["id"] == event_id]
    if not found:
        raise click.ClickException(f"no dead event has the id {event_id}")
    for letter in found:
        click.echo(orjson.dumps(letter, option=orjson.OPT_INDENT_2, default=str).decode())


@dead.command("replay")
@click.option("--queue", help="only this queue")
@click.option("--id", "event_id", help="only this event")
def replay_dead(queue: str | None, event_id: str | None) -> None:
    """Put dead events back into their queues for new attempts; consumers are idempotent."""
    click.echo(f"{_letters().replay(_chosen(queue, event_id))} events given back")


@dead.command("drop")
@click.option("--queue", help="only this queue")
@click.option("--id", "event_id", help="only this event")
@click.confirmation_option(prompt="Delete these events permanently?")
def drop_dead(queue: str | None, event_id: str | None) -> None:
    """Delete dead events permanently."""
    click.echo(f"{_letters().drop(_chosen(queue, event_id))} events deleted")
