"""The system under load, with the settings it ships with, without proxies and with lean carriers."""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shared.language.values import new_id
from tests.bench.carriers import Carriers
from tests.bench.load import request
from tests.bench.rows import copy
from tests.support.people import PURPOSES, declaration_form
from tests.support.processes import processor_seconds, resident_megabytes
from tests.support.running import PROCESSES, RunningSystem, throwaway_environment
from tests.support.servers import Servers
from vssid import smoke
from vssid.people import DemoPerson

UPLOADS = ("upload_id", "purpose", "content_type", "bytes", "key", "created_at")
SEED = 17  # of the first block of invented people
BLOCK = 1000  # people of one seed; the next seed follows on
API = "/api/v1"
PAUSE = 0.01  # seconds between two looks at a process that starts


class MeasuredSystem(RunningSystem):
    """The running processes. ``started`` holds the seconds from each one's start to its /readyz."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        super().__init__(environment, environment["DATABASE_URL"], folder)
        self.started: dict[str, float] = {}
        self._people = chain.from_iterable(smoke.people(seed, BLOCK) for seed in itertools.count(SEED))

    def start_ready(self, name: str) -> None:
        """Start a process, wait until it is ready, and note how long that took."""
        began = time.monotonic()
        self.start(name)
        try:
            self.until_ready(name, PAUSE)
        except TimeoutError as late:
            lines = self.log_of(name).read_text("utf-8").splitlines()
            raise TimeoutError(f"{name} did not start; its log ends with {lines[-3:]}") from late
        self.started[name] = time.monotonic() - began

    def officer_of(self, people: int) -> dict[str, str]:
        """Add so many newcomers to the register, and an officer; return the officer's headers."""
        for block in range(-(-people // BLOCK)):
            self.prepare(SEED + block, BLOCK)
        return dict(self.officer(SEED).officer_headers)

    def newcomers(self, count: int) -> list["Newcomer"]:
        """Return people who have never declared, with their pictures uploaded."""
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
        return {name: resident_megabytes(one.pid) for name, one in self.processes.items()}

    def processor(self) -> dict[str, float]:
        """Return the processor seconds each process took so far."""
        return {name: processor_seconds(one.pid) for name, one in self.processes.items()}

    def spent_since(self, before: dict[str, float], jobs: int) -> dict[str, float]:
        """Return the processor milliseconds each process spent for each of so many jobs; idle ones are left out."""
        spent = {name: 1000 * (now - before[name]) / max(jobs, 1) for name, now in self.processor().items()}
        return {name: round(each, 2) for name, each in spent.items() if each >= 0.05}


class Newcomer:
    """Somebody about to declare: the person, and the ids of the three pictures."""

    def __init__(self, person: DemoPerson) -> None:
        self.person = person
        self.photos = {purpose: new_id() for purpose in PURPOSES}

    def declaration(self, **changes: Any) -> dict[str, Any]:
        return declaration_form(self.person, **{"photos": self.photos, "email_copy": False, **changes})

    def submission(self, headers: dict[str, str] | None = None, **changes: Any) -> bytes:
        """Return the request that submits the declaration."""
        return request("POST", f"{API}/declarations", self.declaration(**changes), headers)


@contextmanager
def measured_system(
    servers: Servers, carriers: Carriers, processes: Sequence[str] = PROCESSES
) -> Iterator[MeasuredSystem]:
    """Start the processes one after another; end them and delete everything of them afterwards."""
    with (
        TemporaryDirectory(prefix="vssid-bench-") as folder,
        throwaway_environment(servers, Path(folder)) as environment,
    ):
        carried = {"SMS_URL": carriers.sms_url, "MAIL_URL": carriers.mail_url}
        system = MeasuredSystem({**environment, **carried}, Path(folder))
        try:
            system.command("migrate")
            for name in processes:
                system.start_ready(name)
            yield system
        finally:
            system.stop_all()
