"""`vssid dead …` on the embedded broker's file and on a real RabbitMQ."""

import json
from dataclasses import replace

import pika
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from shared.language.clock import utc_now
from shared.messaging import topology
from shared.messaging.dead_letters import RabbitMqDeadLetters
from shared.messaging.declarations import blocking_channel, declare
from shared.messaging.embedded import deliveries, open_file
from tests.support.servers import fresh_prefix
from vssid.dead import dead
from vssid.startup import event_queues

FAILED = {
    topology.TYPE: "declaration_approved",
    topology.ERROR: "Unavailable: unavailable",
    topology.FAILED_AT: "2026-08-03T09:00:00.250000+07:00",
}
SUBMITTED, APPROVED = "approval.on_declaration_submitted", "registration.on_declaration_approved"
EVENTS = [(SUBMITTED, "event-1", {}), (APPROVED, "event-2", FAILED), (APPROVED, "event-3", FAILED)]


class Embedded:
    prefix = ""

    def __init__(self, settings):
        file = open_file(settings)
        with file.begin() as session:
            for queue, event_id, headers in EVENTS:
                row = {"queue": queue, "headers": {topology.ID: event_id, **headers}, "body": "{}", "dead": True}
                session.execute(sa.insert(deliveries), row | {"due_at": utc_now()})
        file.engine.dispose()


class OnRabbitMq:
    def __init__(self, settings):
        self.prefix = settings.broker_prefix
        with blocking_channel(settings) as channel:
            for queue, event_id, headers in EVENTS:
                publish(channel, settings, queue, event_id, headers)


def publish(channel, settings, queue, event_id, headers):
    properties = pika.BasicProperties(headers={topology.ID: event_id, **headers}, delivery_mode=2)
    channel.basic_publish("", topology.dead_name(settings.broker_prefix + queue), b"{}", properties, mandatory=True)


@pytest.fixture
def rabbitmq(settings, servers):
    """Settings of a RabbitMQ with the queues of two listeners and their dead queues."""
    used = replace(settings, amqp_url=servers.amqp_url, broker_prefix=fresh_prefix())
    names = {used.broker_prefix + queue for queue in (SUBMITTED, APPROVED)}
    queues = [one for one in event_queues(used) if one.name.removesuffix(".dead") in names]
    with blocking_channel(used) as channel:
        declare(channel, queues)
    yield used
    with blocking_channel(used) as channel:
        for queue in queues:
            channel.queue_delete(queue.name)
        for exchange in {binding.exchange for queue in queues for binding in queue.bindings}:
            channel.exchange_delete(exchange)


@pytest.fixture(params=[Embedded, OnRabbitMq], ids=["embedded", "rabbitmq"])
def broker(request, monkeypatch):
    """A broker with three dead events; the environment names it."""
    on_server = request.param is OnRabbitMq
    settings = request.getfixturevalue("rabbitmq" if on_server else "settings")
    for name in ("var_dir", "amqp_url", "broker_prefix"):
        monkeypatch.setenv(name.upper(), getattr(settings, name))
    return request.param(settings)


def run(*words):
    done = CliRunner().invoke(dead, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def listed():
    status, said, _ = run("list", "--json")
    assert status == 0
    return [json.loads(line) for line in said.splitlines()]


def ids():
    return sorted(row["event_id"] for row in listed())


def test_dead_events_are_listed_for_people_and_for_programs(broker):
    known = {
        "type": "declaration_approved",
        "error": "Unavailable: unavailable",
        "failed_at": "2026-08-03T02:00:00.250Z",
    }
    parked = {"type": None, "error": "parked after too many deliveries", "failed_at": None}
    rows = [
        {"queue": broker.prefix + SUBMITTED, "event_id": "event-1", **parked},
        {"queue": broker.prefix + APPROVED, "event_id": "event-2", **known},
        {"queue": broker.prefix + APPROVED, "event_id": "event-3", **known},
    ]
    assert sorted(listed(), key=lambda row: row["event_id"]) == rows
    lines = sorted(run("list")[1].splitlines(), key=lambda line: line.split()[1])
    assert lines == ["  ".join(value or "-" for value in row.values()) for row in rows]


@pytest.mark.parametrize("verb", [["replay"], ["drop", "--yes"]])
@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--id", "event-9"], "with the id event-9"),
        (["--id", ""], "with the id "),
        (["--queue", "nowhere"], "in the queue nowhere"),
        (["--queue", ""], "in the queue "),
        (["--id", "event-1", "--queue", "nowhere"], "with the id event-1 in the queue nowhere"),
    ],
)
def test_an_event_that_is_not_among_the_dead_is_named_and_the_others_stay(broker, verb, options, named):
    said = f"Error: there is no dead event {named}; `vssid dead list` shows all\n"
    assert run(*verb, *options) == (1, "", said)
    assert ids() == ["event-1", "event-2", "event-3"]


def test_an_event_that_is_not_among_the_dead_is_not_shown(broker):
    said = "Error: there is no dead event with the id event-9; `vssid dead list` shows all\n"
    assert run("show", "event-9") == (1, "", said)
    assert json.loads(run("show", "event-1")[1])["event_id"] == "event-1"


def test_one_event_a_queue_or_all_are_replayed_or_dropped(broker):
    assert run("replay", "--id", "event-2") == (0, "1 events put back\n", "")
    assert run("drop", "--queue", broker.prefix + APPROVED, "--yes") == (0, "1 events deleted\n", "")
    assert ids() == ["event-1"]
    assert run("replay") == (0, "1 events put back\n", "")
    assert (run("replay"), run("drop", "--yes")) == ((0, "0 events put back\n", ""), (0, "0 events deleted\n", ""))


def test_an_event_that_somebody_else_looks_at_is_not_missed(rabbitmq):
    """The relay looks at the first dead event of each queue once a minute, and the broker hides it meanwhile."""
    looking, found = pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)), []
    with blocking_channel(rabbitmq) as channel:
        publish(channel, rabbitmq, SUBMITTED, "held", {})
        publish(channel, rabbitmq, APPROVED, "other", {})
    method, _, _ = looking.channel().basic_get(topology.dead_name(rabbitmq.broker_prefix + SUBMITTED))
    assert method is not None

    def choose(event):
        found.append(event.event_id)
        if looking.is_open:
            looking.close()  # between the first look and the second
        return True

    queues = [rabbitmq.broker_prefix + queue for queue in (SUBMITTED, APPROVED)]
    assert RabbitMqDeadLetters(rabbitmq, queues).replay(choose) == 2
    assert found == ["other", "held"]


def test_who_counts_the_dead_puts_each_back_where_it_was(rabbitmq):
    queue = rabbitmq.broker_prefix + APPROVED
    dead_letters = RabbitMqDeadLetters(rabbitmq, [queue])
    with blocking_channel(rabbitmq) as channel:
        for event_id in ("event-1", "event-2"):
            publish(channel, rabbitmq, APPROVED, event_id, FAILED)
    for _ in range(3):
        ((count, oldest),) = dead_letters.counts().values()
        assert (count, oldest.isoformat()) == (2, FAILED[topology.FAILED_AT])
    assert [event.event_id for event in dead_letters.all()] == ["event-1", "event-2"]
