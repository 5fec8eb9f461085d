"""Nothing is lost where queues are missing: a service that never ran, a broker that lost its volume."""

from dataclasses import replace

import pytest

from shared.language.events import DeclarationSubmitted
from shared.messaging import topology
from shared.messaging.declarations import blocking_channel
from tests.support.running import running_system
from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.walk import Walk

SEED = 20230901
FIRST, LATER = ("registration", "gateway", "relay"), ("approval", "notification", "cards")


@pytest.fixture(scope="module")
def system(servers, tmp_path_factory):
    """The services that take declarations, alone; the others have never run."""
    with running_system(servers, tmp_path_factory.mktemp("system"), FIRST) as started:
        yield started


def test_a_declaration_reaches_services_that_start_for_the_first_time_after_it(system):
    (before, after, last) = system.prepare(SEED, 3)
    declared = [Walk(system.url).submit(before, AGENCY)]
    until(lambda: system.count("registration", "outbox") == 0, "RabbitMQ has it, and nobody has heard it")
    system.lose_volume()
    waiting = bind_as_version_01_did(system)
    declared.append(Walk(system.url).submit(after, AGENCY))
    until(lambda: system.count("registration", "outbox") == 0, "the outbox is carried")
    assert waiting() == 1, "as it is, an event waits for a listener that is retired now"
    system.command("migrate")
    declared.append(Walk(system.url).submit(last, AGENCY))
    until(lambda: system.count("registration", "outbox") == 0, "the outbox is carried")
    assert waiting() == 1, "nothing new gets there, and what was there stays"

    for name in LATER:
        system.start(name)
    for name in LATER:
        system.until_ready(name)
    numbers = sorted((one["number"],) for one in declared)
    until(lambda: sorted(system.rows("approval", "SELECT number FROM reviews")) == numbers, "the reviews are open")
    until(lambda: waiting() == 0, "what waited is heard")
    system.until_quiet()
    told = sorted([before.phone, after.phone, last.phone])
    assert sorted(sms.to for sms in system.texts.messages()) == told, "each applicant is told once"
    assert '"events_announced_again"' in system.log_of("relay").read_text("utf-8")


def bind_as_version_01_did(system):
    """Bind the queue of a listener that is retired; return a function that counts what waits there."""
    prefix = system.settings.broker_prefix
    queue = topology.queue_name(prefix, "notification", "on_declaration_submitted")
    exchange = topology.exchange_name(prefix, DeclarationSubmitted.speaker)
    broker = replace(system.settings, amqp_url=system.broker_url)
    until(lambda: system.log_of("relay").read_text("utf-8").count('"events_announced_again"') == 1, "the relay is back")
    with blocking_channel(broker) as channel:
        channel.queue_bind(queue, exchange, DeclarationSubmitted.name)

    def waiting():
        with blocking_channel(broker) as channel:
            return channel.queue_declare(queue, passive=True).method.message_count

    return waiting


def test_a_broker_that_lost_its_volume_after_all_was_heard_changes_nothing(system):
    """Everything is announced again, and everybody has heard it already."""
    system.until_quiet()
    before = system.rows("approval", "SELECT number, status, version FROM reviews"), len(system.texts.messages())
    system.lose_volume()
    again = '"events_announced_again"'
    until(lambda: system.log_of("relay").read_text("utf-8").count(again) >= 2, "the relay announces again")
    for name in (*FIRST, *LATER):
        system.until_ready(name)
    system.until_quiet()
    assert (
        system.rows("approval", "SELECT number, status, version FROM reviews"),
        len(system.texts.messages()),
    ) == before
    assert system.dead() == []
