"""Two SMS carriers: the first fails in the middle, everybody gets each message once, and the first is used again."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.recorders import TwilioRecorder
from tests.support.running import running_system
from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.walk import Walk

DECLARATIONS = 30
PUBLIC = "https://vssid.example"
FAULTS = {
    "stalls": lambda switch: switch.stall(120),
    "keeps them and answers too late": lambda switch: switch.late(120),
    "answers with errors": lambda switch: switch.fail(500),
}


@pytest.fixture(scope="module")
def second():
    with TwilioRecorder() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def first():
    with TwilioRecorder() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def system(servers, tmp_path_factory, first, second):
    """A system with two carriers and the time-out it ships with."""
    urls = {"SMS_URL": f"{first.url} {second.url}", "PUBLIC_URL": PUBLIC, "CARRIER_TIMEOUT": "10"}
    with running_system(servers, tmp_path_factory.mktemp("system"), **urls) as started:
        yield started


def submit_all(system, people, officer, half, meanwhile):
    """Send everybody the whole way; at half of them do something."""
    begun = threading.Semaphore(0)

    def whole_way(person):
        walk = Walk(system.url, as_officer=officer)
        declared = walk.submit(person, AGENCY)
        begun.release()
        walk.approve(declared)
        return declared

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(whole_way, person) for person in people]
        for _ in range(half):
            begun.acquire()
        meanwhile()
        return [one.result() for one in done]


@pytest.mark.parametrize(("seed", "fault"), list(enumerate(FAULTS, start=501)), ids=FAULTS)
def test_everybody_gets_each_message_once_though_the_first_carrier_fails(system, first, second, seed, fault):
    people, officer = system.prepare(seed, DECLARATIONS), system.officer(seed)
    by_second_before = len(second.messages())

    def break_the_first():
        FAULTS[fault](first.sending)
        first.looking_up.stall(120)
        # nothing the first carrier does ends the fault: the other one helps out while it lasts
        second.wait_until(lambda kept: len(kept) > by_second_before, seconds=90)

    declared = submit_all(system, people, officer, DECLARATIONS // 2, break_the_first)
    until(
        lambda: system.count("notification", "messages", "state NOT IN ('sent', 'unknown')") == 0,
        "all but those the first carrier may have went by the second",
    )
    waiting = system.count("notification", "messages", "state = 'unknown'")
    first.heal()
    phones = {person.phone for person in people}
    until(
        lambda: sum(sms.to in phones for sms in (*first.messages(), *second.messages())) >= 2 * DECLARATIONS,
        "every SMS",
    )
    system.until_quiet()

    received = Counter(sms.to for sms in (*first.messages(), *second.messages()))
    assert {person.phone: received[person.phone] for person in people} == {person.phone: 2 for person in people}
    assert set((first.counts() + second.counts()).values()) == {1}
    assert len({one["number"] for one in declared}) == DECLARATIONS
    assert system.dead() == []
    by_first, by_second = returned(system, first, second, officer, seed + 100)
    assert (by_first, by_second) == (4, 0)
    print(f"\n{fault}: {waiting} messages waited for the first carrier")


def returned(system, first, second, officer, seed):
    """Let people declare until the first carrier is used again; return how many of the next four SMS each sent."""
    people = iter(system.prepare(seed, 60))

    def declare():
        person, walk = next(people), Walk(system.url, as_officer=officer)
        walk.approve(walk.submit(person, AGENCY))
        both = lambda: [sms for sms in (*first.messages(), *second.messages()) if sms.to == person.phone]  # noqa: E731
        until(lambda: len(both()) >= 2, "both SMS")
        system.until_quiet()

    def is_back():
        before = len(first.messages())
        declare()
        return len(first.messages()) == before + 2

    until(is_back, "the first carrier has messages again")
    counts = len(first.messages()), len(second.messages())
    declare()
    declare()
    return len(first.messages()) - counts[0], len(second.messages()) - counts[1]


def test_a_dossier_comes_without_its_messages_while_nobody_can_list_them(system, first):
    person, officer = system.prepare(590, 1)[0], system.officer(590)
    declared = Walk(system.url).submit(person, AGENCY)
    system.until_quiet()
    review = f"{system.url}/api/v1/officer/reviews/{declared['number']}"

    def dossier():
        answer = requests.get(review, headers=officer.officer_headers, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    until(lambda: requests.get(review, headers=officer.officer_headers, timeout=10).ok, "the review opens")
    sms = next(one for one in first.messages() if one.to == person.phone)
    assert first.call_back(sms, "delivered", to=system.url).status_code == 204
    assert [(one["channel"], one["state"], one["delivery"]) for one in dossier()["messages"]] == [
        ("sms", "sent", "delivered"),
        ("mail", "sent", None),
    ]
    system.kill("notification")
    assert dossier()["messages"] is None
    answer = first.call_back(sms, "delivered", to=system.url)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    system.start("notification")
    system.until_ready("notification")
    until(lambda: dossier()["messages"], "the dossier shows them again")
