"""Another program locks a database file of the embedded system: what needs it waits, everything else goes on."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import requests

from tests.support.answers import done, refused
from tests.support.waiting import until


@contextmanager
def locked(system, service):
    with closing(sqlite3.connect(system.var / f"{service}.db", isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


def test_while_a_file_is_locked_everything_else_goes_on(system, officer):
    body = system.newcomer().declaration(system.photos())
    with ThreadPoolExecutor(1) as caller, locked(system, "registration") as other:
        asked = caller.submit(system.call, "POST", "/declarations", json=body)
        for _ in range(3):
            assert requests.get(f"{system.url}/healthz", timeout=3).status_code == 200
            assert system.call("GET", "/provinces", timeout=3).status_code == 200
            assert len(officer.reviews(limit=1)) <= 1
        assert not asked.done()
        other.execute("ROLLBACK")
        number = done(asked.result(), 201)["number"]
    assert number


def test_a_file_that_stays_locked_is_not_waited_for_without_end(system):
    before = system.how_many("declarations")
    body = system.newcomer().declaration(system.photos())
    with locked(system, "registration"):
        refused(system.call("POST", "/declarations", json=body), 503, "unavailable")
    assert system.how_many("declarations") == before
    until(
        lambda: system.call("POST", "/declarations", json=body).status_code == 201, "it is taken once the file is free"
    )
