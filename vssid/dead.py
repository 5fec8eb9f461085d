"""`vssid dead`: events that failed on every attempt."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

import click

from shared.listing import json_option, print_rows, spaced


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
    # an empty name, of a variable that is not set, is not the same as none
    return lambda event: queue in (None, event.queue) and event_id in (None, event.event_id)


def _check_found(count: int, queue: str | None, event_id: str | None) -> None:
    """Refuse a queue or an id that no dead event has."""
    named = f" with the id {event_id}" * (event_id is not None) + f" in the queue {queue}" * (queue is not None)
    if named and not count:
        raise click.ClickException(f"there is no dead event{named}; `vssid dead list` shows all")


@dead.command("list")
@json_option
def list_dead(as_json: bool) -> None:
    """List dead events: queue, id, type, error, since when."""
    print_rows(map(_row, _dead_events().all()), as_json=as_json, text=spaced)


def _row(event: Any) -> dict[str, str | None]:
    from shared.language.clock import rfc3339
    from shared.messaging import topology
    from shared.messaging.dead_letters import failed_at

    is_typed, at = topology.attribute(event.headers, topology.TYPE) is not None, failed_at(event.headers)
    return {
        "queue": event.queue,
        "event_id": event.event_id,
        "type": topology.event_name(event.headers) if is_typed else None,
        "error": str(event.headers.get(topology.ERROR, "parked after too many deliveries")),
        "failed_at": at and rfc3339(at.astimezone(UTC)),
    }


@dead.command("show")
@click.argument("event_id")
def show_dead(event_id: str) -> None:
    """Show one dead event whole, its personal data included."""
    import orjson

    found = [event for event in _dead_events().all() if event.event_id == event_id]
    if not found:
        raise click.ClickException(f"there is no dead event with the id {event_id}; `vssid dead list` shows all")
    for event in found:
        click.echo(orjson.dumps(event, option=orjson.OPT_INDENT_2, default=str).decode())


@dead.command("replay")
@click.option("--queue", help="only this queue")
@click.option("--id", "event_id", help="only this event")
def replay_dead(queue: str | None, event_id: str | None) -> None:
    """Put dead events back into their queues for new attempts; consumers are idempotent."""
    count = _dead_events().replay(_chosen(queue, event_id))
    _check_found(count, queue, event_id)
    click.echo(f"{count} events put back")


@dead.command("drop")
@click.option("--queue", help="only this queue")
@click.option("--id", "event_id", help="only this event")
@click.confirmation_option(prompt="Delete these events permanently?")
def drop_dead(queue: str | None, event_id: str | None) -> None:
    """Delete dead events permanently."""
    count = _dead_events().drop(_chosen(queue, event_id))
    _check_found(count, queue, event_id)
    click.echo(f"{count} events deleted")
