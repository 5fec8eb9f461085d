"""Counts that gateways share in a Redis, while it is there and while it is not."""

import re
import socket
from contextlib import suppress

import pytest
import requests

from tests.support.answers import refused
from tests.support.embedded import EmbeddedSystem
from tests.support.redis import redis_server
from tests.support.waiting import until

LIMIT = 5
REQUESTS = 40


@pytest.fixture(scope="module")
def gateways(tmp_path_factory):
    """Two gateways on one Redis, which each test leaves as it found it."""
    with redis_server() as store:
        both = [system_on(store.url, tmp_path_factory.mktemp("gateway")) for _ in range(2)]
        try:
            for one in both:
                one.start()
            yield store, *both
        finally:
            for one in both:
                one.kill()


def system_on(url, folder):
    return EmbeddedSystem(
        folder, RATE_LIMITS="on", RATE_LIMIT_STORE=url, LIMIT_READING=f"{LIMIT}/hour", TRUSTED_PROXIES=1
    )


def ask(system, number):
    return system.call("GET", "/provinces", headers={"X-Forwarded-For": f"192.0.2.{number}"})


def statuses(number, *systems):
    return [ask(system, number).status_code for system in systems]


def store_state(system):
    answer = requests.get(f"{system.url}/readyz", timeout=30)
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    return answer.json()["dependencies"]["rate_limit_store"]


def away(system):
    text = requests.get(f"{system.url}/metrics", timeout=30).text
    return re.search(r"(?m)^vssid_rate_limit_store_away (\S+)$", text)[1]


def changes(system):
    return re.findall(r'"event":"(rate_limit_store_\w+)"', system.log())


def assert_counts_by_itself(system, number):
    assert statuses(number, *[system] * (LIMIT + 1)) == [200] * LIMIT + [429]


def test_gateways_count_together(gateways):
    _, one, other = gateways
    assert statuses(1, one, other, one, other, one) == [200] * LIMIT
    for system in (one, other):
        answer = ask(system, 1)
        refused(answer, 429, "too_many_requests")
        assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert (store_state(one), store_state(other), away(one)) == ("ok", "ok", "0.0")


@pytest.mark.parametrize(("how", "number"), [("stopped", 20), ("frozen", 30)])
def test_a_gateway_counts_by_itself_until_the_store_is_back(gateways, how, number):
    store, one, other = gateways
    before = changes(one)
    assert_counts_by_itself(one, number)  # in the store, so far
    (store.stop if how == "stopped" else store.freeze)()
    try:
        assert_counts_by_itself(one, number)
        assert_counts_by_itself(other, number)
        assert (store_state(one), away(one)) == ("degraded", "1.0")
    finally:
        (store.start if how == "stopped" else store.thaw)()
    for system in (one, other):
        until(lambda system=system: store_state(system) == "ok", "the store is back")
    assert changes(one)[len(before) :] == ["rate_limit_store_lost", "rate_limit_store_back"]
    assert away(one) == "0.0"
    # a Redis that was started anew is empty, one that hung still has its counts
    assert statuses(number, one, other) == ([200] * 2 if how == "stopped" else [429] * 2)


def test_a_store_that_takes_no_connection_in_holds_nobody_up(tmp_path):
    """As behind a firewall that drops what it does not like."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as filling:
        filling.connect(full.getsockname())
        system = system_on(f"redis://127.0.0.1:{full.getsockname()[1]}", tmp_path)
        try:
            system.start()
            assert_counts_by_itself(system, 1)
            assert store_state(system) == "degraded"
        finally:
            system.kill()


def test_few_requests_wait_for_a_store_that_says_nothing(tmp_path):
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        silent.setblocking(False)
        system = system_on(f"redis://127.0.0.1:{silent.getsockname()[1]}", tmp_path)
        try:
            system.start()
            assert {ask(system, number).status_code for number in range(REQUESTS)} == {200}
            assert 1 <= len(waiting_at(silent)) < REQUESTS // 2
        finally:
            system.kill()


def waiting_at(server):
    """Return the connections that were made to a server so far."""
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(server.accept())
    return found


def test_limits_that_are_off_need_no_store(tmp_path):
    system = EmbeddedSystem(tmp_path, RATE_LIMITS="off", RATE_LIMIT_STORE="redis://127.0.0.1:9")
    try:
        system.start()
        assert "rate_limit_store" not in requests.get(f"{system.url}/readyz", timeout=30).json()["dependencies"]
    finally:
        system.kill()
