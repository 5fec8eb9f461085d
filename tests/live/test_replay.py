"""Events that RabbitMQ lost in part are announced again by hand."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.language.clock import VIETNAM, utc_now
from shared.messaging.declarations import blocking_channel
from tests.support.running import RunningSystem
from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.startup import STATEFUL, event_queues
from vssid.walk import Walk

SEED = 20261201


def purge(system, service):
    """Empty the queues of a service, and nobody else's."""
    with blocking_channel(replace(system.settings, amqp_url=system.broker_url)) as channel:
        queues = [one.name for one in event_queues(system.settings) if one.service == service]
        return sum(channel.queue_purge(name).method.message_count for name in queues)


def since(minutes):
    return (utc_now().astimezone(VIETNAM) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M")


def test_what_a_queue_lost_is_announced_again(system):
    (person,) = system.prepare(SEED, 1)
    walk = Walk(system.url, as_officer=system.officer(SEED))
    system.kill("notification")
    declared = walk.submit(person, AGENCY)
    walk.approve(declared)
    until(lambda: "card_issued" in walk.history(declared), "the card")
    until(lambda: not any(system.count(one, "outbox") for one in STATEFUL), "RabbitMQ has it")
    assert purge(system, "notification") > 0

    said = system.command("outbox", "replay", "--since", since(minutes=10)).splitlines()
    assert [line.partition(":")[0] for line in said] == list(STATEFUL)
    assert int(said[0].split()[1]) > 0
    system.start("notification")
    system.until_ready("notification")
    until(lambda: told(system, person) == (2, 2), "everything is told")
    system.until_quiet()
    assert told(system, person) == (2, 2), "and nothing twice"
    assert system.count("cards", "cards", f"insurance_code = '{person.insurance_code}'") == 1
    assert system.dead() == []


def told(system, person):
    """Return how many SMS and mails a person got."""
    return (
        sum(one.to == person.phone for one in system.texts.messages()),
        sum(person.email in one.recipients for one in system.mails.messages()),
    )


def test_what_was_announced_earlier_and_by_others_stays(system):
    until(lambda: not any(system.count(one, "outbox") for one in STATEFUL), "RabbitMQ has it")
    kept = [system.count(one, "announced") for one in STATEFUL]
    assert system.command("outbox", "replay", "--since", since(minutes=-10)) == "".join(
        f"{one}: 0 events\n" for one in STATEFUL
    )
    assert (
        system.command("outbox", "replay", "--since", since(minutes=-10), "--service", "cards") == "cards: 0 events\n"
    )
    assert [system.count(one, "announced") for one in STATEFUL] == kept


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01T00:00", ""])
def test_a_time_that_is_none_is_refused(system, moment):
    with pytest.raises(AssertionError, match="Invalid value for '--since'"):
        system.command("outbox", "replay", "--since", moment)


def test_the_embedded_system_has_nothing_to_announce_again(system, tmp_path):
    embedded = RunningSystem({**system.environment, "AMQP_URL": "", "DATABASE_URL": ""}, "", tmp_path)
    with pytest.raises(AssertionError, match="the embedded system has no broker that could lose events"):
        embedded.command("outbox", "replay", "--since", since(minutes=10))
