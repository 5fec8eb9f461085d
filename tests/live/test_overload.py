"""More callers than a gateway can serve: it turns some away at once, serves the others, and recovers."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests

from tests.support.running import running_system
from vssid.smoke import AGENCY
from vssid.walk import Walk

SEED = 20230801
WORKERS = 8  # requests the gateway works on at once
CALLERS, REQUESTS = 8 * WORKERS, 20  # each caller asks so often, one request after another
HANGS_AFTER = 60.0  # seconds


@pytest.fixture(scope="module")
def narrow(servers, tmp_path_factory):
    # the deadline is wide, so that only the gateway itself turns callers away, and nothing behind it
    settings = {"GATEWAY_WORKERS": str(WORKERS), "RPC_DEADLINE": "30"}
    with running_system(servers, tmp_path_factory.mktemp("narrow"), **settings) as started:
        yield started


@pytest.fixture(scope="module")
def form(narrow):
    """The address of a form that takes real work: a PDF, made anew each time."""
    (person,) = narrow.prepare(SEED, 1)
    declared = Walk(narrow.url).submit(person, AGENCY)
    return f"{narrow.url}/api/v1/declarations/{declared['number']}/form.pdf?tracking_code={declared['tracking_code']}"


def test_past_its_capacity_the_gateway_turns_some_away_and_serves_the_others(narrow, form):
    with pulse(narrow) as health:
        answers = ask(form, CALLERS, REQUESTS)
    print(f"\n{CALLERS} callers of {WORKERS} workers: {dict(answers)}")
    assert set(answers) <= {200, 429, 503}, answers
    assert answers[200] > 0, "nobody was served"
    assert answers[429] + answers[503] > 0, "nobody was turned away"
    assert set(health) == {200}
    assert ask(form, WORKERS, REQUESTS) == {200: WORKERS * REQUESTS}, "afterwards everybody is served"


def ask(form, callers, requests_each):
    """Have callers ask at once, each again and again; return how often each status was answered."""

    def call(_):
        with requests.Session() as session:
            return [status_of(session.get(form, timeout=HANGS_AFTER)) for _ in range(requests_each)]

    with ThreadPoolExecutor(callers) as pool:
        return Counter(status for answers in pool.map(call, range(callers)) for status in answers)


def status_of(answer):
    if answer.status_code != 200:
        assert int(answer.headers["Retry-After"]) >= 1
    return answer.status_code


@contextmanager
def pulse(system):
    """Ask for the gateway's health all the while; yield the list of the answers."""
    over, health = threading.Event(), []

    def feel():
        while not over.wait(0.1):
            health.append(system.answers("gateway", "/healthz", timeout=HANGS_AFTER))

    thread = threading.Thread(target=feel)
    thread.start()
    try:
        yield health
    finally:
        over.set()
        thread.join()
