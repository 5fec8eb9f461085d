"""Every instance of every service is restarted in its turn, under load, and no caller notices."""

import signal
import threading
import time
from collections import Counter
from itertools import cycle

import pytest
import requests
from urllib3.exceptions import NewConnectionError

from tests.support.running import desk_of, town, until
from vssid.people import declaration_of, picture
from vssid.smoke import AGENCY
from vssid.startup import STATEFUL

SEED, PEOPLE = 20220501, 400
CALLERS = 3
DESKS_TWICE = tuple(name for desk in (*STATEFUL, "gateway") for name in (desk, f"{desk}.2"))
PATIENT = {"RPC_DEADLINE": "8", "DATABASE_TIMEOUT": "8"}  # a machine busy with starting processes is no failure
FEW = {"WORKERS": "3"}  # connections to a database that ten processes share
LEAVES_WITHIN = 10.0


@pytest.fixture(scope="module")
def twice(servers, tmp_path_factory):
    with town(servers, tmp_path_factory.mktemp("twice"), (*DESKS_TWICE, "relay"), **PATIENT, **FEW) as here:
        yield here


class Balancer:
    """Calls the gateways in turn over connections kept alive; one that refuses the connection is passed over."""

    def __init__(self, urls):
        self._gateways = cycle([(f"{url}/api/v1", requests.Session()) for url in urls])
        self._count = len(urls)

    def call(self, method, path, **options):
        for _ in range(self._count):
            base, session = next(self._gateways)
            try:
                return session.request(method, base + path, timeout=20, **options)
            except requests.ConnectionError as error:
                if not isinstance(getattr(error.args[0], "reason", None), NewConnectionError):
                    raise
        raise AssertionError("no gateway takes a connection")


class Callers:
    """Declare, look, and search until told to stop; everything that is not a success is kept."""

    def __init__(self, urls, people, officer):
        self._urls, self._officer = urls, officer
        self._people = iter(people)
        self._lock = threading.Lock()
        self.over = threading.Event()
        self.answers, self.failures, self.declared = Counter(), [], []

    def run(self):
        going = Balancer(self._urls)
        while not self.over.is_set():
            with self._lock:
                person = next(self._people)
            try:
                self._declare(going, person)
            except Exception as error:
                self.failures.append(f"{type(error).__name__}: {error}")

    def _declare(self, going, person):
        photos = {}
        for purpose in ("portrait", "id_front", "id_back"):
            files = {"file": (f"{purpose}.jpg", picture(purpose), "image/jpeg")}
            kept = self._call(going, "POST", "/uploads", 201, files=files, data={"purpose": purpose})
            photos[purpose] = kept["upload_id"]
        declared = self._call(going, "POST", "/declarations", 201, json=declaration_of(person, AGENCY, photos))
        self.declared.append(declared["number"])
        code = {"tracking_code": declared["tracking_code"]}
        self._call(going, "GET", f"/declarations/{declared['number']}", 200, params=code)
        self._call(going, "GET", "/officer/reviews", 200, headers=self._officer._officer)
        time.sleep(0.1)

    def _call(self, going, method, path, status, **options):
        answer = going.call(method, path, **options)
        self.answers[answer.status_code] += 1
        assert answer.status_code == status, f"{method} {path} answered {answer.status_code}: {answer.text[:300]}"
        return answer.json()


def test_no_request_fails_while_every_instance_is_restarted_in_its_turn(twice):
    callers = Callers(twice.urls, twice.prepare(SEED, PEOPLE), twice.officer(SEED))
    threads = [threading.Thread(target=callers.run) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        took = {name: restart_in_peace(twice, name) for name in DESKS_TWICE}
    finally:
        callers.over.set()
        for thread in threads:
            thread.join()
    assert callers.failures == []
    assert max(took.values()) < LEAVES_WITHIN, took
    declared = len(callers.declared)
    until(lambda: twice.count("approval", "reviews") == declared, "a review for every declaration")
    twice.until_quiet()
    assert twice.count("notification", "messages") == 2 * declared
    assert twice.dead() == []
    leaving = {desk: max(seconds for name, seconds in took.items() if desk_of(name) == desk) for desk in STATEFUL}
    print(f"\n{dict(callers.answers)} answers while {len(took)} instances were restarted; seconds to leave: {leaving}")


def restart_in_peace(here, name):
    """End a process the way an operator does, and start it again; return the seconds it took to leave."""
    began = time.monotonic()
    here.signal(name, signal.SIGTERM)
    code = here.processes[name].wait(timeout=LEAVES_WITHIN + 5)
    took = time.monotonic() - began
    assert code == 0, f"{name} left with {code} after {took:.1f} s"
    here.start(name)
    here.until_ready(name)
    return took
