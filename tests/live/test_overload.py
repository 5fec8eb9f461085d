"""More callers than a gateway can serve: it turns some away at once, and serves the others as fast as before."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.running import town
from vssid.smoke import AGENCY
from vssid.walk import Walk

SEED = 20230801
WORKERS = 8  # requests the gateway works on at once
SECONDS = 6.0
LATE = 2.0  # seconds /healthz may take on a machine that has no processor left
KEPT = 0.5  # of the goodput at capacity; callers and servers share the same processors here


@pytest.fixture(scope="module")
def narrow(servers, tmp_path_factory):
    # the deadline is wide, so that what is measured is the gateway's door and nothing behind it
    with town(servers, tmp_path_factory.mktemp("narrow"), GATEWAY_WORKERS=str(WORKERS), RPC_DEADLINE="6") as here:
        yield here


@pytest.fixture(scope="module")
def form(narrow):
    """The address of a form that takes real work: a PDF, made anew each time."""
    (person,) = narrow.prepare(SEED, 1)
    declared = Walk(narrow.url).submit(person, AGENCY)
    return f"{narrow.url}/api/v1/declarations/{declared['number']}/form.pdf?tracking_code={declared['tracking_code']}"


def test_past_its_capacity_the_gateway_sheds_and_keeps_serving(narrow, form):
    closed_loop(form, 1.0)  # the first ones load fonts
    capacity = closed_loop(form, SECONDS)
    for times in (2, 5):
        answers, slowest_pulse = open_loop(narrow, form, rate=times * capacity)
        goodput = answers[200] / SECONDS
        print(f"\n{times} x {capacity:.0f}/s: {dict(answers)}, goodput {goodput:.0f}/s, pulse {slowest_pulse:.2f} s")
        assert set(answers) <= {200, 429, 503}, answers
        assert answers[429] + answers[503] > 0, "nobody was turned away"
        assert goodput > KEPT * capacity
        assert slowest_pulse < LATE
    assert closed_loop(form, SECONDS / 2) > KEPT * capacity, "the gateway came back to what it was"


def closed_loop(form, seconds):
    """Return how many a second are served to as many callers as there are workers, each asking when answered."""
    end = time.monotonic() + seconds

    def ask():
        session, served = requests.Session(), 0
        while time.monotonic() < end:
            served += session.get(form, timeout=20).status_code == 200
        return served

    with ThreadPoolExecutor(WORKERS) as pool:
        return sum(one.result() for one in [pool.submit(ask) for _ in range(WORKERS)]) / seconds


def open_loop(here, form, rate):
    """Ask so often a second, whether answered or not; return the answers by status, and the slowest pulse."""
    answers, sessions = Counter(), threading.local()

    def ask():
        if not hasattr(sessions, "one"):
            sessions.one = requests.Session()
        answer = sessions.one.get(form, timeout=20)
        if answer.status_code != 200:
            assert int(answer.headers["Retry-After"]) >= 1
        return answer.status_code

    with Pulse(here) as pulse, ThreadPoolExecutor(64) as pool:
        began, asked = time.monotonic(), []
        while (now := time.monotonic()) < began + SECONDS:
            while len(asked) < (now - began) * rate:
                asked.append(pool.submit(ask))
            time.sleep(0.005)
        answers.update(one.result() for one in asked)
    return answers, pulse.slowest


class Pulse:
    """Asks for the gateway's health all the while, and keeps the longest it took."""

    def __init__(self, here):
        self._here, self._over, self.slowest = here, threading.Event(), 0.0
        self._thread = threading.Thread(target=self._feel)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _feel(self):
        while not self._over.wait(0.1):
            began = time.monotonic()
            assert self._here.answers("gateway", "/healthz") == 200
            self.slowest = max(self.slowest, time.monotonic() - began)
