"""The house under load: the town of the live tests as it ships, without proxies and with lean carriers."""

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg2

from shared.storage.database import new_id
from shared.storage.seals import new_key
from tests.bench.carriers import Carriers
from tests.bench.load import request
from tests.bench.processes import processor_seconds, resident, until_answering
from tests.bench.rows import copy
from tests.support.running import PROCESSES, Town
from tests.support.servers import Servers, delete_prefix, drop_databases, fresh_database_url, fresh_prefix
from vssid import smoke
from vssid.people import DemoPerson, declaration_of

PURPOSES = ("portrait", "id_front", "id_back")
UPLOADS = ("upload_id", "purpose", "content_type", "bytes", "key", "created_at")
SEED = 17  # of the first block of invented people
BLOCK = 1000  # people of one seed; the next seed follows on
API = "/api/v1"
KNOWN = ("PATH", "HOME", "PYTHONPATH", "LANG")


class House(Town):
    """The running processes. ``started`` holds the seconds from each one's start to its /readyz."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment, self.folder = environment, folder
        self.database_url = environment["DATABASE_URL"]
        self.ports: dict[str, int] = {}
        self.processes: dict[str, Any] = {}
        self.started: dict[str, float] = {}
        self._people = chain.from_iterable(smoke.people(seed, BLOCK) for seed in itertools.count(SEED))

    def start_ready(self, name: str) -> None:
        """Start a process, wait until it can serve, and note how long that took."""
        began = time.monotonic()
        self.start(name)
        try:
            until_answering(self.ports[name], "/readyz")
        except TimeoutError as late:
            lines = (self.folder / f"{name}.log").read_text("utf-8").splitlines()
            raise TimeoutError(f"{name} did not start; its last words: {lines[-3:]}") from late
        self.started[name] = time.monotonic() - began

    def dsn(self, desk: str) -> str:
        """Return where a desk's database is, as psycopg2 takes it."""
        return self.settings.database(desk).replace("+psycopg2", "")

    def rows(self, desk: str, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement on a desk's database."""
        connection = psycopg2.connect(self.dsn(desk))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def officer_of(self, people: int) -> dict[str, str]:
        """Put so many newcomers into the register and an officer to the desk; return the officer's headers."""
        for block in range(-(-people // BLOCK)):
            self.prepare(SEED + block, BLOCK)
        return dict(self.officer(SEED)._officer)

    def newcomers(self, count: int) -> list["Newcomer"]:
        """Return people who never came before, with their pictures taken in."""
        people = [Newcomer(one) for one in islice(self._people, count)]
        rows = (
            (upload_id, purpose, "image/jpeg", 8192, f"uploads/{upload_id}.jpg", "now")
            for one in people
            for purpose, upload_id in one.photos.items()
        )
        copy(self.dsn("registration"), "uploads", UPLOADS, rows)
        return people

    def memory(self) -> dict[str, float]:
        """Return the resident megabytes of each process."""
        return {name: resident(one.pid) for name, one in self.processes.items()}

    def processor(self) -> dict[str, float]:
        """Return the processor seconds each process took so far."""
        return {name: processor_seconds(one.pid) for name, one in self.processes.items()}

    def spent_since(self, before: dict[str, float], jobs: int) -> dict[str, float]:
        """Return the processor milliseconds each process spent for each of so many jobs; idle ones are left out."""
        spent = {name: 1000 * (now - before[name]) / max(jobs, 1) for name, now in self.processor().items()}
        return {name: round(each, 2) for name, each in spent.items() if each >= 0.05}


class Newcomer:
    """Somebody about to declare: who they are, and the ids of their three pictures."""

    def __init__(self, person: DemoPerson) -> None:
        self.person = person
        self.photos = {purpose: new_id() for purpose in PURPOSES}

    def declaration(self, **changes: Any) -> dict[str, Any]:
        return {**declaration_of(self.person, smoke.AGENCY, self.photos), "email_copy": False, **changes}

    def submission(self, headers: dict[str, str] | None = None, **changes: Any) -> bytes:
        """Return the request that submits the declaration."""
        return request("POST", f"{API}/declarations", self.declaration(**changes), headers)


@contextmanager
def house(
    servers: Servers, carriers: Carriers, processes: Sequence[str] = PROCESSES, **settings: str
) -> Iterator[House]:
    """Start the house, one process after another; end it and delete everything of it afterwards."""
    prefix = fresh_prefix()
    database_url = fresh_database_url(servers)
    with TemporaryDirectory(prefix="vssid-bench-") as folder:
        environment = {
            **{name: value for name, value in os.environ.items() if name in KNOWN},
            "AMQP_URL": servers.amqp_url,
            "DATABASE_URL": database_url,
            "BROKER_PREFIX": prefix,
            "VAR_DIR": folder,
            "SEAL_KEY": new_key(),
            "LINK_KEY": new_key(),
            "SMS_URL": carriers.sms_url,
            "MAIL_URL": carriers.mail_url,
            "RATE_LIMITS": "off",
            **settings,
        }
        here = House(environment, Path(folder))
        try:
            here.command("migrate")
            for name in processes:
                here.start_ready(name)
            yield here
        finally:
            here.stop_all()
            drop_databases(database_url)
            delete_prefix(servers, prefix)
