"""Chapters a, b and g: declarations accepted, declarations read, and what each process costs."""

import signal
from typing import Any

import orjson

from tests.bench import by_hand
from tests.bench.bench import Bench
from tests.bench.house import API, House, house
from tests.bench.load import Closed, Outcome, drive, endless, request
from tests.bench.table import Figure, listed, rate_of

CONNECTIONS = 32
MOST_A_SECOND = 900  # declarations laid ready for each second of a load
BY_HAND_A_SECOND = 4000
CALM_SECONDS = 600.0  # after a load until the house has nothing to do any more


class Submitting(Closed):
    """Submits one declaration after another, and keeps the answers."""

    def __init__(self, requests: Any, seconds: float) -> None:
        super().__init__(requests, seconds, good=201)

    def answered(self, tag: Any, status: int, body: bytes, now: float) -> None:
        super().answered(tag, status, body, now)
        if status == 201:
            self.bodies.append(body)


def measure(bench: Bench) -> None:
    by_psycopg, read_by_psycopg = _ceilings(bench)
    with house(bench.servers, bench.carriers) as here:
        after_start = here.memory()
        _start_up(bench, here)
        said = "the whole house at work on them; ceiling: psycopg2, 8 connections, the same rows and commit"
        _submit(bench, here, "accepted, house at work", by_psycopg, said, goal="≥ 300/s, p95 < 150 ms")
        bench.say("waiting until the house has done its work")
        here.until_quiet(CALM_SECONDS)
        here.signal("relay", signal.SIGSTOP)
        said = "the relay at rest; ceiling as above"
        answers = _submit(bench, here, "accepted, relay at rest", by_psycopg, said)
        if not bench.quick:
            _variants(bench, here, by_psycopg)
        _read(bench, here, answers, read_by_psycopg)
        here.signal("relay", signal.SIGCONT)
        _memory(bench, here, after_start)


def _ceilings(bench: Bench) -> tuple[float, float]:
    """Return declarations and reads a second by hand, on a database of the same make and nothing else running."""
    bench.say("declarations and reads by hand")
    with house(bench.servers, bench.carriers, processes=()) as bare:
        dsns = {"registration": bare.dsn("registration")}
        forms = [one.declaration() for one in bare.newcomers(int(BY_HAND_A_SECOND * bench.seconds / 2))]
        submitted = by_hand.rate(by_hand.submit, dsns, forms, bench.seconds / 2)
        numbers = [number for (number,) in bare.rows("registration", "SELECT number FROM declarations")]
        read = by_hand.rate(by_hand.read, dsns, numbers * 20, bench.seconds / 2)
    return submitted, read


def _submit(
    bench: Bench, here: House, name: str, ceiling: float, said: str, goal: str = "", **changes: Any
) -> list[bytes]:
    people = here.newcomers(int(MOST_A_SECOND * bench.seconds))
    script = Submitting((one.submission(**changes) for one in people), bench.seconds)
    before = here.processor()
    outcome = drive(here.ports["gateway"], CONNECTIONS, script)
    bench.add(_figure(here, before, outcome, "a", name, said, ceiling=ceiling, goal=goal))
    return script.bodies


def _variants(bench: Bench, here: House, ceiling: float) -> None:
    """What a caller may add: a key against doing it twice, and the printed form by mail."""
    people = here.newcomers(int(MOST_A_SECOND * bench.seconds))
    keyed = (one.submission({"Idempotency-Key": one.person.insurance_code}) for one in people)
    before = here.processor()
    outcome = drive(here.ports["gateway"], CONNECTIONS, Submitting(keyed, bench.seconds))
    said = "Idempotency-Key: one row more"
    bench.add(_figure(here, before, outcome, "a", "accepted with a key", said, ceiling=ceiling))
    said = "the form is printed later, by its own event"
    _submit(bench, here, "accepted with the form by mail", ceiling, said, email_copy=True)


def _read(bench: Bench, here: House, answers: list[bytes], ceiling: float) -> None:
    submitted = [orjson.loads(one) for one in answers]
    paths = [f"{API}/declarations/{one['number']}?tracking_code={one['tracking_code']}" for one in submitted]
    script = Closed(endless([request("GET", path) for path in paths]), bench.seconds)
    before = here.processor()
    outcome = drive(here.ports["gateway"], CONNECTIONS, script)
    said = f"{len(paths):,} declarations; ceiling: psycopg2, 8 connections, by number"
    bench.add(_figure(here, before, outcome, "b", "status read", said, ceiling=ceiling, goal="≥ 1,500/s"))


def _figure(
    here: House, before: dict[str, float], outcome: Outcome, chapter: str, name: str, said: str, **more: Any
) -> Figure:
    """Return the figure of a load, with the processor time each answer cost."""
    spent = here.spent_since(before, len(outcome.took))
    figure = rate_of(chapter, name, outcome, remark=f"{said}; processor ms each: {listed(spent)}", **more)
    figure.details["processor_ms_each"] = spent
    return figure


def _start_up(bench: Bench, here: House) -> None:
    for name, seconds in here.started.items():
        said = "process start to /readyz 200, one process at a time"
        bench.add(Figure("g", f"start-up of {name}", seconds, "s", remark=said))


def _memory(bench: Bench, here: House, after_start: dict[str, float]) -> None:
    for name, megabytes in here.memory().items():
        said = f"resident after the load; {after_start[name]:.0f} MB after the start"
        bench.add(Figure("g", f"memory of {name}", megabytes, "MB", goal="≤ 90 MB", remark=said))
