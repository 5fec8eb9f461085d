"""A real embedded town for tests: its own process, port and folder; and the people who come to it."""

import ctypes
import email
import email.policy
import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from itertools import count
from pathlib import Path
from typing import Any

import requests
from PIL import Image

from shared.settings import Settings

COMMAND = Path(sys.executable).with_name("vssid")
STARTS_WITHIN = 60.0  # seconds; a busy machine is given time
HAPPENS_WITHIN = 30.0
LEAVES_WITHIN = 10.0  # SIGTERM is obeyed within ten seconds
AGENCY, OTHER_AGENCY = "07921", "07901"
FAMILY_NAMES = ("Nguyễn", "Trần", "Lê", "Phạm", "Đặng", "Hồ", "Vũ", "Đỗ")
MIDDLE_NAMES = ("Thử", "Mẫu", "Ví", "Dụ", "Giả", "Định")
GIVEN_NAMES = ("Một", "Hai", "Ba", "Tư", "Năm", "Sáu", "Bảy", "Tám", "Chín", "Mười")
ACCOUNT = re.compile(r"Tai khoan: (\d{10}) Mat khau: (\S+) ")
TINY_LIMITS = {
    "LIMIT_READING": "20/minute",
    "LIMIT_UPLOADING": "4/minute",
    "LIMIT_SUBMITTING": "5/minute",
    "LIMIT_SIGNING_IN": "2/minute",
    "LIMIT_PHONE": "2/day",
}
PURPOSES = ("portrait", "id_front", "id_back")
SETTING_NAMES = {one.name.upper() for one in fields(Settings)}


@dataclass(frozen=True)
class Applicant:
    """An invented person: nobody real has these names, numbers or papers."""

    insurance_code: str
    full_name: str
    id_number: str
    phone: str
    email: str

    def declaration(self, photos: dict[str, str], **changes: Any) -> dict[str, Any]:
        """Return the declaration this person sends."""
        return {
            "kind": "register",
            "insurance_code": self.insurance_code,
            "full_name": self.full_name,
            "id_document": {"type": "cccd", "number": self.id_number},
            "address": {"province_code": "79", "district": "Hóc Môn", "street": "12/3 đường Thử Nghiệm, ấp Mẫu"},
            "phone": self.phone,
            "email": self.email,
            "email_copy": False,
            "agency_code": AGENCY,
            "photos": photos,
            "terms_accepted": True,
            "commitment": True,
            **changes,
        }


def applicant(number: int) -> Applicant:
    """Return the invented person of a number; the register of every test town knows them."""
    names = (
        FAMILY_NAMES[number % len(FAMILY_NAMES)],
        MIDDLE_NAMES[number // 7 % len(MIDDLE_NAMES)],
        MIDDLE_NAMES[number // 11 % len(MIDDLE_NAMES)],
        GIVEN_NAMES[number % len(GIVEN_NAMES)],
    )
    return Applicant(
        insurance_code=f"7900{number:06d}",
        full_name=" ".join(names),
        id_number=f"079185{number:06d}",
        phone=f"+84912{number:06d}",
        email=f"nguoi.thu.{number}@vidu.example",
    )


PEOPLE = 600
UNKNOWN = range(900_000, 999_999)  # numbers of people the register does not know


@dataclass(frozen=True)
class OfficerAtDesk:
    username: str
    password: str
    agency_code: str


OFFICER = OfficerAtDesk("canbo.mot", "mat-khau-can-bo-mot", AGENCY)
COLLEAGUE = OfficerAtDesk("canbo.hai", "mat-khau-can-bo-hai", AGENCY)
STRANGER = OfficerAtDesk("canbo.khac", "mat-khau-can-bo-khac", OTHER_AGENCY)


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    """Return a small picture of nothing."""
    kept = io.BytesIO()
    Image.new("RGB", size, "#dde6ee").save(kept, kind, **options)
    return kept.getvalue()


PICTURE = picture()


def until(happened: Callable[[], Any], what: str, seconds: float = HAPPENS_WITHIN) -> Any:
    """Return what ``happened`` returns once it is true; fail when it does not become so in time."""
    end = time.monotonic() + seconds
    while True:
        found = happened()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.02)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all of these at the same instant, each in a thread of its own; return what each returned."""
    start = threading.Barrier(len(acts))

    def act_on_start(act: Callable[[], Any]) -> Any:
        start.wait(HAPPENS_WITHIN)
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(act_on_start, acts))


def leave_with_parent() -> None:
    """Have the kernel end this process with the tests that started it, however they end (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class EmbeddedTown:
    """`vssid run` as a process of its own; ``environment`` holds settings beside those every test wants."""

    def __init__(self, folder: Path, **environment: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.var, self.log_file = folder, folder / "var", folder / "vssid.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.base = f"{self.url}/api/v1"
        self.http = requests.Session()
        self.process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self._strangers = iter(UNKNOWN)
        inherited = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
        wanted = {"RATE_LIMITS": "off", "TIMER_SECONDS": "0.2", "RETRY_DELAYS": "0.2,0.5,1", **environment}
        own = {"VAR_DIR": self.var, "HTTP_PORT": self.port, "RPC_DEADLINE": 10, "DATABASE_TIMEOUT": 10}
        self.environment = inherited | {name: str(value) for name, value in (own | wanted).items()}

    # the process

    def start(self) -> None:
        """Start the town and wait until it can serve."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "run"], env=self.environment, stdout=log, stderr=log, preexec_fn=leave_with_parent
            )
        until(self.is_ready, f"the town is ready; see {self.log_file}", STARTS_WITHIN)

    def is_ready(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log()
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        """Ask the town to leave; it leaves in time, and in peace."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(LEAVES_WITHIN) == 0
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def command(self, *arguments: str, given: str = "") -> str:
        """Run an operator's command against this town's files; return what it printed."""
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environment, input=given.encode(), capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def prepare(self) -> None:
        """Fill the household register, and put officers to their desks."""
        register = self.folder / "register.csv"
        lines = ["insurance_code,full_name,birth_date,gender,id_number"]
        for number in range(1, PEOPLE + 1):
            one = applicant(number)
            lines.append(f"{one.insurance_code},{one.full_name},1985-08-15,female,{one.id_number}")
        register.write_text("\n".join(lines), encoding="utf-8")
        assert f"{PEOPLE} people" in self.command("register", "import", str(register))
        for officer in (OFFICER, COLLEAGUE, STRANGER):
            self.add_officer(officer)

    def add_officer(self, officer: OfficerAtDesk) -> None:
        self.command("officer", "add", officer.username, "--agency", officer.agency_code, given=officer.password + "\n")

    # what it keeps

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def rows(self, desk: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the database of a desk, past the desk."""
        with closing(sqlite3.connect(f"file:{self.var / desk}.db?mode=ro", uri=True, timeout=10)) as database:
            return database.execute(query, values).fetchall()

    def change(self, desk: str, statement: str, *values: Any) -> None:
        """Write into the database of a desk, past the desk: for what only time would bring."""
        with closing(sqlite3.connect(self.var / f"{desk}.db", timeout=10)) as database, database:
            assert database.execute(statement, values).rowcount > 0

    def how_many(self, table: str, desk: str = "registration") -> int:
        return int(self.rows(desk, f"SELECT count(*) FROM {table}")[0][0])

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
        """Return somebody the register knows and who never came before."""
        number = next(self._numbers)
        assert number <= PEOPLE, "raise PEOPLE"
        return applicant(number)

    def unregistered(self) -> Applicant:
        """Return somebody the register does not know."""
        return replace(applicant(next(self._strangers)), full_name="Người Ngoài Sổ")

    def submit(self, person: Applicant | None = None, **changes: Any) -> dict[str, Any]:
        """Submit a declaration; return the answer and the person as ``who``."""
        who = person or self.newcomer()
        answer = self.call("POST", "/declarations", json=who.declaration(self.photos(), **changes))
        return {**done(answer, 201), "who": who}

    def declaration(self, declared: dict[str, Any]) -> dict[str, Any]:
        """Return where a declaration stands."""
        return done(self.call("GET", f"/declarations/{declared['number']}", params=code_of(declared)))

    def history(self, declared: dict[str, Any]) -> list[str]:
        return [entry["what"] for entry in self.declaration(declared)["history"]]

    def sign_in(self, officer: OfficerAtDesk = OFFICER) -> "AtDesk":
        answer = self.call(
            "POST", "/officer/sessions", json={"username": officer.username, "password": officer.password}
        )
        return AtDesk(self, done(answer, 201)["token"])


class AtDesk:
    """A signed-in officer."""

    def __init__(self, town: EmbeddedTown, token: str) -> None:
        self.town, self.token = town, token
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.town.call(method, f"/officer{path}", headers=headers, **options)

    def problem(self, method: str, path: str, status: int, code: str, **options: Any) -> dict[str, Any]:
        return refused(self.call(method, path, **options), status, code)

    def reviews(self, **search: Any) -> list[dict[str, Any]]:
        return list(done(self.call("GET", "/reviews", params=search))["items"])

    def review(self, declared: dict[str, Any]) -> dict[str, Any]:
        """Return the dossier of a declaration, once it has arrived at the desk."""
        path = f"/reviews/{declared['number']}"
        until(lambda: self.call("GET", path).status_code == 200, "the review opens")
        return done(self.call("GET", path))

    def approve(self, declared: dict[str, Any]) -> None:
        self.review(declared)
        decision = {"identity_checked": True}
        assert done(self.call("POST", f"/reviews/{declared['number']}/approval", json=decision)) == {
            "status": "approved"
        }

    def reject(self, declared: dict[str, Any], reason: str) -> None:
        self.review(declared)
        answer = self.call("POST", f"/reviews/{declared['number']}/rejection", json={"reason": reason})
        assert done(answer) == {"status": "rejected"}


def done(answer: requests.Response, status: int = 200) -> Any:
    """Return the JSON of an answer that must have this status."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:2000]}"
    return answer.json() if answer.content else None


def refused(answer: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Return the problem in an answer, which must be one by RFC 9457 with this status and code."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:2000]}"
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["title"] and problem["detail"] and problem["type"].endswith(code)
    assert all(set(error) == {"field", "code", "message"} and error["message"] for error in problem["errors"])
    return problem


def fields_refused(problem: dict[str, Any]) -> dict[str, str]:
    """Return the code of each field that a problem names."""
    return {error["field"]: error["code"] for error in problem["errors"]}


def code_of(declared: dict[str, Any]) -> dict[str, str]:
    return {"tracking_code": declared["tracking_code"]}


@contextmanager
def running(folder: Path, **environment: Any) -> Iterator[EmbeddedTown]:
    """Start a town with its people in it, and see it leave in order."""
    town = EmbeddedTown(folder, **environment)
    try:
        town.start()
        town.prepare()
        yield town
        town.stop()
    finally:
        town.kill()
