"""Services and the broker fail: what needs them answers 503, nothing else notices, and work goes on afterwards."""

import json
import re
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pika
import pytest
import requests

from shared.language.clock import utc_now
from shared.logs import LIBRARY_WARNED
from shared.messaging import codec, topology
from shared.messaging.dead_letters import RabbitMqDeadLetters
from shared.messaging.declarations import blocking_channel
from tests.support.documents import documented_log_events
from tests.support.events import declaration_submitted
from tests.support.processes import STOPS_WITHIN
from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.walk import Walk

HANGS_AFTER = 30.0  # seconds; the gateway gives up on a dependency long before


def answer_of(url, **options):
    return requests.get(url, timeout=HANGS_AFTER, **options)


def assert_unavailable(url, **options):
    answer = answer_of(url, **options)
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] == "unavailable"
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_service_that_fails_takes_only_its_own_routes_along(system, how):
    system.prepare(1, 1)
    officer = system.officer(1)
    system.signal("registration", how)
    try:
        assert_unavailable(f"{system.url}/api/v1/provinces")
        assert_unavailable(f"{system.url}/api/v1/declarations/2026-0000001/form.pdf?tracking_code=ABCDEFGHJK")
        assert answer_of(f"{system.url}/api/v1/officer/reviews", headers=officer.officer_headers).status_code == 200
        assert answer_of(f"{system.url}/healthz").status_code == 200
    finally:
        if how is signal.SIGSTOP:
            system.signal("registration", signal.SIGCONT)
        else:
            system.processes["registration"].wait()
            system.start("registration")
    system.until_ready("registration")
    until(lambda: answer_of(f"{system.url}/api/v1/provinces").ok, "the service answers again")


@pytest.mark.parametrize("outage", ["cut", "freeze"])
def test_a_broker_that_fails_makes_nothing_hang_and_loses_nothing(system, outage):
    seed = 2 if outage == "cut" else 3
    person = system.prepare(seed, 1)[0]
    officer, walk = system.officer(seed), Walk(system.url)
    declared = walk.submit(person, AGENCY)
    getattr(system.broker, outage)()
    try:
        assert_unavailable(f"{system.url}/api/v1/provinces")
        assert answer_of(f"{system.url}/healthz").status_code == 200
        assert system.answers("registration", "/healthz") == 200
        if outage == "cut":
            assert system.answers("gateway", "/readyz") == 503
    finally:
        system.broker.heal()
    for name in system.processes:
        system.until_ready(name)
    Walk(system.url, as_officer=officer).approve(declared)
    until(lambda: "card_issued" in walk.history(declared), "the card is issued")
    until(lambda: sum(sms.to == person.phone for sms in system.texts.messages()) >= 2, "both SMS")
    system.until_quiet()
    assert sum(sms.to == person.phone for sms in system.texts.messages()) == 2


@pytest.mark.parametrize("name", ["gateway", "registration", "notification", "relay"])
def test_sigterm_ends_a_process_without_an_error_though_the_broker_does_not_answer(system, name):
    system.broker.cut()
    try:
        until(lambda: system.answers(name, "/readyz") == 503, "the process knows that the broker does not answer")
        system.signal(name, signal.SIGTERM)
        assert system.processes[name].wait(STOPS_WITHIN) == 0
    finally:
        system.broker.heal()
        system.start(name)
    for other in system.processes:
        system.until_ready(other)


def test_nobody_notices_that_the_database_was_restarted(system):
    """Connections that idled meanwhile are dead; each would cost somebody a 503 at its first use."""
    system.prepare(5, 1)
    officer, nobody = system.officer(5), "/api/v1/declarations/2026-0000000"

    def statuses():
        queue = [answer_of(f"{system.url}/api/v1/officer/reviews", headers=officer.officer_headers) for _ in range(8)]
        missing = [answer_of(f"{system.url}{nobody}?tracking_code=ABCDEFGHJK") for _ in range(8)]
        return {answer.status_code for answer in queue}, {answer.status_code for answer in missing}

    assert statuses() == ({200}, {404})
    system.until_quiet()
    system.database.cut()
    system.database.heal()
    assert statuses() == ({200}, {404})


def test_the_relay_holds_no_more_descriptors_after_many_failures(system):
    """Each connection that is lost, to the broker or the database, gives back what it held."""

    def descriptors():
        return len(list(Path(f"/proc/{system.processes['relay'].pid}/fd").iterdir()))

    before = descriptors()
    for server in (system.database, system.broker) * 5:
        server.cut()
        until(lambda: system.answers("relay", "/readyz") == 503, "the relay knows that a server does not answer")
        server.heal()
        system.until_ready("relay")
    until(lambda: descriptors() <= before + 4, f"no more descriptors than the {before} before")
    for name in system.processes:
        system.until_ready(name)


def test_a_poison_event_is_dead_after_its_last_attempt_while_others_flow(system):
    queue = topology.queue_name(system.environment["BROKER_PREFIX"], "approval", "on_declaration_submitted")
    with pika.BlockingConnection(pika.URLParameters(system.environment["AMQP_URL"])) as connection:
        headers = {topology.ID: "poison-1", topology.TYPE: "declaration_submitted", topology.ATTEMPT: "many"}
        properties = pika.BasicProperties(headers=headers, delivery_mode=2)
        connection.channel().basic_publish("", queue, b'{"number": "no declaration at all"}', properties)
    person = system.prepare(4, 1)[0]
    walk = Walk(system.url, as_officer=system.officer(4))
    declared = walk.submit(person, AGENCY)
    walk.approve(declared)
    until(lambda: "card_issued" in walk.history(declared), "a healthy declaration passes the poison")

    (line,) = until(system.dead, "the poison is in the dead queue")
    assert "poison-1" in line and "ValidationError" in line
    assert "no declaration at all" in system.command("dead", "show", "poison-1")
    counted = RabbitMqDeadLetters(system.settings, [queue]).counts()
    assert counted[queue][0] == 1 and utc_now() - counted[queue][1] < timedelta(minutes=5)
    measured = answer_of(f"http://127.0.0.1:{system.ports['relay']}/metrics").text
    assert f'vssid_dead_events{{queue="{queue}"}} ' in measured
    assert f'vssid_dead_events_oldest_seconds{{queue="{queue}"}} ' in measured
    assert system.command("dead", "replay", "--id", "poison-1") == "1 events put back\n"
    until(system.dead, "the poison is dead again")
    assert system.command("dead", "drop", "--id", "poison-1", "--yes") == "1 events deleted\n"
    assert system.dead() == []


def test_every_line_of_every_log_is_an_event_of_ours_also_in_an_outage(system):
    """What libraries write about it is not among them: `"level":"error"` finds what an operator has to look at."""
    marks = {name: system.log_of(name).stat().st_size for name in system.processes}
    for server in (system.broker, system.database):
        server.cut()
        until(lambda: system.answers("relay", "/readyz") == 503, "the relay knows that a server does not answer")
        until(lambda: system.answers("registration", "/readyz") == 503, "and so does a service")
        server.heal()
        for name in system.processes:
            system.until_ready(name)

    written = {name: system.log_of(name).read_text("utf-8").splitlines() for name in system.processes}
    lines = [json.loads(line) for one in written.values() for line in one]
    assert {line["event"] for line in lines} - documented_log_events() == set()
    assert [line for line in lines if line["event"] == LIBRARY_WARNED] == []
    during = [
        json.loads(line)
        for name, mark in marks.items()
        for line in system.log_of(name).read_bytes()[mark:].decode().splitlines()
    ]
    assert {"relay_waits", "broker_lost", "timer_waits"} <= {line["event"] for line in during}
    assert {line["level"] for line in during if line["service"] == "relay"} == {"info", "warning"}


def test_an_event_that_the_database_keeps_from_being_done_waits_without_a_traceback(system):
    (person,) = system.prepare(6, 1)
    mark = system.log_of("approval").stat().st_size
    queue = topology.queue_name(system.settings.broker_prefix, "approval", "on_declaration_submitted")
    event = declaration_submitted(insurance_code=person.insurance_code, declaration_id="waits-1", number="2026-0999999")
    system.database.cut()
    try:
        with blocking_channel(replace(system.settings, amqp_url=system.broker_url)) as channel:
            properties = pika.BasicProperties(message_id="waits-1", headers={topology.ID: "waits-1"})
            channel.basic_publish("", queue, codec.encode(event).encode(), properties, mandatory=True)
        with system.log_of("approval").open() as log:
            log.seek(mark)
            waited = until(lambda: [one for one in map(json.loads, log) if one["event"] == "event_waits"], "it waits")
    finally:
        system.database.heal()
    assert (waited[0]["level"], waited[0]["dependency"], waited[0]["event_id"]) == ("warning", "database", "waits-1")
    assert "exception" not in waited[0] and waited[0]["reason"]
    until(lambda: system.count("approval", "reviews", "declaration_id = 'waits-1'") == 1, "it is done afterwards")


def test_a_relay_that_the_broker_turns_away_says_who_did_and_nothing_else(system):
    """A wrong password: RabbitMQ closes the connection in the middle of the handshake."""
    strangers = re.sub(r"//[^@]*@", "//nobody:mat-khau@", system.environment["AMQP_URL"])
    as_before = system.environment_of
    system.environment_of = lambda _: {**system.environment, "AMQP_URL": strangers}
    try:
        system.start("relay.2")
        until(lambda: "relay_waits" in system.log_of("relay.2").read_text("utf-8"), "the relay waits for the broker")
        system.kill("relay.2")
    finally:
        system.environment_of = as_before
        del system.processes["relay.2"]
    lines = [json.loads(line) for line in system.log_of("relay.2").read_text("utf-8").splitlines()]
    assert {line["event"] for line in lines} <= {"started", "relay_state", "relay_waits", "dead_events_not_swept"}
    waits = [line["reason"] for line in lines if line["event"] == "relay_waits"]
    assert all(f"127.0.0.1:{system.broker.port}" in one and "mat-khau" not in one for one in waits)
