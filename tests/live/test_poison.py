"""Events that nobody can read, among healthy ones: these flow on, and each of those ends dead, with its error."""

import threading
import time

from tests.chaos import schedule
from tests.chaos.drive import Drive
from tests.chaos.injection import EventInjector
from tests.chaos.ledger import DeadEvents
from tests.support.waiting import until
from vssid.startup import listener_queues

SEED, COUNT, RATE = 20240229, 300, 20
# an empty body once ended the whole service: py-amqp passes it on as text
EMPTY = schedule.Poison(COUNT - 1, "poison-empty", "approval.on_declaration_submitted", "")


def test_one_per_cent_poison_does_not_stop_the_healthy(system, servers):
    people = system.prepare(SEED, COUNT)
    drive = Drive(system.url, system.officer(SEED), RATE)
    injector = EventInjector(servers.amqp_url, system.settings.broker_prefix)
    dead, poison = DeadEvents(system, injector), [*schedule.poison(SEED, COUNT), EMPTY]
    drive.gate.open(COUNT)
    poisoning, driving = injector.put_all(drive.gate, poison), threading.Thread(target=drive.run, args=(people,))
    driving.start()
    until(lambda: system.count("cards", "cards") == COUNT, "a card for everybody", 180)
    driving.join()
    poisoning.join()

    assert drive.lost == []
    dead.wait_for(len(poison))
    assert sorted(dead.list()) == sorted((one.queue, one.event_id) for one in poison)
    system.until_quiet()
    system.command("dead", "drop", "--yes")


def test_what_arrives_while_a_service_starts_is_acknowledged(system, servers):
    injector = EventInjector(servers.amqp_url, system.settings.broker_prefix)
    dead, queues = DeadEvents(system, injector), [one for one in listener_queues("") if one.startswith("approval.")]
    system.kill("approval")
    for place, queue in enumerate(queues):
        injector.put(schedule.Poison(0, f"early-{place}", queue, "not JSON"))
    system.start("approval")
    dead.wait_for(len(queues))
    assert sorted(queue for queue, _ in dead.list()) == sorted(queues)

    system.kill("approval")
    time.sleep(1)  # what it had not acknowledged is ready again by then
    assert injector.waiting(dead.living) == 0
    system.start("approval")
    system.until_ready("approval")
    system.command("dead", "drop", "--yes")
