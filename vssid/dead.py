"""`vssid dead`: events that failed on every attempt."""

from collections.abc import Callable
from typing import Any

import click


@click.group()
def dead() -> None:
    """Events that failed on every attempt: look at them, replay them, or drop them."""


def _dead_events() -> Any:
    from shared import settings
    from vssid import startup

    configured = settings.read()
    if configured.embedded:
        from shared.messaging.embedded_dead_letters import EmbeddedDeadLetters

        return EmbeddedDeadLetters(configured)
    from shared.messaging.dead_letters import RabbitMqDeadLetters

    return RabbitMqDeadLetters(configured, startup.listener_queues(configured.broker_prefix))


def _chosen(queue: str | None, event_id: str | None) -> Callable[[Any], bool]:
    return lambda event: (not queue or event.queue == queue) and (not event_id or event.event_id == event_id)


@dead.command("list")
def list_dead() -> None:
    """List dead events: queue, id, type, error, since when."""
    from shared.messaging import topology

    for event in _dead_events().all():
        headers = event.headers
        click.echo(
            "  ".join(
                (
                    event.queue,
                    event.event_id,
                    topology.event_name(headers),
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

    found = [event for event in _dead_events().all() if event.event_id == event_id]
    if not found:
        raise click.ClickException(f"no dead event has the id {event_id}")
    for event in found:
        click.echo(orjson.dumps(event, option=orjson.OPT_INDENT_2, default=str).decode())


@dead.command("replay")
@click.option("--queue", help="only this queue")
@click.option("--id", "event_id", help="only this event")
def replay_dead(queue: str | None, event_id: str | None) -> None:
    """Put dead events back into their queues for new attempts; consumers are idempotent."""
    click.echo(f"{_dead_events().replay(_chosen(queue, event_id))} events put back")


@dead.command("drop")
@click.option("--queue", help="only this queue")
@click.option("--id", "event_id", help="only this event")
@click.confirmation_option(prompt="Delete these events permanently?")
def drop_dead(queue: str | None, event_id: str | None) -> None:
    """Delete dead events permanently."""
    click.echo(f"{_dead_events().drop(_chosen(queue, event_id))} events deleted")
