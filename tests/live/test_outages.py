"""Desks and the broker go away: who needs them is told so in time, nobody else notices, and all goes on after."""

import signal
import time

import pika
import pytest
import requests

from shared.messaging import topology
from tests.support.running import until
from vssid.smoke import AGENCY
from vssid.walk import Walk

BOUND = 2.0  # seconds within which a route that needs a dead dependency says so
MACHINE = 1.0  # seconds that a busy machine may add


def answer_of(url, **options):
    began = time.monotonic()
    answer = requests.get(url, timeout=10, **options)
    return answer, time.monotonic() - began


def assert_unavailable(url, **options):
    answer, took = answer_of(url, **options)
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] == "unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    assert took < BOUND + MACHINE


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_desk_that_is_gone_takes_only_its_own_routes_along(running, how):
    running.prepare(1, 1)
    officer = running.officer(1)
    running.signal("registration", how)
    try:
        assert_unavailable(f"{running.url}/api/v1/provinces")
        assert_unavailable(f"{running.url}/api/v1/declarations/2026-0000001/form.pdf?tracking_code=ABCDEFGHJK")
        answer, _ = answer_of(f"{running.url}/api/v1/officer/reviews", headers=officer._officer)
        assert answer.status_code == 200
        answer, took = answer_of(f"{running.url}/healthz")
        assert answer.status_code == 200 and took < 0.5
    finally:
        if how is signal.SIGSTOP:
            running.signal("registration", signal.SIGCONT)
        else:
            running.processes["registration"].wait()
            running.start("registration")
    running.until_ready("registration")
    until(lambda: answer_of(f"{running.url}/api/v1/provinces")[0].ok, "the desk answers again")


@pytest.mark.parametrize("outage", ["cut", "freeze"])
def test_a_broker_that_is_gone_makes_nothing_hang_and_loses_nothing(running, outage):
    seed = 2 if outage == "cut" else 3
    person = running.prepare(seed, 1)[0]
    officer, going = running.officer(seed), Walk(running.url)
    declared = going.submit(person, AGENCY)
    getattr(running.broker, outage)()
    try:
        assert_unavailable(f"{running.url}/api/v1/provinces")
        answer, took = answer_of(f"{running.url}/healthz")
        assert answer.status_code == 200 and took < 0.5
        assert running.answers("registration", "/healthz") == 200
        if outage == "cut":
            assert running.answers("gateway", "/readyz") == 503
    finally:
        running.broker.heal()
    for name in running.processes:
        running.until_ready(name)
    Walk(running.url, as_officer=officer).approve(declared["number"])
    until(lambda: "card_issued" in going.history(declared), "the declaration goes its way to the card")
    until(lambda: sum(sms.to == person.phone for sms in running.texts.messages()) >= 2, "both SMS")
    running.until_quiet()
    assert sum(sms.to == person.phone for sms in running.texts.messages()) == 2


@pytest.mark.parametrize("name", ["gateway", "registration", "notification", "relay"])
def test_sigterm_is_obeyed_within_ten_seconds_with_the_broker_gone(running, name):
    running.broker.cut()
    try:
        until(lambda: running.answers(name, "/readyz") == 503, "the process knows that the broker is gone")
        began = time.monotonic()
        running.signal(name, signal.SIGTERM)
        running.processes[name].wait(timeout=15)
        assert time.monotonic() - began < 10
    finally:
        running.broker.heal()
        running.start(name)
    for other in running.processes:
        running.until_ready(other)


def test_a_poison_event_rests_as_dead_after_its_rounds_while_others_flow(running):
    queue = topology.queue_name(running.environment["BROKER_PREFIX"], "approval", "on_declaration_submitted")
    with pika.BlockingConnection(pika.URLParameters(running.environment["AMQP_URL"])) as connection:
        headers = {topology.ID: "poison-1", "cloudEvents:type": "declaration_submitted"}
        properties = pika.BasicProperties(headers=headers, delivery_mode=2)
        connection.channel().basic_publish("", queue, b'{"number": "no declaration at all"}', properties)
    person = running.prepare(4, 1)[0]
    going = Walk(running.url, as_officer=running.officer(4))
    declared = going.submit(person, AGENCY)
    going.approve(declared["number"])
    until(lambda: "card_issued" in going.history(declared), "a healthy declaration passes the poison")

    (line,) = until(running.dead, "the poison rests in the dead queue")
    assert "poison-1" in line and "ValidationError" in line
    assert "no declaration at all" in running.command("dead", "show", "poison-1")
    assert running.command("dead", "replay", "--id", "poison-1") == "1 events put back\n"
    until(running.dead, "the poison comes back to rest")
    assert running.command("dead", "drop", "--id", "poison-1", "--yes") == "1 events deleted\n"
    assert running.dead() == []
