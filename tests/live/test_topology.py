"""Nothing is lost where queues are missing: a service that never ran, a broker that lost its volume."""

from dataclasses import replace

import pytest

from shared.messaging.declarations import blocking_channel
from tests.support.running import running_system
from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.startup import event_queues
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
        for exchange in {binding.exchange for queue in queues for binding in queue.bindings}:
            channel.exchange_delete(exchange)
    system.broker.heal()


def test_a_declaration_reaches_services_that_start_for_the_first_time_after_it(system, servers):
    (before, after) = system.prepare(SEED, 2)
    declared = [Walk(system.url).submit(before, AGENCY)]
    lose_volume(system, servers)
    declared.append(Walk(system.url).submit(after, AGENCY))
    until(lambda: system.count("registration", "outbox") == 0, "the outbox is carried")

    for name in LATER:
        system.start(name)
    for name in LATER:
        system.until_ready(name)
    number = declared[1]["number"]
    until(lambda: system.count("approval", "reviews", f"number = '{number}'") == 1, "the review is open")
    until(lambda: after.phone in {sms.to for sms in system.texts.messages()}, "the applicant is told")
    assert system.dead() == []
