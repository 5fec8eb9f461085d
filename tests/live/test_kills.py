"""Processes die at any moment: nothing is lost, and nobody gets a message twice."""

import os
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.walk import Walk

DECLARATIONS = int(os.environ.get("LIVE_N", "100"))
VICTIMS = ("approval", "registration", "notification", "relay")
SEED = 20201116
IN_THE_START = 0.1  # share of the processes found starting that are killed all the same
PARALLEL = 6


def test_nothing_is_lost_and_no_message_sent_twice_while_processes_are_killed(system):
    people = system.prepare(SEED, DECLARATIONS)
    officer, over, kills = system.officer(SEED), threading.Event(), Counter()

    def kill_at_random():
        chance = random.Random(SEED)
        while not over.wait(chance.uniform(0.5, 2.0)):
            victim = chance.choice(VICTIMS)
            # most are let come up first: where a start takes long, nothing would ever be served
            if system.answers(victim, "/readyz") == 200 or chance.random() < IN_THE_START:
                system.restart(victim)
                kills[victim] += 1

    def whole_way(person):
        walk = Walk(system.url, as_officer=officer)
        declared = walk.submit(person, AGENCY)
        walk.approve(declared)
        return declared

    killer = threading.Thread(target=kill_at_random)
    killer.start()
    try:
        with ThreadPoolExecutor(PARALLEL) as pool:
            declared = list(pool.map(whole_way, people))
    finally:
        over.set()
        killer.join()

    assert set(kills) == set(VICTIMS), f"too short a run to kill everybody: {kills}"
    until(lambda: system.count("cards", "cards") >= DECLARATIONS, "a card for everybody", 180)
    for recorder in (system.texts, system.mails):
        until(lambda kept=recorder: len(kept.messages()) >= 2 * DECLARATIONS, "two messages for everybody", 180)
    system.until_quiet()
    assert len({one["number"] for one in declared}) == DECLARATIONS
    assert system.count("registration", "declarations", "status = 'approved'") == DECLARATIONS
    assert system.count("registration", "accounts") == DECLARATIONS
    assert system.count("cards", "cards") == DECLARATIONS
    assert system.dead() == []
    texted = Counter(sms.to for sms in system.texts.messages())
    assert texted == {person.phone: 2 for person in people}
    written = Counter(mail.recipients[0] for mail in system.mails.messages())
    assert written == {person.email: 2 for person in people}
    assert set(system.texts.counts().values()) == {1}
    print(f"\n{DECLARATIONS} declarations, kills: {dict(kills)}")
