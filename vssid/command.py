"""`vssid`, the operators' command: the root group, and the commands that belong to no other.

Every other command stands in a file of its own and is imported when it is asked for: green threads need the standard
library patched before anything else is imported, and no process carries what it does not need.
"""

import importlib
import os
import sys
import warnings
from typing import IO, NoReturn
from urllib.parse import urlsplit

import click

# command: the module that has it
ELSEWHERE = {
    "serve": "vssid.running",
    "run": "vssid.running",
    "demo": "vssid.running",
    "relay": "vssid.running",
    "dead": "vssid.dead",
    "outbox": "vssid.outbox",
    "certificate": "vssid.certificate",
    "smoke": "vssid.smoke",
    "agency": "services.registration.commands",
    "officer": "services.approval.commands.officer",
    "audit": "services.approval.commands.journal",
    "register": "services.approval.commands.register",
    "messages": "services.notification.commands",
    "card": "services.cards.commands",
}


SERVERS = {"broker": "AMQP_URL", "database": "DATABASE_URL"}


class Commands(click.Group):
    """The commands of this file, and those of other modules, imported when they are asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), *ELSEWHERE])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in ELSEWHERE:
            return getattr(importlib.import_module(ELSEWHERE[name]), name)  # type: ignore[no-any-return]
        return super().get_command(context, name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vssid", message="%(prog)s %(version)s")
def vssid() -> None:
    """Run and operate the services of electronic registration with Vietnam Social Security."""


def main() -> None:
    """Run the command; a setting or a dependency that is not usable ends it with one line.

    Whatever it writes, nobody but the user it runs as may read: databases, pictures, messages, keys.
    """
    os.umask(0o077)
    warnings.filterwarnings("ignore", message="(?s).*Eventlet is deprecated.*")
    from shared.language.errors import Problem, reason_of
    from shared.settings import SettingsError

    try:
        vssid()
    except (SettingsError, Problem) as problem:
        _end(str(problem), getattr(problem, "details", {}).get("dependency"), reason_of(problem))
    except OSError as error:
        if error.filename is None:  # not about a file of ours
            raise
        _end(f"{error.filename}: {error.strerror}")


def _end(fault: str, dependency: str | None = None, reason: str = "") -> NoReturn:
    """End with one line, which names the server that does not answer."""
    if dependency is not None:
        name = SERVERS.get(dependency, "")
        parts = urlsplit(os.environ.get(name, ""))
        where = f" at {parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
        place = f"{name} and its log" if where else "VAR_DIR"
        fault = f"{dependency}{where} does not answer, look at {place}: {reason}"
    click.echo(f"vssid: {fault}", err=True)
    sys.exit(2)


@vssid.command()
def migrate() -> None:
    """Create what is missing on both servers (roles, databases, queues) and bring every service's tables up to date."""
    from sqlalchemy.exc import OperationalError

    from shared import settings
    from shared.language.errors import reason_of
    from vssid import startup

    configured = settings.read()
    try:
        newer = startup.migrate(configured)
    except OperationalError as error:
        where = "server at DATABASE_URL" if configured.database_url else f"database under {configured.folder}"
        raise click.ClickException(f"the {where} does not answer: {reason_of(error)}") from None
    if newer:
        click.echo(f"databases of a newer version, whose tables stay as they are: {', '.join(newer)}")
    click.echo("every database is up to date" + ("" if configured.embedded else ", and every queue is declared"))


@vssid.command()
@click.argument("file", type=click.File("w", atomic=True))
def definitions(file: IO[str]) -> None:
    """Write RabbitMQ's definitions to FILE (-: standard output): a user for each process, and what it may do.

    Everybody may read the file: RabbitMQ runs as another user, and of passwords it holds salted hashes.
    """
    import json

    from shared import settings
    from shared.messaging import permissions
    from vssid import startup

    configured = settings.read()
    os.umask(0o022)
    json.dump(permissions.definitions(configured, startup.broker_permissions(configured)), file, indent=1)


@vssid.command()
def key() -> None:
    """Print a fresh key for SEAL_KEY, LINK_KEY, OFFICER_KEY or JOURNAL_KEY."""
    from shared.storage.seals import new_key

    click.echo(new_key())


@vssid.command()
def docs() -> None:
    """Write events.md, openapi.json, asyncapi.json, the list of listeners, and the table of settings in operate.md."""
    from vssid import documents

    for path in documents.write():
        click.echo(path)


if __name__ == "__main__":
    main()
