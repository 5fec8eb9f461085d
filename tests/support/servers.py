"""Finds the RabbitMQ and PostgreSQL that the tests run on, or starts them; and nginx, which each test starts itself.

``python -m tests.support.servers`` prints where they are, as ``AMQP_URL=…`` and ``DATABASE_URL=…``. With ``nginx``
it sees to it that nginx is there, too.

The servers may be somebody's own, so tests work under throwaway names only: ``fresh_database_url``
and ``fresh_prefix`` make them, ``drop_databases`` and ``delete_prefix`` clear up and refuse any other.
"""

import functools
import logging
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pika
import pika.exceptions
import psycopg2
import psycopg2.errors
import pytest
from psycopg2 import sql

COMPOSE = ("docker", "compose", "-f", str(Path(__file__).with_name("servers.yml")))
LOCAL = {"127.0.0.1", "localhost", "::1"}
# From a file that RabbitMQ's own user may read, too: rabbitmqctl 4.0 waits for ever for what comes by a pipe.
IMPORT_FROM_FILE = """
file=$(mktemp) && trap 'rm -f "$file"' EXIT && cat > "$file" && chmod 644 "$file" \\
  && "$1" --silent import_definitions "$file"
"""
VACUUMED_SECONDS = 30
COMMAND_SECONDS = 900  # seconds for one command; installing a server takes minutes
DATABASE = re.compile(r"vssid_test_[0-9a-f]{8}")
PREFIX = re.compile(r"test-[0-9a-f]{8}\.")


@dataclass(frozen=True)
class Servers:
    """Where the two servers are; the database of the second is only there to connect to."""

    amqp_url: str
    database_url: str


class Missing(Exception):
    """A server that could be neither found nor started; its text is one line for people."""


@dataclass(frozen=True)
class Kind:
    """One of the two servers: what it is called, and the ways to reach and to start it."""

    name: str
    variable: str
    answers: Callable[[str], bool]
    local_urls: tuple[str, ...]
    compose_service: str
    compose_port: int
    compose_url: str
    program: str
    package: str
    start: Callable[[bool], str]


def ensure() -> Servers:
    """Return two servers that answered just now.

    Raises:
        Missing: one of them is not to be had.
    """
    return Servers(amqp_url=_find(BROKER), database_url=_find(POSTGRESQL))


def ensure_program(program: str, package: str) -> None:
    """Install a server that a test starts by itself, where it is missing.

    Raises:
        Missing: it cannot be installed here.
    """
    if shutil.which(program) is None and not _can_install():
        raise Missing(f"{program} is missing: install it, or run this as root on Debian")
    _install(program, package)


def nginx(folder: Path) -> list[str]:
    """Return the command that runs nginx on the files in a folder.

    Raises:
        Missing: it is not to be had.
    """
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"  # Debian has it there, and only root looks there
    if not shutil.which("nginx", path=path) and _can_install():
        with _failures_named("nginx"):
            _install("nginx", "nginx")
    program = shutil.which("nginx", path=path)
    if program:
        return [program]
    if _has_compose():
        user = f"{os.geteuid()}:{os.getegid()}"
        return [*COMPOSE, "run", "--rm", "--user", user, "--volume", f"{folder}:{folder}", "nginx", "nginx"]
    raise Missing("nginx is missing: install it, or start Docker with compose, or run this as root on Debian")


def fresh_database_url(servers: Servers) -> str:
    """Make an empty UTF-8 database with a throwaway name; a service's own is its name and ``_<service>``."""
    name = f"vssid_test_{secrets.token_hex(4)}"
    # template0: a server set up under the C locale gives SQL_ASCII where nobody asks.
    _execute(
        servers.database_url,
        sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name)),
    )
    return urlsplit(servers.database_url)._replace(path=f"/{name}").geturl()


def drop_databases(database_url: str) -> None:
    """Drop a database of ``fresh_database_url`` and those of the services beside it, whatever is connected."""
    name = urlsplit(database_url).path[1:]
    if not DATABASE.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a throwaway database")
    found = _execute(
        database_url,
        "SELECT datname FROM pg_database WHERE datname = %s OR starts_with(datname, %s)",
        (name, f"{name}_"),
    )
    for (each,) in found:
        _drop_database(database_url, each)


def _drop_database(database_url: str, name: str) -> None:
    """Drop a database; a user without special rights ends no process of a superuser's, and autovacuum may be there."""
    deadline = time.monotonic() + VACUUMED_SECONDS
    while True:
        try:
            _execute(database_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            return
        except psycopg2.errors.InsufficientPrivilege:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def fresh_prefix() -> str:
    """Return a throwaway value for BROKER_PREFIX."""
    return f"test-{secrets.token_hex(4)}."


def delete_prefix(servers: Servers, prefix: str) -> bool:
    """Delete the queues and exchanges whose names begin with ``prefix``.

    AMQP cannot list names, rabbitmqctl can: False where it is out of reach, and nothing was deleted.
    """
    if not PREFIX.fullmatch(prefix):
        raise ValueError(f"{prefix!r} is not a throwaway prefix")
    rabbitmqctl = _rabbitmqctl(servers.amqp_url)
    if rabbitmqctl is None:
        return False
    parameters = _broker_parameters(servers.amqp_url)

    def names(what: str) -> list[str]:
        command = [*rabbitmqctl, "--silent", "-p", parameters.virtual_host, f"list_{what}", "name"]
        return [line for line in _run(command).splitlines() if line.startswith(prefix)]

    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        for queue in names("queues"):
            channel.queue_delete(queue)
        for exchange in names("exchanges"):
            channel.exchange_delete(exchange)
    return True


def import_definitions(servers: Servers, definitions: str) -> None:
    """Give RabbitMQ users and their permissions; skip the test where nobody may.

    The users' names must begin with a throwaway prefix.
    """
    rabbitmqctl = _rabbitmqctl(servers.amqp_url)
    if rabbitmqctl is None:
        pytest.skip("RabbitMQ's administration is out of reach: be root where it runs, or let compose start it")
    *where, program = rabbitmqctl
    _run([*where, "sh", "-c", IMPORT_FROM_FILE, "sh", program], given=definitions)


def delete_users(servers: Servers, prefix: str) -> None:
    """Delete the users of RabbitMQ whose names begin with ``prefix``."""
    rabbitmqctl = _rabbitmqctl(servers.amqp_url)
    if rabbitmqctl is None or not PREFIX.fullmatch(prefix):
        raise ValueError(f"{prefix!r} is not a throwaway prefix of a broker in reach")
    for line in _run([*rabbitmqctl, "--silent", "list_users"]).splitlines():
        if line.startswith(prefix):
            _run([*rabbitmqctl, "--silent", "delete_user", line.split()[0]])


def drop_roles(database_url: str) -> None:
    """Drop the databases of ``fresh_database_url`` and the roles that are called like them and ``_<service>``."""
    name = urlsplit(database_url).path[1:]
    drop_databases(database_url)
    for (each,) in _execute(database_url, "SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", (f"{name}_",)):
        _execute(database_url, sql.SQL("DROP ROLE {}").format(sql.Identifier(each)))


def _find(kind: Kind) -> str:
    named = os.environ.get(kind.variable)
    if named:
        if not kind.answers(named):
            raise Missing(f"{kind.name}: {kind.variable} names a server that does not answer")
        return named
    for url in kind.local_urls:
        if kind.answers(url):
            return url
    with _failures_named(kind.name):
        return _from_compose(kind) or _from_debian(kind) or _give_up(kind)


@contextmanager
def _failures_named(name: str) -> Iterator[None]:
    """Say in one line what a command failed with, and for the sake of what.

    Raises:
        Missing: a command failed.
    """
    try:
        yield
    except subprocess.CalledProcessError as error:
        last_words = (error.stderr or error.stdout or "").strip().splitlines()[-1:]
        raise Missing(f"{name}: `{' '.join(error.cmd)}` failed: {''.join(last_words)}") from error


def _give_up(kind: Kind) -> str:
    raise Missing(
        f"{kind.name} is missing: set {kind.variable}, or start it on localhost, "
        "or start Docker with compose, or run this as root on Debian"
    )


def _from_compose(kind: Kind) -> str | None:
    if not _has_compose():
        return None
    _say(f"starting {kind.name} with docker compose; it stays up, `make clean` ends it")
    try:
        _run([*COMPOSE, "up", "-d", "--wait", kind.compose_service])
    except subprocess.CalledProcessError:
        # No registry in reach, for instance; Debian's packages may still do.
        if _can_install():
            return None
        raise
    port = _run([*COMPOSE, "port", kind.compose_service, str(kind.compose_port)]).strip().rpartition(":")[2]
    return _once_it_answers(kind, kind.compose_url.format(port=port))


def _from_debian(kind: Kind) -> str | None:
    if not _can_install():
        return None
    installed = _install(kind.program, kind.package)
    return _once_it_answers(kind, kind.start(installed))


def _install(program: str, package: str) -> bool:
    """Install a Debian package where its program is missing, without starting what is in it; say whether it was."""
    if shutil.which(program) is not None:
        return False
    _say(f"installing {package} with apt-get")
    _refresh_package_lists()
    _run(["env", "RUNLEVEL=1", "apt-get", "install", "-y", "-qq", "--no-install-recommends", package])
    return True


def _start_broker(_installed_by_us: bool) -> str:
    # The package may have started it already; a second start would be an error.
    if not _port_is_open("127.0.0.1", 5672):
        _say("starting this Debian's RabbitMQ; it stays up")
        _run(["rabbitmq-server", "-detached"])
    return BROKER.local_urls[0]


def _start_postgresql(installed_by_us: bool) -> str:
    """Start Debian's first cluster and give the tests a role of their own in it."""
    version, cluster, port, status = _run(["pg_lsclusters", "--no-header"]).split()[:4]
    if status == "down":
        _say("starting this Debian's PostgreSQL; it stays up")
        _run(["pg_ctlcluster", "--skip-systemctl-redirect", version, cluster, "start"])
    elif not installed_by_us:
        raise Missing(f"PostgreSQL runs on port {port} and lets no test in: set DATABASE_URL")
    role = (
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vssid_tests') THEN "
        "CREATE ROLE vssid_tests LOGIN CREATEDB PASSWORD 'vssid_tests'; END IF; END $$; "
        "ALTER ROLE vssid_tests CREATEROLE; "
        "GRANT SET ON PARAMETER log_min_error_statement, log_error_verbosity TO vssid_tests"
    )
    _run(["su", "postgres", "-c", f"psql -q -v ON_ERROR_STOP=1 -p {port}"], given=role)
    return f"postgresql://vssid_tests:vssid_tests@127.0.0.1:{port}/postgres"


def _broker_answers(url: str) -> bool:
    try:
        parameters = _broker_parameters(url)
        # A closed port is the common case, and pika is slow and loud about it.
        if not _port_is_open(parameters.host, parameters.port):
            return False
        pika.BlockingConnection(parameters).close()
    except (pika.exceptions.AMQPError, OSError):
        return False
    return True


def _database_answers(url: str) -> bool:
    """Say whether databases can be made there."""
    try:
        ((allowed,),) = _execute(url, "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
    except psycopg2.OperationalError:
        return False
    return bool(allowed)


BROKER = Kind(
    name="RabbitMQ",
    variable="AMQP_URL",
    answers=_broker_answers,
    local_urls=("amqp://guest:guest@127.0.0.1:5672/",),
    compose_service="rabbitmq",
    compose_port=5672,
    compose_url="amqp://guest:guest@127.0.0.1:{port}/",
    program="rabbitmq-server",
    package="rabbitmq-server",
    start=_start_broker,
)
POSTGRESQL = Kind(
    name="PostgreSQL",
    variable="DATABASE_URL",
    answers=_database_answers,
    local_urls=(
        "postgresql://postgres@127.0.0.1:5432/postgres",
        "postgresql://postgres:postgres@127.0.0.1:5432/postgres",
        "postgresql://vssid_tests:vssid_tests@127.0.0.1:5432/postgres",
    ),
    compose_service="postgres",
    compose_port=5432,
    compose_url="postgresql://postgres:vssid_tests@127.0.0.1:{port}/postgres",
    program="pg_lsclusters",
    package="postgresql",
    start=_start_postgresql,
)


def _once_it_answers(kind: Kind, url: str, *, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while not kind.answers(url):
        if time.monotonic() > deadline:
            raise Missing(f"{kind.name} was started and did not answer within {seconds:.0f} s")
        time.sleep(0.2)
    return url


def _broker_parameters(url: str) -> pika.URLParameters:
    parameters = pika.URLParameters(url)
    parameters.connection_attempts = 1
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = 5
    return parameters


def _execute(url: str, statement: str | sql.Composed, values: tuple[str, ...] = ()) -> list[tuple]:
    """Run one statement in the server's own database: the one named need not exist yet."""
    connection = psycopg2.connect(urlsplit(url)._replace(path="/postgres").geturl(), connect_timeout=3)
    try:
        # CREATE and DROP DATABASE refuse to run inside a transaction.
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def _rabbitmqctl(amqp_url: str) -> list[str] | None:
    """Return how to call rabbitmqctl for this broker, or None where it cannot be reached."""
    address = urlsplit(amqp_url)
    host, port = unquote(address.hostname or ""), address.port or 5672
    if host not in LOCAL:
        return None
    if port == 5672 and shutil.which("rabbitmqctl") and os.geteuid() == 0:
        return ["rabbitmqctl"]
    try:
        if _run([*COMPOSE, "port", "rabbitmq", "5672"]).strip().endswith(f":{port}"):
            return [*COMPOSE, "exec", "-T", "rabbitmq", "rabbitmqctl"]
    except (subprocess.CalledProcessError, FileNotFoundError):
        pass
    return None


def _port_is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError:
        return False
    return True


def _has_compose() -> bool:
    return bool(shutil.which("docker")) and _succeeds("docker", "info") and _succeeds("docker", "compose", "version")


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


@functools.cache
def _refresh_package_lists() -> None:
    _run(["apt-get", "update", "-qq"])


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(command: list[str], given: str = "") -> str:
    """Run a command to its end and return what it printed."""
    # Under C.UTF-8 Debian sets its PostgreSQL cluster up for UTF-8; under no locale, for bytes.
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    how: dict[str, Any] = {"env": environment, "cwd": "/", "capture_output": True, "text": True, "check": True}
    return str(subprocess.run(command, input=given, timeout=COMMAND_SECONDS, **how).stdout)


def _say(text: str) -> None:
    print(f"tests: {text}", file=sys.stderr)


if __name__ == "__main__":
    logging.getLogger("pika").addHandler(logging.NullHandler())
    try:
        found = ensure()
        if sys.argv[1:] == ["nginx"]:
            nginx(Path.cwd())
    except Missing as missing:
        sys.exit(f"tests: {missing}")
    print(f"AMQP_URL={found.amqp_url}\nDATABASE_URL={found.database_url}")
