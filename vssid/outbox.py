"""`vssid outbox`: events that RabbitMQ has confirmed."""

from datetime import datetime

import click

from vssid import startup


@click.group()
def outbox() -> None:
    """Events that RabbitMQ has confirmed; the relay keeps them for 20 hours."""


@outbox.command("replay")
@click.option(
    "--since",
    required=True,
    type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]),
    help="what was announced at this time of Vietnam or later",
)
@click.option("--service", type=click.Choice(startup.STATEFUL), multiple=True, help="only what this service announced")
def replay_outbox(since: datetime, service: tuple[str, ...]) -> None:
    """Announce events once more, where RabbitMQ may have lost them; listeners that know them do nothing.

    By the relay's users on both servers, or an administrator's.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from shared import settings
    from shared.language.clock import VIETNAM
    from shared.language.errors import reason_of
    from shared.messaging.relay import BROKER_ERRORS, BrokerUnresponsive, OutboxRelay

    configured = settings.read()
    if configured.embedded:
        raise click.ClickException("the embedded system has no broker that could lose events")
    queues = startup.event_queues(configured)
    for name in service or startup.STATEFUL:
        try:
            count = OutboxRelay(configured, name, queues).publish_kept(since.replace(tzinfo=VIETNAM))
        except (*BROKER_ERRORS, BrokerUnresponsive, SQLAlchemyError) as error:
            why = reason_of(getattr(error, "orig", None) or error)
            raise click.ClickException(f"the events of {name} were not all announced: {why}") from None
        click.echo(f"{name}: {count} events")
