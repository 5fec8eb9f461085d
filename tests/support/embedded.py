"""A real embedded system for tests, a process with a port and a folder of its own, and the officers who sign in."""

import email
import email.policy
import json
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from tests.support.answers import code_of, done, refused
from tests.support.people import (
    COLLEAGUE,
    KNOWN,
    OFFICER,
    PURPOSES,
    STRANGER,
    UNKNOWN,
    Applicant,
    OfficerAccount,
    applicant,
    register_csv,
)
from tests.support.pictures import PICTURE
from tests.support.processes import COMMAND, STOPS_WITHIN, end_with_parent, free_port, inherited, kill, start, status_of
from tests.support.waiting import until

ACCOUNT = re.compile(r"Tai khoan: (\d{10}) Mat khau: (\S+) ")
TINY_LIMITS = {
    "LIMIT_READING": "20/minute",
    "LIMIT_UPLOADING": "4/minute",
    "LIMIT_SUBMITTING": "3/minute",
    "LIMIT_SIGNING_IN": "2/minute",
}


class EmbeddedSystem:
    """`vssid run` as a process of its own; ``environment`` holds settings beside those every test wants."""

    def __init__(self, folder: Path, **environment: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.var, self.log_file = folder, folder / "var", folder / "vssid.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.base = f"{self.url}/api/v1"
        self.http = requests.Session()
        self.process: subprocess.Popen[bytes] | None = None
        self._known, self._unknown = map(applicant, KNOWN), map(applicant, UNKNOWN)
        wanted = {"RATE_LIMITS": "off", "TIMER_SECONDS": "0.2", "RETRY_DELAYS": "0.2,0.5,1", **environment}
        own = {"VAR_DIR": self.var, "HTTP_PORT": self.port, "RPC_DEADLINE": 10, "DATABASE_TIMEOUT": 10}
        self.environment = inherited() | {name: str(value) for name, value in (own | wanted).items()}

    # the process

    def start(self) -> None:
        """Start the system and wait until it is ready."""
        self.process = start([COMMAND, "run"], self.environment, self.log_file, end_with_parent)
        until(self.is_ready, f"the embedded system is ready; see {self.log_file}")

    def is_ready(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log()
        return status_of(self.port, "/readyz") == 200

    def stop(self) -> None:
        """Send SIGTERM, and see the process end without an error."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(STOPS_WITHIN) == 0
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None:
            kill(self.process)

    def command(self, *arguments: str, given: str = "") -> str:
        """Run an operator's command on this system's files; return what it printed."""
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environment, input=given.encode(), capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def prepare(self) -> None:
        """Fill the household register, and add the officers."""
        register = self.folder / "register.csv"
        register.write_text(register_csv(), encoding="utf-8")
        assert f"people: {len(KNOWN)} added" in self.command("register", "import", str(register))
        for officer in (OFFICER, COLLEAGUE, STRANGER):
            self.add_officer(officer)

    def add_officer(self, officer: OfficerAccount) -> None:
        options = ("--agency", officer.agency_code, "--role", officer.role)
        self.command("officer", "add", officer.username, *options, given=officer.password + "\n")

    # what it keeps

    def log(self) -> str:
        """Return what is written so far, without a line that is being written just now."""
        text = self.log_file.read_text(encoding="utf-8", errors="replace")
        return text[: text.rfind("\n") + 1]

    def rows(self, service: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the database of a service, past the service."""
        with closing(sqlite3.connect(f"file:{self.var / service}.db?mode=ro", uri=True, timeout=10)) as database:
            return database.execute(query, values).fetchall()

    def change(self, service: str, statement: str, *values: Any) -> None:
        """Write into the database of a service, past the service: for what only time would bring."""
        with closing(sqlite3.connect(self.var / f"{service}.db", timeout=10)) as database, database:
            assert database.execute(statement, values).rowcount > 0

    def how_many(self, table: str, service: str = "registration") -> int:
        return int(self.rows(service, f"SELECT count(*) FROM {table}")[0][0])

    # what it sends

    def sms_to(self, phone: str) -> list[str]:
        """Return the texts sent to a phone number, in order."""
        found = (json.loads(file.read_bytes()) for file in sorted((self.var / "outbox").glob("sms-*.json")))
        return [one["body"] for one in found if one["to"] == phone]

    def mails_to(self, address: str) -> list[Any]:
        """Return the mails sent to an address, in order."""
        files = sorted((self.var / "outbox").glob("mail-*.eml"))
        found = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
        return [one for one in found if address in str(one["To"])]

    # calling it

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.http.request(method, self.base + path, **{"timeout": 30, **options})

    def problem(self, method: str, path: str, status: int, code: str, **options: Any) -> dict[str, Any]:
        """Call what must be refused; return the problem."""
        return refused(self.call(method, path, **options), status, code)

    def upload(self, purpose: str, content: bytes = PICTURE, **options: Any) -> requests.Response:
        return self.call("POST", "/uploads", files={"file": ("anh.jpg", content)}, data={"purpose": purpose}, **options)

    def photos(self) -> dict[str, str]:
        """Upload the three pictures of a declaration; return their ids by purpose."""
        return {purpose: str(done(self.upload(purpose), 201)["upload_id"]) for purpose in PURPOSES}

    def newcomer(self) -> Applicant:
        """Return somebody the register knows and who has never declared."""
        return next(self._known)

    def unregistered(self) -> Applicant:
        """Return somebody the register does not know."""
        return replace(next(self._unknown), full_name="Người Ngoài Sổ")

    def submit(self, person: Applicant | None = None, **changes: Any) -> dict[str, Any]:
        """Submit a declaration; return the answer and the person as ``who``."""
        who = person or self.newcomer()
        answer = self.call("POST", "/declarations", json=who.declaration(self.photos(), **changes))
        return {**done(answer, 201), "who": who}

    def declaration(self, declared: dict[str, Any]) -> dict[str, Any]:
        """Return the declaration as its applicant sees it."""
        return done(self.call("GET", f"/declarations/{declared['number']}", params=code_of(declared)))

    def history(self, declared: dict[str, Any]) -> list[str]:
        return [entry["what"] for entry in self.declaration(declared)["history"]]

    def sign_in(self, officer: OfficerAccount = OFFICER) -> "OfficerSession":
        answer = self.call(
            "POST", "/officer/sessions", json={"username": officer.username, "password": officer.password}
        )
        return OfficerSession(self, done(answer, 201)["token"])


class OfficerSession:
    """A signed-in officer."""

    def __init__(self, system: EmbeddedSystem, token: str) -> None:
        self.system, self.token = system, token
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.system.call(method, f"/officer{path}", headers=headers, **options)

    def problem(self, method: str, path: str, status: int, code: str, **options: Any) -> dict[str, Any]:
        return refused(self.call(method, path, **options), status, code)

    def reviews(self, **search: Any) -> list[dict[str, Any]]:
        return list(done(self.call("GET", "/reviews", params=search))["items"])

    def review(self, declared: dict[str, Any]) -> dict[str, Any]:
        """Return the dossier of a declaration, once approval has it."""
        path = f"/reviews/{declared['number']}"
        until(lambda: self.call("GET", path).status_code == 200, "the review opens")
        return done(self.call("GET", path))

    def approve(self, declared: dict[str, Any]) -> None:
        self.review(declared)
        decision = {"identity_checked": True, "tracking_code": declared["tracking_code"]}
        answer = self.call("POST", f"/reviews/{declared['number']}/approval", json=decision)
        assert done(answer) == {"status": "approved"}

    def reject(self, declared: dict[str, Any], reason: str) -> None:
        self.review(declared)
        answer = self.call("POST", f"/reviews/{declared['number']}/rejection", json={"reason": reason})
        assert done(answer) == {"status": "rejected"}


@contextmanager
def embedded_system(folder: Path, **environment: Any) -> Iterator[EmbeddedSystem]:
    """Start a system with its register and officers, and see it stop without an error."""
    system = EmbeddedSystem(folder, **environment)
    try:
        system.start()
        system.prepare()
        yield system
        system.stop()
    finally:
        system.kill()
