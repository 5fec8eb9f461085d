"""A real system on servers for a test: every service and the relay a process of its own, ended one by one at will.

`running_system` puts a proxy before the broker and one before the database, which can cut or freeze them, and has
recorders as carriers. A service that runs several times has its instances called ``registration``,
``registration.2`` ….
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2

from shared.messaging import topology
from shared.messaging.declarations import blocking_channel
from shared.settings import Settings, read
from shared.storage.seals import new_key
from tests.support.processes import HOST, free_port, kill, start, status_of
from tests.support.proxy import Proxy
from tests.support.recorders import MailRecorder, Recorder, TwilioRecorder
from tests.support.servers import Servers, delete_prefix, drop_databases, fresh_database_url, fresh_prefix
from tests.support.waiting import SECONDS, until
from vssid import smoke
from vssid.people import DemoPerson
from vssid.startup import STATEFUL, event_queues
from vssid.walk import Walk

PROCESSES = (*STATEFUL, "gateway", "relay")
PROGRAM = "vssid"
LOG_SHOWN = 2000  # characters of a process's log that a failure shows
INHERITED = ("PATH", "HOME", "PYTHONPATH", "LANG")


class RunningSystem:
    """The running processes, and how to reach them; ``database_url`` leads past every proxy.

    ``program`` is the module that is run: the operators' command, unless a test wraps it.
    """

    def __init__(self, environment: Mapping[str, str], database_url: str, folder: Path, program: str = PROGRAM) -> None:
        self.environment, self.database_url = dict(environment), database_url
        self.folder, self.program = folder, program
        self.environment_of: Callable[[str], Mapping[str, str]] = lambda name: self.environment
        self.ports: dict[str, int] = {}
        self.hosts: dict[str, str] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._passwords: dict[int, str] = {}

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.ports['gateway']}"

    @property
    def urls(self) -> list[str]:
        """The addresses of the gateways, however many there are."""
        return [f"http://{HOST}:{port}" for name, port in self.ports.items() if service_of(name) == "gateway"]

    @property
    def settings(self) -> Settings:
        """The settings of the processes, but with a database past the proxy."""
        return read({**self.environment, "DATABASE_URL": self.database_url})

    # the processes

    def start(self, name: str) -> None:
        """Start a process; `until_ready` waits for it."""
        port, service = self.ports.setdefault(name, free_port()), service_of(name)
        words = ["relay"] if service == "relay" else ["serve", service]
        own = {"HTTP_PORT": str(port), "HTTP_HOST": self.hosts.setdefault(name, HOST)}
        environment = {**self.environment_of(name), **own}
        command = [sys.executable, "-m", self.program, *words]
        self.processes[name] = start(command, environment, self.log_of(name))

    def log_of(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def until_ready(self, name: str, pause: float = 0.1) -> None:
        """Wait until a process is ready.

        Raises:
            TimeoutError, AssertionError: it did not become so, or ended; the text has the end of its log.
        """

        def is_ready() -> bool:
            assert self.processes[name].poll() is None, f"{name} ended"
            return self.answers(name, "/readyz") == 200

        try:
            until(is_ready, f"{name} is ready", pause=pause)
        except (AssertionError, TimeoutError) as error:
            error.add_note(self.log_of(name).read_text("utf-8")[-LOG_SHOWN:])
            raise

    def answers(self, name: str, path: str, timeout: float = 5) -> int:
        """Return the status a process answers with, 0 where it does not answer."""
        return status_of(self.ports[name], path, timeout, self.hosts[name])

    def signal(self, name: str, what: signal.Signals) -> None:
        self.processes[name].send_signal(what)

    def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        kill(self.processes[name])

    def restart(self, name: str) -> None:
        self.kill(name)
        self.start(name)

    def stop_all(self) -> None:
        for process in self.processes.values():
            kill(process)

    def command(self, *words: str) -> str:
        """Run the operators' command; return what it printed."""
        return _run_command(self.environment, words)

    def command_in(self, name: str, *words: str) -> str:
        """Run the operators' command as in the container of a process; return what it printed."""
        return _run_command(self.environment_of(name), words)

    # its people

    def prepare(self, seed: int, count: int) -> list[DemoPerson]:
        """Add invented people to the register, and an officer, as approval may; return the people."""
        words = ("smoke", "prepare", "--seed", str(seed), "--count", str(count))
        self._passwords[seed] = self.command_in("approval", *words).strip()
        return smoke.people(seed, count)

    def officer(self, seed: int) -> Walk:
        """Return the signed-in officer of a seed."""
        walk = Walk(self.url)
        walk.sign_in(smoke.officer_of(seed), self._passwords[seed])
        return walk

    # what it keeps

    def dsn(self, service: str) -> str:
        """Return the address of a service's database, as psycopg2 takes it."""
        return self.settings.database(service).replace("+psycopg2", "")

    def rows(self, service: str, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement on a service's database, past the service."""
        connection = psycopg2.connect(self.dsn(service), connect_timeout=3)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def count(self, service: str, table: str, where: str = "true") -> int:
        """Count rows of a service's table."""
        return int(self.rows(service, f"SELECT count(*) FROM {table} WHERE {where}")[0][0])

    def dead(self) -> list[str]:
        return self.command("dead", "list").splitlines()

    def is_quiet(self) -> bool:
        """Return whether no event and no message is under way."""
        unsettled = "state NOT IN ('sent', 'failed', 'cancelled')"
        return not (
            any(self.count(service, "outbox") for service in STATEFUL)
            or self.count("notification", "messages", unsettled)
        )

    def until_quiet(self, seconds: float = SECONDS) -> None:
        until(self.is_quiet, "every event is carried and every message is settled", seconds, pause=0.5)


def _run_command(environment: Mapping[str, str], words: Sequence[str]) -> str:
    command = [sys.executable, "-m", PROGRAM, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


class FaultySystem(RunningSystem):
    """A system whose broker, database and carriers fail at will."""

    def __init__(
        self,
        environment: Mapping[str, str],
        database_url: str,
        folder: Path,
        program: str,
        proxies: Mapping[str, Proxy],
        texts: TwilioRecorder,
        mails: MailRecorder,
        broker_url: str,
    ) -> None:
        super().__init__(environment, database_url, folder, program)
        self.proxies, self.texts, self.mails = proxies, texts, mails
        self.broker_url = broker_url  # past the proxy
        self.broker, self.database = proxies["broker"], proxies["database"]
        self.recorders: dict[str, Recorder[Any]] = {"sms": texts, "mail": mails}

    def lose_volume(self) -> None:
        """Take the broker away, delete every queue and exchange of events, and bring it back."""
        queues = event_queues(self.settings)
        known = {topology.volume_name(self.settings.broker_prefix, service) for service in STATEFUL}
        self.broker.cut()
        try:
            with blocking_channel(replace(self.settings, amqp_url=self.broker_url)) as channel:
                for queue in queues:
                    channel.queue_delete(queue.name)
                for exchange in {binding.exchange for queue in queues for binding in queue.bindings} | known:
                    channel.exchange_delete(exchange)
        finally:
            self.broker.heal()


@contextmanager
def running_system(
    servers: Servers,
    folder: Path,
    processes: Sequence[str] = PROCESSES,
    program: str = PROGRAM,
    before: Callable[[FaultySystem], None] = lambda _: None,
    **settings: str,
) -> Iterator[FaultySystem]:
    """Start a whole system; end it and delete everything of it afterwards. ``before`` is called first."""
    with (
        throwaway_environment(servers, folder) as environment,
        MailRecorder() as mails,
        TwilioRecorder() as texts,
        Proxy(*address_of(servers.amqp_url, 5672)) as broker,
        Proxy(*address_of(servers.database_url, 5432)) as database,
    ):
        quick = {
            "AMQP_URL": through(broker, servers.amqp_url),
            "DATABASE_URL": through(database, environment["DATABASE_URL"]),
            "SMS_URL": texts.url,
            "MAIL_URL": f"{mails.url}?lookup={mails.api_url}",
            "RETRY_DELAYS": "0.3,0.6,1,2,4",
            "TIMER_SECONDS": "1",
            "CARRIER_TIMEOUT": "2",
            "SETTLE_AFTER": "4",
            "DATABASE_TIMEOUT": "5",
        }
        proxies = {"broker": broker, "database": database}
        system = FaultySystem(
            {**environment, **quick, **settings},
            environment["DATABASE_URL"],
            folder,
            program,
            proxies,
            texts,
            mails,
            servers.amqp_url,
        )
        before(system)
        with started(system, processes):
            yield system


@contextmanager
def throwaway_environment(servers: Servers, folder: Path) -> Iterator[dict[str, str]]:
    """Make a database and a prefix for the broker; yield the settings that lead there, and delete both afterwards."""
    database_url, prefix = fresh_database_url(servers), fresh_prefix()
    try:
        yield {
            **{name: value for name, value in os.environ.items() if name in INHERITED},
            "AMQP_URL": servers.amqp_url,
            "DATABASE_URL": database_url,
            "BROKER_PREFIX": prefix,
            "VAR_DIR": str(folder / "var"),
            "SEAL_KEY": new_key(),
            "JOURNAL_KEY": new_key(),
            "LINK_KEY": new_key(),
            "RATE_LIMITS": "off",
        }
    finally:
        drop_databases(database_url)
        delete_prefix(servers, prefix)


@contextmanager
def started(system: RunningSystem, processes: Sequence[str]) -> Iterator[None]:
    """Migrate the databases, start the processes side by side, and end them all after the block."""
    try:
        system.command("migrate")
        for name in processes:
            system.start(name)
        for name in processes:
            system.until_ready(name)
        yield
    finally:
        system.stop_all()


def address_of(url: str, usual_port: int) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or HOST, parts.port or usual_port


def through(proxy: Proxy, url: str) -> str:
    """Return the URL with the proxy's address in place of the server's."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{credentials}{at}{HOST}:{proxy.port}").geturl()


def service_of(name: str) -> str:
    """Return the service that a process is an instance of: ``registration`` of ``registration.2``."""
    return name.partition(".")[0]
