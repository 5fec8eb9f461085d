"""Chapters a, b and g: declarations accepted, declarations read, and what each process costs."""

import signal
from typing import Any

import orjson

from tests.bench import ceilings
from tests.bench.bench import Bench
from tests.bench.load import Closed, Outcome, drive, endless, request
from tests.bench.system import API, MeasuredSystem, measured_system
from tests.bench.table import Figure, listed, rate_of

CONNECTIONS = 32
MOST_A_SECOND = 900  # declarations laid ready for each second of a load
CEILING_A_SECOND = 4000
CALM_SECONDS = 600.0  # after a load until the system has nothing to do any more


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
    with measured_system(bench.servers, bench.carriers) as system:
        after_start = system.memory()
        _start_up(bench, system)
        said = "every process at work on them; ceiling: psycopg2, 8 connections, the same rows and commit"
        _submit(bench, system, "accepted, system at work", by_psycopg, said, goal="≥ 300/s, p95 < 150 ms")
        bench.say("waiting until the system has nothing to do any more")
        system.until_quiet(CALM_SECONDS)
        system.signal("relay", signal.SIGSTOP)
        said = "the relay at rest; ceiling as above"
        answers = _submit(bench, system, "accepted, relay at rest", by_psycopg, said)
        if not bench.quick:
            _variants(bench, system, by_psycopg)
        _read(bench, system, answers, read_by_psycopg)
        system.signal("relay", signal.SIGCONT)
        _memory(bench, system, after_start)


def _ceilings(bench: Bench) -> tuple[float, float]:
    """Return declarations and reads a second by psycopg2 alone, on a database of the same make."""
    bench.say("declarations and reads by psycopg2 alone")
    with measured_system(bench.servers, bench.carriers, processes=()) as bare:
        dsns = {"registration": bare.dsn("registration")}
        forms = [one.declaration() for one in bare.newcomers(int(CEILING_A_SECOND * bench.seconds / 2))]
        submitted = ceilings.rate(ceilings.submit, dsns, forms, bench.seconds / 2)
        numbers = [number for (number,) in bare.rows("registration", "SELECT number FROM declarations")]
        read = ceilings.rate(ceilings.read, dsns, numbers * 20, bench.seconds / 2)
    return submitted, read


def _submit(
    bench: Bench, system: MeasuredSystem, name: str, ceiling: float, said: str, goal: str = "", **changes: Any
) -> list[bytes]:
    people = system.newcomers(int(MOST_A_SECOND * bench.seconds))
    script = Submitting((one.submission(**changes) for one in people), bench.seconds)
    before = system.processor()
    outcome = drive(system.ports["gateway"], CONNECTIONS, script)
    bench.add(_figure(system, before, outcome, "a", name, said, ceiling=ceiling, goal=goal))
    return script.bodies


def _variants(bench: Bench, system: MeasuredSystem, ceiling: float) -> None:
    """What a caller may add: a key against doing it twice, and the printed form by mail."""
    people = system.newcomers(int(MOST_A_SECOND * bench.seconds))
    keyed = (one.submission({"Idempotency-Key": one.person.insurance_code}) for one in people)
    before = system.processor()
    outcome = drive(system.ports["gateway"], CONNECTIONS, Submitting(keyed, bench.seconds))
    said = "Idempotency-Key: one row more"
    bench.add(_figure(system, before, outcome, "a", "accepted with a key", said, ceiling=ceiling))
    said = "the form is printed later, by its own event"
    _submit(bench, system, "accepted with the form by mail", ceiling, said, email_copy=True)


def _read(bench: Bench, system: MeasuredSystem, answers: list[bytes], ceiling: float) -> None:
    submitted = [orjson.loads(one) for one in answers]
    paths = [f"{API}/declarations/{one['number']}?tracking_code={one['tracking_code']}" for one in submitted]
    script = Closed(endless([request("GET", path) for path in paths]), bench.seconds)
    before = system.processor()
    outcome = drive(system.ports["gateway"], CONNECTIONS, script)
    said = f"{len(paths):,} declarations; ceiling: psycopg2, 8 connections, by number"
    bench.add(_figure(system, before, outcome, "b", "status read", said, ceiling=ceiling, goal="≥ 1,500/s"))


def _figure(
    system: MeasuredSystem, before: dict[str, float], outcome: Outcome, chapter: str, name: str, said: str, **more: Any
) -> Figure:
    """Return the figure of a load, with the processor time each answer cost."""
    spent = system.spent_since(before, len(outcome.took))
    figure = rate_of(chapter, name, outcome, remark=f"{said}; processor ms each: {listed(spent)}", **more)
    figure.details["processor_ms_each"] = spent
    return figure


def _start_up(bench: Bench, system: MeasuredSystem) -> None:
    for name, seconds in system.started.items():
        said = "process start to /readyz 200, one process at a time"
        bench.add(Figure("g", f"start-up of {name}", seconds, "s", remark=said))


def _memory(bench: Bench, system: MeasuredSystem, after_start: dict[str, float]) -> None:
    for name, megabytes in system.memory().items():
        said = f"resident after the load; {after_start[name]:.0f} MB after the start"
        bench.add(Figure("g", f"memory of {name}", megabytes, "MB", goal="≤ 90 MB", remark=said))
