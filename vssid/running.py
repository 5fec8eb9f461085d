"""`vssid serve`, `run`, `demo` and `relay`: the processes that keep running.

Green threads need the standard library patched before anything else is imported, so every command imports
what it needs by itself.
"""

import fcntl
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import click

from services import SERVICES

# settings by which the demo's invented people would reach real ones, or their data
ELSEWHERE = ("DATABASE_URL", "STORE_URL", "SMS_URL", "MAIL_URL", "REGISTER_URL", "RATE_LIMIT_STORE")
OWN = ("file:", "memory:")
STOP_SECONDS = 9.0  # SIGTERM is obeyed within ten, broker or no broker


def patched() -> Any:
    """Make the standard library green and return our settings."""
    from shared.framework.green import patch

    patch()
    from shared import settings

    return settings.read()


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
def serve(service: str) -> None:
    """Run one service, on RabbitMQ (AMQP_URL)."""
    settings = patched()
    if settings.embedded:
        raise click.ClickException("AMQP_URL is empty: name a RabbitMQ, or use `vssid run` for the embedded system")
    from nameko.runners import ServiceRunner

    from shared import logs
    from shared.framework.service import configuration
    from vssid import startup

    logs.start(service, settings.log_level)
    runner = ServiceRunner(configuration(settings))
    runner.add_service(startup.service_class(service))
    start(runner)
    logs.log(__name__).info("started", service=service)
    stop_on_signal(runner.stop)
    runner.wait()


@click.command()
def run() -> None:
    """Run every service in this one process: the embedded system, on SQLite, without broker or server."""
    settings = patched()
    from vssid import demo, startup

    _check_embedded(settings)
    with _alone(settings.folder):
        startup.migrate(settings)
        demo.forget()
        embedded_system(settings, lambda: _say_where(settings))


@click.command()
def demo() -> None:
    """Run the embedded system and walk one declaration through it, from submission to SMS, e-mail and card."""
    settings = patched()
    from vssid import demo as walk

    _check_embedded(settings)
    _check_own(settings)
    exit_after, happened = os.environ.get("DEMO_EXIT") == "1", False

    def go() -> bool:
        nonlocal happened
        happened = walk.walk(settings, password)
        if not exit_after:
            walk.invite(settings, password)
        return not exit_after

    with _alone(settings.folder):
        password = walk.prepare(settings)
        try:
            embedded_system(settings, go, log_file=settings.folder / "vssid.log")
        finally:
            walk.forget()
    if exit_after and not happened:
        sys.exit(1)


def _check_embedded(settings: Any) -> None:
    if not settings.embedded:
        raise click.ClickException(
            "AMQP_URL is set: the embedded system takes none; use `vssid serve` and `vssid relay`"
        )


def _say_where(settings: Any) -> bool:
    if sys.stdout.isatty():  # elsewhere each line is the log's, in JSON
        click.echo(f"the system is at {settings.public}/docs; messages are in {settings.folder / 'outbox'}")
    return True


def _check_own(settings: Any) -> None:
    """Let the demo's people and messages reach nothing but files of its own."""
    named = {name: getattr(settings, name.lower()).split() for name in ELSEWHERE}
    elsewhere = [name for name, urls in named.items() if not all(url.startswith(OWN) for url in urls)]
    if elsewhere:
        raise click.ClickException(f"unset {', '.join(elsewhere)}: the demo works on files of its own, under VAR_DIR")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other embedded systems off the same files: two would lose each other's events.

    The kernel takes the lock back however this process ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "running.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise click.ClickException(
                f"{folder} is in use by process {lock.read().strip() or '?'}: stop it, or set another VAR_DIR"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def embedded_system(
    settings: Any, after_start: Callable[[], bool] = lambda: True, log_file: Path | None = None
) -> None:
    """Start every service in this process, and stay up until told to stop, if ``after_start`` returns so."""
    import eventlet
    from nameko.runners import ServiceRunner

    from shared import logs
    from shared.framework.service import configuration
    from shared.messaging.embedded import EmbeddedBroker
    from vssid import startup

    logs.start("embedded", settings.log_level, log_file)
    settings = startup.with_keys(settings)
    broker = EmbeddedBroker(settings)
    runner = ServiceRunner(configuration(settings, broker))
    for service in SERVICES:
        runner.add_service(startup.service_class(service))
    start(runner)
    carrying = eventlet.spawn(broker.run, startup.databases(runner))

    def stop() -> None:
        broker.shut_down()
        carrying.wait()
        runner.stop()

    stop_on_signal(stop)
    if not after_start():
        stop()
    runner.wait()


def start(runner: Any) -> None:
    """Start the services; an error while they start is raised here, and not printed by eventlet as well."""
    with redirect_stderr(io.StringIO()):  # log lines go to the stream itself
        runner.start()


def stop_on_signal(stop: Callable[[], None]) -> None:
    """Stop in order on SIGTERM and SIGINT; past the time allowed, exit at once."""
    import eventlet

    begun = False

    def begin(*_: Any) -> None:
        nonlocal begun
        if begun:  # asked twice, by a terminal and by who started us
            return
        begun = True
        signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
        signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)
        eventlet.spawn(stop)

    signal.signal(signal.SIGTERM, begin)
    signal.signal(signal.SIGINT, begin)


@click.command()
def relay() -> None:
    """Carry events from every outbox to RabbitMQ."""
    import threading

    from shared import logs, settings
    from shared.messaging.dead_letters import DeadLetterSweeper, RabbitMqDeadLetters
    from shared.messaging.relay import Relay
    from shared.messaging.topology import with_dead_queue
    from vssid import startup

    configured = settings.read()
    if configured.embedded or not configured.database_url:
        raise click.ClickException("AMQP_URL and DATABASE_URL are needed: the relay carries between servers")
    logs.start("relay", configured.log_level)
    queues = startup.event_queues(configured)
    carrier, told = Relay(configured, startup.STATEFUL, queues), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    signal.signal(signal.SIGINT, lambda *_: told.set())
    carrier.start()
    dead_letters = RabbitMqDeadLetters(configured, with_dead_queue(queues))
    DeadLetterSweeper(dead_letters, configured.retention, carrier.earliest_now).start()
    startup.serve_operations(configured, carrier.states)
    logs.log(__name__).info("started", service="relay")
    told.wait()
    carrier.stop(STOP_SECONDS)
