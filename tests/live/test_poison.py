"""Events that nobody can read, among healthy ones: these flow on, and each of those rests with its error."""

import threading
import time

from tests.chaos import schedule
from tests.chaos.drive import Drive
from tests.chaos.ledger import Dead
from tests.chaos.letters import Letters
from tests.support.running import until
from vssid.documents import listener_queues

SEED, COUNT, RATE = 20240229, 300, 20
# an empty body once ended the whole desk: py-amqp hands it over as text
EMPTY = schedule.Poison(COUNT - 1, "poison-empty", "approval.on_declaration_submitted", "")
STANDSTILL = 30.0  # seconds without a single card that no busy machine explains


def test_one_per_cent_poison_does_not_stop_the_healthy(running, servers):
    people = running.prepare(SEED, COUNT)
    drive = Drive(running.url, running.officer(SEED), RATE)
    letters = Letters(servers.amqp_url, running.settings.broker_prefix)
    dead, poison = Dead(running, letters), [*schedule.poison(SEED, COUNT), EMPTY]
    drive.gate.open(COUNT)
    poisoning, driving = letters.put_all(drive.gate, poison), threading.Thread(target=drive.run, args=(people,))
    driving.start()
    assert longest_standstill(running) < STANDSTILL
    driving.join()
    poisoning.join()

    assert drive.lost == []
    dead.wait_for(len(poison))
    assert sorted(dead.list()) == sorted((one.queue, one.event_id) for one in poison)
    running.until_quiet()
    assert running.count("cards", "cards") == COUNT
    running.command("dead", "drop", "--yes")


def test_what_arrives_while_a_desk_opens_is_acknowledged(running, servers):
    letters = Letters(servers.amqp_url, running.settings.broker_prefix)
    dead, queues = Dead(running, letters), [one for one in listener_queues("") if one.startswith("approval.")]
    running.kill("approval")
    for place, queue in enumerate(queues):
        letters.put(schedule.Poison(0, f"early-{place}", queue, "not JSON"))
    running.start("approval")
    dead.wait_for(len(queues))
    assert sorted(queue for queue, _ in dead.list()) == sorted(queues)

    running.kill("approval")
    time.sleep(1)  # what it had not acknowledged is ready again by then
    assert letters.waiting(dead.living) == 0
    running.start("approval")
    running.until_ready("approval")
    running.command("dead", "drop", "--yes")


def longest_standstill(here):
    """Wait until everybody has his card; return the longest time in which nobody got one."""
    longest, since, seen = 0.0, time.monotonic(), 0

    def is_done():
        nonlocal longest, since, seen
        cards = here.count("cards", "cards")
        longest = max(longest, time.monotonic() - since)
        if cards > seen:
            seen, since = cards, time.monotonic()
        return cards == COUNT

    until(is_done, "a card for everybody", 180)
    return longest
