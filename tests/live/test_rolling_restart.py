"""Every instance of every service is restarted in its turn, under load, and no caller notices."""

import signal
import threading
import time
from collections import Counter
from itertools import cycle

import pytest
import requests
from urllib3.exceptions import NewConnectionError

from tests.support.people import PURPOSES, declaration_form
from tests.support.pictures import PICTURE
from tests.support.processes import STOPS_WITHIN
from tests.support.running import running_system
from tests.support.waiting import until
from vssid.startup import STATEFUL

SEED, PEOPLE = 20220501, 400
CALLERS = 3
SERVICES_TWICE = tuple(name for service in (*STATEFUL, "gateway") for name in (service, f"{service}.2"))
PATIENT = {"RPC_DEADLINE": "8", "DATABASE_TIMEOUT": "8"}  # a machine busy with starting processes is no failure
FEW = {"WORKERS": "3"}  # connections to a database that ten processes share


@pytest.fixture(scope="module")
def twice(servers, tmp_path_factory):
    processes = (*SERVICES_TWICE, "relay")
    with running_system(servers, tmp_path_factory.mktemp("twice"), processes, **PATIENT, **FEW) as started:
        yield started


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
    """Declare, read, and search until told to stop; everything that is not a success is kept."""

    def __init__(self, urls, people, officer):
        self._urls, self._officer = urls, officer
        self._people = iter(people)
        self._lock = threading.Lock()
        self.over = threading.Event()
        self.answers, self.failures, self.declared = Counter(), [], []

    def run(self):
        balancer = Balancer(self._urls)
        while not self.over.is_set():
            with self._lock:
                person = next(self._people)
            try:
                self._declare(balancer, person)
            except Exception as error:
                self.failures.append(f"{type(error).__name__}: {error}")

    def _declare(self, balancer, person):
        photos = {}
        for purpose in PURPOSES:
            files = {"file": (f"{purpose}.jpg", PICTURE, "image/jpeg")}
            kept = self._call(balancer, "POST", "/uploads", 201, files=files, data={"purpose": purpose})
            photos[purpose] = kept["upload_id"]
        declared = self._call(balancer, "POST", "/declarations", 201, json=declaration_form(person, photos=photos))
        self.declared.append(declared["number"])
        code = {"tracking_code": declared["tracking_code"]}
        self._call(balancer, "GET", f"/declarations/{declared['number']}", 200, params=code)
        self._call(balancer, "GET", "/officer/reviews", 200, headers=self._officer.officer_headers)
        time.sleep(0.1)

    def _call(self, balancer, method, path, status, **options):
        answer = balancer.call(method, path, **options)
        self.answers[answer.status_code] += 1
        assert answer.status_code == status, f"{method} {path} answered {answer.status_code}: {answer.text[:300]}"
        return answer.json()


def test_no_request_fails_while_every_instance_is_restarted_in_its_turn(twice):
    callers = Callers(twice.urls, twice.prepare(SEED, PEOPLE), twice.officer(SEED))
    threads = [threading.Thread(target=callers.run) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        for name in SERVICES_TWICE:
            restart_in_peace(twice, name)
    finally:
        callers.over.set()
        for thread in threads:
            thread.join()
    assert callers.failures == []
    declared = len(callers.declared)
    until(lambda: twice.count("approval", "reviews") == declared, "a review for every declaration")
    twice.until_quiet()
    assert twice.count("notification", "messages") == 2 * declared
    assert twice.dead() == []
    print(f"\n{dict(callers.answers)} answers while {len(SERVICES_TWICE)} instances were restarted")


def restart_in_peace(system, name):
    """End a process the way an operator does, and start it again."""
    system.signal(name, signal.SIGTERM)
    assert system.processes[name].wait(STOPS_WITHIN) == 0, f"{name} did not end without an error"
    system.start(name)
    system.until_ready(name)
