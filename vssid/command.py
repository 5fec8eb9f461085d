"""`vssid`, the operators' command: runs the desks and the relay, and gathers each desk's own commands.

Green threads need the standard library patched before anything else is imported, so every command imports
what it needs by itself.
"""

import importlib
import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from services import SERVICES

# command: the desk whose `commands` module has it
DESK_COMMANDS = {
    "agency": "registration",
    "officer": "approval",
    "register": "approval",
    "messages": "notification",
    "card": "cards",
}
STOP_SECONDS = 9.0  # SIGTERM is obeyed within ten, broker or no broker


class Town(click.Group):
    """The commands of this file, and those of the desks, imported when they are asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), *DESK_COMMANDS])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in DESK_COMMANDS:
            return getattr(importlib.import_module(f"services.{DESK_COMMANDS[name]}.commands"), name)  # type: ignore[no-any-return]
        return super().get_command(context, name)


@click.group(cls=Town)
def vssid() -> None:
    """Run and tend the services of electronic registration with Vietnam Social Security."""


def main() -> None:
    """Run the command; a setting or a dependency that is not usable ends it with one line."""
    warnings.filterwarnings("ignore", message="(?s).*Eventlet is deprecated.*")
    from shared.language.errors import Problem
    from shared.settings import SettingsError

    try:
        vssid()
    except (SettingsError, Problem) as problem:
        what = getattr(problem, "details", {}).get("dependency")
        click.echo(
            f"vssid: {problem}" + (f": {what} does not answer, look at its URL and its log" if what else ""), err=True
        )
        sys.exit(2)


def patched() -> Any:
    """Make the standard library green and return our settings."""
    from shared.framework.green import patch

    patch()
    from shared import settings

    return settings.read()


@vssid.command()
@click.argument("desk", type=click.Choice(SERVICES))
def serve(desk: str) -> None:
    """Serve one desk, on RabbitMQ (AMQP_URL)."""
    settings = patched()
    if settings.embedded:
        raise click.ClickException("AMQP_URL is empty: name a RabbitMQ, or use `vssid run` for the embedded town")
    from nameko.runners import ServiceRunner

    from shared import logs
    from shared.framework import configuration
    from vssid import startup

    logs.start(desk, settings.log_level)
    runner = ServiceRunner(configuration(settings))
    runner.add_service(startup.service_of(desk))
    runner.start()
    logs.log(__name__).info("started", desk=desk)
    stop_on_signal(runner.stop)
    runner.wait()


@vssid.command()
def run() -> None:
    """Run the whole town in this one process: SQLite, no broker, no server."""
    embedded_town(patched(), after_start=lambda: None)


@vssid.command()
def demo() -> None:
    """Run the whole town and walk one declaration through it, from submission to SMS, e-mail and card."""
    settings = patched()
    from vssid import demo as walk

    walk.prepare(settings)
    leave = os.environ.get("DEMO_EXIT") == "1"
    embedded_town(settings, after_start=lambda: walk.walk(settings, leave=leave), log_file=settings.folder / "town.log")


def embedded_town(settings: Any, after_start: Callable[[], None], log_file: Path | None = None) -> None:
    """Start every desk in this process, then do ``after_start`` and stay up."""
    import eventlet
    from nameko.runners import ServiceRunner

    from shared import logs
    from shared.framework import configuration
    from shared.messaging import embedded
    from vssid import startup

    if not settings.embedded:
        raise click.ClickException("AMQP_URL is set: the embedded town takes none; use `vssid serve` and `vssid relay`")
    logs.start("town", settings.log_level, log_file)
    settings = startup.with_keys(settings)
    startup.migrate(settings)
    town = embedded.Town(settings)
    runner = ServiceRunner(configuration(settings, town))
    for desk in SERVICES:
        runner.add_service(startup.service_of(desk))
    runner.start()
    carrying = eventlet.spawn(town.run)

    def stop() -> None:
        town.stop()
        carrying.wait()
        runner.stop()

    stop_on_signal(stop)
    after_start()
    runner.wait()


def stop_on_signal(stop: Callable[[], None]) -> None:
    """Stop in order on SIGTERM and SIGINT; past the time allowed, leave at once."""
    import eventlet

    def leave(*_: Any) -> None:
        signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
        signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)
        eventlet.spawn(stop)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)


@vssid.command()
def relay() -> None:
    """Carry events from every outbox to RabbitMQ."""
    import threading

    from shared import logs, settings
    from shared.messaging.relay import Relay
    from vssid import startup

    configured = settings.read()
    if configured.embedded or not configured.database_url:
        raise click.ClickException("AMQP_URL and DATABASE_URL are needed: the relay carries between servers")
    logs.start("relay", configured.log_level)
    rounds, told = Relay(configured), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    signal.signal(signal.SIGINT, lambda *_: told.set())
    rounds.start()
    startup.serve_operations(configured, rounds.states)
    logs.log(__name__).info("started", desk="relay")
    told.wait()
    rounds.stop(STOP_SECONDS)


@vssid.command()
def migrate() -> None:
    """Make missing databases and bring every desk's tables up to date."""
    from sqlalchemy.exc import OperationalError

    from shared import settings
    from vssid import startup

    try:
        startup.migrate(settings.read())
    except OperationalError as error:
        raise click.ClickException(f"the server at DATABASE_URL does not answer: {error.orig}") from None
    click.echo("every database is up to date")


@vssid.command()
def key() -> None:
    """Print a fresh key for SEAL_KEY or LINK_KEY."""
    from shared.storage.seals import new_key

    click.echo(new_key())


@vssid.command()
def docs() -> None:
    """Write the generated documents: events.md, openapi.json, asyncapi.json, and the table of settings in operate.md."""
    from vssid import documents

    for path in documents.write():
        click.echo(path)


@vssid.group()
def smoke() -> None:
    """The main job against a running town; `make smoke` does both halves."""


@smoke.command("prepare")
@click.option("--seed", type=int, required=True)
@click.option("--count", default=1)
def prepare_smoke(seed: int, count: int) -> None:
    """Put invented people into the register and an officer to the desk."""
    from vssid import smoke as drive

    drive.prepare(seed, count)


@smoke.command("run")
@click.option("--url", default="http://127.0.0.1:8000", help="the gateway")
@click.option("--inbox", default="http://127.0.0.1:8025", help="Mailpit, where messages arrive")
@click.option("--seed", type=int, required=True)
@click.option("--count", default=1)
def run_smoke(url: str, inbox: str, seed: int, count: int) -> None:
    """Send invented people's declarations the whole way, and count their messages in Mailpit."""
    from vssid import smoke as drive

    drive.run(url, inbox, seed, count)


@vssid.group()
def dead() -> None:
    """Events that failed in every round: look at them, give them back, or drop them."""


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
    """Give dead events back to their queues for new rounds; listeners are repeat-safe."""
    click.echo(f"{_letters().replay(_chosen(queue, event_id))} events given back")


@dead.command("drop")
@click.option("--queue", help="only this queue")
@click.option("--id", "event_id", help="only this event")
@click.confirmation_option(prompt="Delete these events for good?")
def drop_dead(queue: str | None, event_id: str | None) -> None:
    """Delete dead events for good."""
    click.echo(f"{_letters().drop(_chosen(queue, event_id))} events deleted")


if __name__ == "__main__":
    main()
