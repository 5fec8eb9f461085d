"""Chapters c and d: the whole way from submission to the last message and card, and how long its stages take."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg2

from tests.bench import ceilings
from tests.bench.bench import Bench
from tests.bench.carriers import Told
from tests.bench.load import Outcome, drive, request
from tests.bench.system import API, MeasuredSystem, Newcomer, measured_system
from tests.bench.table import Figure, listed, quantiles

SUBMITTERS, OFFICERS = 12, 12  # requests of each under way at once
PROBES = 8  # connections that only look whether a review is visible yet
POLL_SECONDS = 0.1  # between two looks of the officer at an empty queue
PROBE_SECONDS = 0.02
FEWEST = 40  # declarations whose stages are timed
EVERY = 4  # of so many declarations one is probed
AGAIN_SECONDS = 0.2  # before a request that was turned away is sent again
QUEUE = f"{API}/officer/reviews?condition=awaiting_visit&limit=100"


@dataclass
class Walk:
    """One declaration on its way, and the moments of it."""

    newcomer: Newcomer
    due: float
    submitted: float = 0.0
    visible: float = 0.0
    approved: float = 0.0
    number: str = ""
    tracking_code: str = ""
    probed: bool = False


@dataclass
class Ways:
    """The script of submitters and an officer who opens, receives and approves what is in the queue.

    Submissions come at their due times; a stage of an officer's work follows the answer to the one before.
    """

    walks: Sequence[Walk]
    headers: dict[str, str]
    time_limit: float
    outcome: Outcome = field(default_factory=lambda: Outcome(200))
    done: int = 0
    turned_away: int = 0

    def __post_init__(self) -> None:
        self._due = deque(self.walks)
        self._ready: deque[tuple[str, Walk]] = deque()  # stages of officers that can be done now
        self._probes: deque[Walk] = deque()
        self._later: deque[tuple[float, str, Walk]] = deque()
        self._by_number: dict[str, Walk] = {}
        self._seen: set[str] = set()
        self._under_way = {"submit": 0, "officer": 0, "probe": 0}
        self._next_look = 0.0
        self._end = time.monotonic() + self.time_limit

    # what is asked

    def ask(self, now: float) -> tuple[bytes, Any] | None:
        self._return_later(now)
        wanted = self._probe(now) or self._officer(now) or self._submission(now)
        if wanted is not None:
            self._under_way[role_of(wanted[1][0])] += 1
        return wanted

    def _return_later(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, stage, walk = self._later.popleft()
            waiting = {"submit": self._due, "probe": self._probes}.get(stage)
            if waiting is None:
                self._ready.append((stage, walk))
            else:
                waiting.appendleft(walk)

    def _probe(self, now: float) -> tuple[bytes, Any] | None:
        if not self._probes or self._under_way["probe"] >= PROBES:
            return None
        walk = self._probes.popleft()
        return request("GET", f"{API}/officer/reviews/{walk.number}", headers=self.headers), ("probe", walk)

    def _officer(self, now: float) -> tuple[bytes, Any] | None:
        if self._under_way["officer"] >= OFFICERS:
            return None
        if self._ready:
            stage, walk = self._ready.popleft()
            return self._stage(stage, walk, now), (stage, walk)
        if now < self._next_look or len(self._seen) == len(self.walks):
            return None
        self._next_look = self._end  # until this look is answered
        return request("GET", QUEUE, headers=self.headers), ("look", None)

    def _stage(self, stage: str, walk: Walk, now: float) -> bytes:
        path = f"{API}/officer/reviews/{walk.number}"
        if stage == "open":
            return request("GET", path, headers=self.headers)
        if stage == "receive":
            return request("PUT", f"{path}/assignment", headers={**self.headers, "Content-Length": "0"})
        walk.approved = walk.approved or now
        return request(
            "POST", f"{path}/approval", {"identity_checked": True, "tracking_code": walk.tracking_code}, self.headers
        )

    def _submission(self, now: float) -> tuple[bytes, Any] | None:
        if not self._due or self._due[0].due > now or self._under_way["submit"] >= SUBMITTERS:
            return None
        walk = self._due.popleft()
        # the key lets a submission whose answer was lost be sent again
        return walk.newcomer.submission({"Idempotency-Key": walk.newcomer.person.insurance_code}), ("submit", walk)

    # what is answered

    def answered(self, tag: tuple[str, Any], status: int, body: bytes, now: float) -> None:
        stage, walk = tag
        self._under_way[role_of(stage)] -= 1
        self.outcome.statuses[status] += 1
        good = status in (200, 201) or (stage == "approve" and status == 409)  # an answer lost, the deed done
        getattr(self, f"_after_{stage}")(walk, good, body, now)

    def _after_submit(self, walk: Walk, good: bool, body: bytes, now: float) -> None:
        if not good:
            self._put_off("submit", walk, now)
            return
        answer = orjson.loads(body)
        walk.submitted, walk.number, walk.tracking_code = now, answer["number"], answer["tracking_code"]
        self.outcome.took.append(now - walk.due)
        self._by_number[walk.number] = walk
        if walk.probed:
            self._probes.append(walk)

    def _after_probe(self, walk: Walk, good: bool, body: bytes, now: float) -> None:
        if good:
            walk.visible = now
        else:
            self._later.append((now + PROBE_SECONDS, "probe", walk))

    def _after_look(self, walk: None, good: bool, body: bytes, now: float) -> None:
        new = [one["number"] for one in orjson.loads(body)["items"] if one["number"] not in self._seen] if good else []
        known = [number for number in new if number in self._by_number]  # the answer may be slower than the review
        self._seen.update(known)
        self._ready.extend(("open", self._by_number[number]) for number in known)
        self._next_look = now if known else now + POLL_SECONDS

    def _after_open(self, walk: Walk, good: bool, body: bytes, now: float) -> None:
        self._go_on("open", "receive", walk, good, now)

    def _after_receive(self, walk: Walk, good: bool, body: bytes, now: float) -> None:
        self._go_on("receive", "approve", walk, good, now)

    def _after_approve(self, walk: Walk, good: bool, body: bytes, now: float) -> None:
        if good:
            self.done += 1
        else:
            self._put_off("approve", walk, now)

    def _go_on(self, stage: str, following: str, walk: Walk, good: bool, now: float) -> None:
        if good:
            self._ready.appendleft((following, walk))
        else:
            self._put_off(stage, walk, now)

    def _put_off(self, stage: str, walk: Walk, now: float) -> None:
        self.turned_away += 1
        self._later.append((now + AGAIN_SECONDS, stage, walk))

    def is_over(self, now: float) -> bool:
        return now > self._end or (self.done == len(self.walks) and not any(self._under_way.values()))


def role_of(stage: str) -> str:
    return stage if stage in ("submit", "probe") else "officer"


def measure(bench: Bench) -> None:
    count = 200 if bench.quick else 2000
    with measured_system(bench.servers, bench.carriers) as system:
        headers = system.officer_of(2 * count)
        _, rate, figure = _go(bench, system, headers, count, at_rate=None)
        half = max(rate / 2, 1.0)
        fewer = min(count, max(FEWEST, int(half * 2 * bench.seconds)))
        walks, _, _ = _go(bench, system, headers, fewer, at_rate=half)
        told = bench.carriers.told()
        system.stop_all()
        figure.ceiling = _ceiling(system, count)
        bench.add(figure)
        _stages(bench, walks, told, half)


def _go(
    bench: Bench, system: MeasuredSystem, headers: dict[str, str], count: int, at_rate: float | None
) -> tuple[list[Walk], float, Figure]:
    """Send so many people the whole way; return their walks, declarations a second, and the figure."""
    bench.say(f"the whole way: {count} declarations" + (f", {at_rate:.0f} a second" if at_rate else ""))
    people, began = system.newcomers(count), time.monotonic()
    walks = [
        Walk(one, began + (place / at_rate if at_rate else 0.0), probed=at_rate is not None and place % EVERY == 0)
        for place, one in enumerate(people)
    ]
    before, script = system.processor(), Ways(walks, headers, bench.time_limit)
    drive(system.ports["gateway"], SUBMITTERS + OFFICERS + PROBES, script)
    last, finished = _last_of(bench, system, walks)
    spent = system.spent_since(before, finished)
    late = "" if finished == count else f" NOT FINISHED: {count - finished:,};"
    remark = (
        f"{count:,} submitted by {SUBMITTERS} at once; an officer, {OFFICERS} requests at once, opens, receives,"
        f" approves;{late} {script.turned_away:,} requests sent again after a 503; lean Twilio and SMTP;"
        f" ceiling: psycopg2, the same rows in 14 commits, no messages; processor ms each: {listed(spent)}"
    )
    rate = finished / (last - began)
    details = {"processor_ms_each": spent, "statuses": dict(script.outcome.statuses), "finished": finished}
    return walks, rate, Figure("c", "the whole way", rate, "/s", goal="≥ 100/s", remark=remark, details=details)


def _last_of(bench: Bench, system: MeasuredSystem, walks: list[Walk]) -> tuple[float, int]:
    """Wait for every card and every message; return the moment of the last, and how many have all of theirs."""
    people = [one.newcomer.person for one in walks]
    codes, expected = (
        tuple(one.insurance_code for one in people),
        {to for one in people for to in (one.phone, one.email)},
    )
    time_over = time.monotonic() + bench.time_limit

    def messages() -> list[Told]:
        return [one for one in bench.carriers.told() if one.to in expected]

    def cards() -> int:
        return int(system.rows("cards", "SELECT count(*) FROM cards WHERE insurance_code IN %s", (codes,))[0][0])

    while (found := cards()) < len(walks) and time.monotonic() < time_over:
        time.sleep(POLL_SECONDS)
    last_card = time.monotonic()
    while len(kept := messages()) < 4 * len(walks) and time.monotonic() < time_over:
        time.sleep(POLL_SECONDS)
    return max([last_card, *(one.at for one in kept)]), min(found, len(kept) // 4)


def _stages(bench: Bench, walks: list[Walk], told: list[Told], rate: float) -> None:
    accounts = {one.to: one.at for one in told if one.account}
    visible = [one.visible - one.due for one in walks if one.visible]
    texted = [at - one.approved for one in walks if (at := accounts.get(one.newcomer.person.phone))]
    accepted = [one.submitted - one.due for one in walks if one.submitted]
    for name, took, goal in (
        ("declaration → accepted", accepted, ""),
        ("declaration → review visible", visible, ""),
        ("approval → SMS at the carrier", texted, "p99 < 1 s"),
    ):
        said = f"{len(took):,} of {rate:.1f} a second (half of c), each from the sending of the request"
        bench.add(Figure("d", name, None, "", *quantiles(took), goal=goal, remark=said))


def _ceiling(system: MeasuredSystem, count: int) -> float:
    """Return how many declarations a second go the whole way by psycopg2 alone: their rows and commits."""
    dsns = {service: system.dsn(service) for service in ceilings.COPIES}
    connections = {service: psycopg2.connect(dsn) for service, dsn in dsns.items()}
    try:
        ceilings.make_copies(connections)
    finally:
        for one in connections.values():
            one.close()
    ids = [one for (one,) in system.rows("registration", "SELECT declaration_id FROM declarations LIMIT %s", (count,))]
    return ceilings.rate(ceilings.go_the_way, dsns, ids, 60.0)
