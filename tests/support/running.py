"""A real town for a test: every desk and the relay a process, on real servers, with recording carriers.

Processes are killed, frozen and started again one by one; proxies before the broker and the database can cut
or freeze them. A desk that runs several times has its instances called ``registration``, ``registration.2`` ….
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import sqlalchemy as sa

from shared.settings import Settings, read
from shared.storage.seals import new_key
from tests.support.proxy import Proxy
from tests.support.recorders import MailRecorder, TwilioRecorder
from tests.support.recorders.recorder import Recorder
from tests.support.servers import Servers, delete_prefix, drop_databases, fresh_database_url, fresh_prefix
from vssid import smoke
from vssid.people import DemoPerson
from vssid.startup import STATEFUL
from vssid.walk import Walk

PROCESSES = (*STATEFUL, "gateway", "relay")
PROGRAM = "vssid"
SECONDS = 90.0


@dataclass
class Town:
    """The running processes, and how to reach them; ``database_url`` leads past the proxy."""

    environment: dict[str, str]
    database_url: str
    broker: Proxy
    database: Proxy
    mails: MailRecorder
    texts: TwilioRecorder
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    program: str = PROGRAM  # the module that is run; the operators' command, unless a test wraps it

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway']}"

    @property
    def proxies(self) -> dict[str, Proxy]:
        return {"broker": self.broker, "database": self.database}

    @property
    def recorders(self) -> dict[str, Recorder[Any]]:
        return {"sms": self.texts, "mail": self.mails}

    @property
    def urls(self) -> list[str]:
        """Where the gateways are, however many there are."""
        return [f"http://127.0.0.1:{port}" for name, port in self.ports.items() if desk_of(name) == "gateway"]

    @property
    def settings(self) -> Settings:
        """What the processes are set to, but with a database past the proxy."""
        return read({**self.environment, "DATABASE_URL": self.database_url})

    def start(self, name: str) -> None:
        """Start a process; `until_ready` waits for it."""
        port = self.ports.setdefault(name, free_port())
        desk = desk_of(name)
        command = [sys.executable, "-m", self.program, *(["relay"] if desk == "relay" else ["serve", desk])]
        with (self.folder / f"{name}.log").open("ab") as log:
            environment = {**self.environment, "HTTP_PORT": str(port)}
            self.processes[name] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def until_ready(self, name: str) -> None:
        until(lambda: self.answers(name, "/readyz") == 200, f"{name} is ready")

    def answers(self, name: str, path: str, timeout: float = 5) -> int:
        """Return the status a process answers with, 0 where it does not answer."""
        try:
            return requests.get(f"http://127.0.0.1:{self.ports[name]}{path}", timeout=timeout).status_code
        except requests.RequestException:
            return 0

    def signal(self, name: str, what: signal.Signals) -> None:
        self.processes[name].send_signal(what)

    def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        self.signal(name, signal.SIGKILL)
        self.processes[name].wait()

    def restart(self, name: str) -> None:
        self.kill(name)
        self.start(name)

    def stop_all(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def command(self, *words: str) -> str:
        """Run the operators' command and return what it says."""
        done = subprocess.run(
            [sys.executable, "-m", PROGRAM, *words], env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def prepare(self, seed: int, count: int) -> list[DemoPerson]:
        """Put invented people into the register and an officer to the desk."""
        self.command("smoke", "prepare", "--seed", str(seed), "--count", str(count))
        return smoke.people(seed, count)

    def officer(self, seed: int) -> Walk:
        going = Walk(self.url)
        going.sign_in(*smoke.officer_of(seed))
        return going

    def count(self, desk: str, table: str, where: str = "true") -> int:
        """Count rows of a desk's table."""
        engine = sa.create_engine(self.settings.database(desk))
        with engine.connect() as connection:
            found = int(connection.execute(sa.text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one())
        engine.dispose()
        return found

    def dead(self) -> list[str]:
        return self.command("dead", "list").splitlines()

    def until_quiet(self, seconds: float = SECONDS) -> None:
        """Wait until no event and no message is under way any more."""
        unsent = "state NOT IN ('sent', 'failed', 'cancelled')"
        until(
            lambda: (
                all(self.count(desk, "outbox") == 0 for desk in STATEFUL)
                and self.count("notification", "messages", unsent) == 0
            ),
            "every event is carried and every message is settled",
            seconds,
            pause=0.5,
        )


@contextmanager
def town(
    servers: Servers, folder: Path, processes: Sequence[str] = PROCESSES, program: str = PROGRAM, **settings: str
) -> Iterator[Town]:
    """Start a whole town; end it and delete everything of it afterwards."""
    database_url, prefix = fresh_database_url(servers), fresh_prefix()
    with (
        MailRecorder() as mails,
        TwilioRecorder() as texts,
        Proxy(*address_of(servers.amqp_url, 5672)) as broker,
        Proxy(*address_of(database_url, 5432)) as database,
    ):
        here = Town(
            environment={
                **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "PYTHONPATH")},
                "AMQP_URL": through(broker, servers.amqp_url),
                "DATABASE_URL": through(database, database_url),
                "BROKER_PREFIX": prefix,
                "VAR_DIR": str(folder / "var"),
                "SEAL_KEY": new_key(),
                "LINK_KEY": new_key(),
                "SMS_URL": texts.url,
                "MAIL_URL": f"{mails.url}?lookup={mails.api_url}",
                "RATE_LIMITS": "off",
                "RETRY_DELAYS": "0.3,0.6,1,2,4",
                "TIMER_SECONDS": "1",
                "CARRIER_TIMEOUT": "2",
                "SETTLE_AFTER": "4",
                "DATABASE_TIMEOUT": "5",
                **settings,
            },
            database_url=database_url,
            broker=broker,
            database=database,
            mails=mails,
            texts=texts,
            folder=folder,
            program=program,
        )
        try:
            here.command("migrate")
            for name in processes:
                here.start(name)
            for name in processes:
                here.until_ready(name)
            yield here
        finally:
            here.stop_all()
            drop_databases(database_url)
            delete_prefix(servers, prefix)


def until(happened: Callable[[], Any], what: str, seconds: float = SECONDS, pause: float = 0.1) -> Any:
    """Wait until something happened, looking every ``pause`` seconds, and return it; fail with ``what``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = happened()
        if found:
            return found
        time.sleep(pause)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def address_of(url: str, usual_port: int) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or usual_port


def through(proxy: Proxy, url: str) -> str:
    """Return the URL with the proxy's address in place of the server's."""
    parts = urlsplit(url)
    who, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{who}{at}127.0.0.1:{proxy.port}").geturl()


def desk_of(name: str) -> str:
    """Return what an instance is one of: ``registration`` of ``registration.2``."""
    return name.partition(".")[0]
