"""The load of a run: patient people who go the whole way at a steady rate, and an officer who decides for each."""

import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests

from vssid.people import DemoPerson
from vssid.smoke import AGENCY
from vssid.walk import StepFailed, Walk

PARALLEL = 16  # declarations on their way at the same time
GIVES_UP_AFTER = 180.0  # seconds anybody asks again before the run counts that person as lost
LONGEST_WAIT = 2.0  # seconds between two tries, whatever the answer asks for


class PatientWalk(Walk):
    """Asks again, with the same key, wherever nobody answers: as phones and browsers with a queue of their own do."""

    def __init__(self, url: str, answers: "Answers", officer: Walk | None = None) -> None:
        super().__init__(url, as_officer=officer)
        self._answers = answers

    def call(self, method: str, path: str, status: int, **options: Any) -> Any:
        headers = {**options.pop("headers", {}), "Idempotency-Key": str(uuid.uuid4())}
        end = time.monotonic() + GIVES_UP_AFTER
        while True:
            answer = self._ask(method, path, headers=headers, **options)
            if answer is not None and answer.status_code == status:
                return answer.json() if answer.content else None
            busy = answer is None or answer.status_code in (429, 500, 503)
            if not busy or time.monotonic() > end:
                raise StepFailed(f"{method} {path}: {answer.text[:500] if answer is not None else 'no answer'}")
            wait = float(answer.headers.get("Retry-After", 1)) if answer is not None else 0.5
            time.sleep(min(wait, LONGEST_WAIT))

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response | None:
        if self._answers.unwanted.is_set():
            raise StepFailed("the run was ended")
        try:
            answer = self.send(method, path, **options)
        except requests.RequestException:
            self._answers.add("none", path)
            return None
        self._answers.add(str(answer.status_code), path)
        return answer

    def approve(self, declaration: dict[str, Any]) -> None:
        """Wait for the review, take it and approve it; an approval whose answer was lost stands."""
        number = declaration["number"]
        decision = {"identity_checked": True, "tracking_code": declaration["tracking_code"]}
        review, end = f"/officer/reviews/{number}", time.monotonic() + GIVES_UP_AFTER
        while not self._is_open(review):
            if time.monotonic() > end:
                raise StepFailed(f"the review of {number} never opened")
            time.sleep(0.2)
        self.call("PUT", f"{review}/assignment", 200, headers=self.officer_headers)
        try:
            self.call("POST", f"{review}/approval", 200, headers=self.officer_headers, json=decision)
        except StepFailed:
            if self.call("GET", review, 200, headers=self.officer_headers)["status"] != "approved":
                raise

    def _is_open(self, review: str) -> bool:
        answer = self._ask("GET", review, headers=self.officer_headers)
        return answer is not None and answer.status_code == 200


class Answers:
    """Counts what the gateway answered; what broke (500) is kept with its path. ``unwanted`` ends every walk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.unwanted = threading.Event()
        self.counts: Counter[str] = Counter()
        self.broke: Counter[str] = Counter()

    def add(self, status: str, path: str) -> None:
        with self._lock:
            self.counts[status] += 1
            if status == "500":
                self.broke["/".join(path.split("/")[:3])] += 1


class Gate:
    """Lets declarations begin up to the next fault, and tells who waits for a place when it is reached."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.begun = 0
        self._open_until = 0.0

    def open(self, until: float) -> None:
        with self._changed:
            self._open_until = until
            self._changed.notify_all()

    def pass_one(self) -> None:
        """Wait until one more may begin, and count it."""
        with self._changed:
            self._changed.wait_for(lambda: self.begun < self._open_until)
            self.begun += 1
            self._changed.notify_all()

    def reach(self, place: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.begun >= place)


@dataclass
class Drive:
    """Sends everybody the whole way, so many a second, whatever happens to the system meanwhile."""

    url: str
    officer: Walk
    rate: float
    gate: Gate = field(default_factory=Gate)
    answers: Answers = field(default_factory=Answers)
    declared: dict[str, DemoPerson] = field(default_factory=dict)  # by number
    decided: set[str] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)

    def run(self, people: list[DemoPerson]) -> None:
        with ThreadPoolExecutor(PARALLEL) as pool:
            try:
                self._begin_all(people, pool)
            except BaseException:  # a run that is ended does not wait for people who ask again and again
                self.answers.unwanted.set()
                raise

    def _begin_all(self, people: list[DemoPerson], pool: ThreadPoolExecutor) -> None:
        places, due = threading.Semaphore(PARALLEL), time.monotonic()
        for person in people:
            places.acquire()
            self.gate.pass_one()
            # what was held up is not made up for in a burst: the rate is steady
            due = max(due + 1 / self.rate, time.monotonic() - 1 / self.rate)
            time.sleep(max(0.0, due - time.monotonic()))
            pool.submit(self._whole_way, person).add_done_callback(lambda _: places.release())

    def _whole_way(self, person: DemoPerson) -> None:
        try:
            walk = PatientWalk(self.url, self.answers, self.officer)
            declared = walk.submit(person, AGENCY)
            number = declared["number"]
            self.declared[number] = person
            walk.approve(declared)
            self.decided.add(number)
        except Exception as error:
            self.lost.append(f"{person.insurance_code}: {type(error).__name__}: {error}")
