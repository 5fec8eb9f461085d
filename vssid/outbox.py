"""`vssid outbox`: events that RabbitMQ has confirmed."""

from datetime import datetime

import click

from vssid.startup import STATEFUL


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
@click.option("--service", type=click.Choice(STATEFUL), multiple=True, help="only what this service announced")
def replay_outbox(since: datetime, service: tuple[str, ...]) -> None:
    """Announce events once more, where RabbitMQ may have lost them; listeners that know them do nothing.

    The user of DATABASE_URL must be an administrator's, as that of `vssid migrate` is, or the service's own.
    """
    import sqlalchemy as sa

    from shared import settings
    from shared.language.clock import VIETNAM
    from shared.storage.database import make_engine
    from shared.storage.outbox import announce_again

    configured = settings.read()
    if configured.embedded:
        raise click.ClickException("the embedded system has no broker that could lose events")
    for name in service or STATEFUL:
        engine = make_engine(configured.database(name), configured)
        try:
            with engine.begin() as connection:
                count = announce_again(connection, since.replace(tzinfo=VIETNAM))
        except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:  # not there, or not allowed
            raise click.ClickException(f"{name}, at DATABASE_URL: {str(error.orig).strip()}") from None
        click.echo(f"{name}: {count} events")
