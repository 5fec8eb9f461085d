"""Chapter h: searches, reads and submissions with ten thousand, a million and ten million rows behind them."""

import base64
import random
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

from tests.bench.bench import Bench
from tests.bench.load import Closed, Outcome, drive, request
from tests.bench.population import DECLARATIONS, NOW, REGISTER, REVIEWS, Case, cases
from tests.bench.rows import fill
from tests.bench.submitting import Submitting
from tests.bench.system import API, MeasuredSystem, measured_system
from tests.bench.table import Figure, quantiles
from vssid import smoke

CONNECTIONS = 2  # enough to see how long an answer takes, too few to queue
SERVICES = ("registration", "approval", "gateway")
LONGEST = 60.0  # seconds for one kind of question
NAMES = ("Nguyễn Thị Hồng Mai", "Trần Văn Minh Đạt", "Lê Ngọc Thanh Hạnh", "Đặng Hữu Quốc Sơn", "Võ Kim Thùy Quỳnh")
CRITERIA: dict[str, Callable[[random.Random, int], dict[str, str]]] = {
    "the whole queue": lambda chance, size: {},
    "number": lambda chance, size: {"number": own_case(chance, size).number},
    "insurance code": lambda chance, size: {"insurance_code": own_case(chance, size).insurance_code},
    "a week": lambda chance, size: week(chance),
    "status": lambda chance, size: {"status": chance.choice(("pending", "approved", "rejected"))},
    "condition": lambda chance, size: {"condition": chance.choice(("awaiting_visit", "received", "overdue"))},
    "kind": lambda chance, size: {"kind": chance.choice(("register", "child"))},
    "name with accents": lambda chance, size: {"q": chance.choice(NAMES)},
    "part of a name": lambda chance, size: {"q": chance.choice(("hong", "quynh", "Đạt", "Thị Hồng", "nguyen van"))},
    "name nobody has": lambda chance, size: {"q": chance.choice(("Tôn Nữ", "Zacharias", "Ưng Hoàng Phúc"))},
    "a page far down": lambda chance, size: {"cursor": cursor(own_case(chance, size))},
    "name and status": lambda chance, size: {"q": chance.choice(NAMES), "status": "pending"},
}


def own_case(chance: random.Random, size: int) -> Case:
    """Return a case of the officer's agency whose personal data are there."""
    while True:
        case = Case(chance.randrange(size))
        if case.agency_code == smoke.AGENCY and case.known:
            return case


def week(chance: random.Random) -> dict[str, str]:
    first = (NOW - timedelta(days=chance.randrange(700))).date()
    return {"from": first.isoformat(), "to": (first + timedelta(days=6)).isoformat()}


def cursor(case: Case) -> str:
    return base64.urlsafe_b64encode(f"{case.submitted_at.isoformat()}|{case.number}".encode()).decode()


def measure(bench: Bench) -> None:
    sizes = (10_000, 100_000) if bench.quick else (10_000, 1_000_000) + ((10_000_000,) if bench.full else ())
    with measured_system(bench.servers, bench.carriers, processes=SERVICES) as system:
        headers = system.officer_of(1)
        smallest: dict[str, list[float]] = {}
        before = 0
        for size in sizes:
            bench.say(f"filling up to {size:,} declarations, reviews and people of the register")
            _fill(system, before, size)
            before = size
            found = _times(bench, system, headers, size)
            smallest = smallest or found
            if size > sizes[0]:
                _tell(bench, found, smallest, size, sizes[0])


def _fill(system: MeasuredSystem, first: int, after: int) -> None:
    count = after - first
    approval, registration = system.dsn("approval"), system.dsn("registration")
    fill(approval, "register_people", REGISTER, (one.register_row() for one in cases(first, after)), count)
    fill(approval, "reviews", REVIEWS, (one.review_row() for one in cases(first, after)), count)
    fill(registration, "declarations", DECLARATIONS, (one.declaration_row() for one in cases(first, after)), count)


def _times(bench: Bench, system: MeasuredSystem, headers: dict[str, str], size: int) -> dict[str, list[float]]:
    """Return the seconds of each question's answers, by what is asked."""
    repeats, chance = 40 if bench.quick else 200, random.Random(size)
    asked: dict[str, list[bytes]] = {
        f"search: {name}": [
            request("GET", f"{API}/officer/reviews?{urlencode(made(chance, size))}", headers=headers)
            for _ in range(repeats)
        ]
        for name, made in CRITERIA.items()
    }
    read = (own_case(chance, size).number for _ in range(repeats))
    asked["status read"] = [request("GET", f"{API}/declarations/{one}?tracking_code=ABCDEFGHJK") for one in read]
    found = {name: _asked(system, Closed(iter(requests), LONGEST)).took for name, requests in asked.items()}
    submissions = (one.submission() for one in system.newcomers(repeats))
    return {**found, "submission": _asked(system, Submitting(submissions, LONGEST)).took}


def _asked(system: MeasuredSystem, script: Closed) -> Outcome:
    outcome = drive(system.ports["gateway"], CONNECTIONS, script)
    if outcome.refused:
        raise RuntimeError(f"not every answer was good: {outcome.statuses}")
    return outcome


def _tell(bench: Bench, found: dict[str, list[float]], smallest: dict[str, list[float]], size: int, first: int) -> None:
    for name, took in found.items():
        p50, p95, p99 = quantiles(took)
        at_first = (quantiles(smallest[name])[1] or 0) * 1000
        goal = "p95 < 50 ms, ≤ 1.5" if name.startswith("search") else "≤ 1.5"
        said = f"p95 at {size:,} rows; ceiling: p95 at {first:,}; {CONNECTIONS} connections, {len(took)} answers"
        bench.add(Figure("h", name, (p95 or 0) * 1000, "ms", p50, p95, p99, ceiling=at_first, goal=goal, remark=said))
