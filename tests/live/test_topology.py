"""Nothing is lost where queues are missing: a service that never ran, a broker that lost its volume."""

from dataclasses import replace

import pytest

from shared.messaging import topology
from shared.messaging.declarations import blocking_channel
from tests.support.running import running_system
from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.startup import STATEFUL, event_queues
from vssid.walk import Walk

SEED = 20230901
FIRST, LATER = ("registration", "gateway", "relay"), ("approval", "notification", "cards")


@pytest.fixture(scope="module")
def system(servers, tmp_path_factory):
    """The services that take declarations, alone; the others have never run."""
    with running_system(servers, tmp_path_factory.mktemp("system"), FIRST) as started:
        yield started


def lose_volume(system, servers):
    """Take the broker away, delete every queue and exchange of events, and bring it back."""
    queues = event_queues(system.settings)
    system.broker.cut()
    with blocking_channel(replace(system.settings, amqp_url=servers.amqp_url)) as channel:
        for queue in queues:
            channel.queue_delete(queue.name)
        known = {topology.volume_name(system.settings.broker_prefix, service) for service in STATEFUL}
        for exchange in {binding.exchange for queue in queues for binding in queue.bindings} | known:
            channel.exchange_delete(exchange)
    system.broker.heal()


def test_a_declaration_reaches_services_that_start_for_the_first_time_after_it(system, servers):
    (before, after) = system.prepare(SEED, 2)
    declared = [Walk(system.url).submit(before, AGENCY)]
    until(lambda: system.count("registration", "outbox") == 0, "RabbitMQ has it, and nobody has heard it")
    lose_volume(system, servers)
    declared.append(Walk(system.url).submit(after, AGENCY))
    until(lambda: system.count("registration", "outbox") == 0, "the outbox is carried")

    for name in LATER:
        system.start(name)
    for name in LATER:
        system.until_ready(name)
    numbers = sorted((one["number"],) for one in declared)
    until(lambda: sorted(system.rows("approval", "SELECT number FROM reviews")) == numbers, "both reviews are open")
    told = sorted([before.phone, after.phone])
    until(lambda: sorted(sms.to for sms in system.texts.messages()) == told, "both applicants are told")
    assert '"events_announced_again"' in system.log_of("relay").read_text("utf-8")


def test_a_broker_that_lost_its_volume_after_all_was_heard_changes_nothing(system, servers):
    """Everything is announced again, and everybody has heard it already."""
    system.until_quiet()
    before = system.rows("approval", "SELECT number, status, version FROM reviews"), len(system.texts.messages())
    lose_volume(system, servers)
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
