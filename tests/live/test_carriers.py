"""Two SMS carriers on a real town: the first one fails in the middle, everybody is told once, and it comes back."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.recorders import TwilioRecorder
from tests.support.running import town, until
from vssid.smoke import AGENCY
from vssid.walk import Walk

DECLARATIONS = 30
BOUND = 10.0  # seconds within which another carrier helps out
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
def running(servers, tmp_path_factory, first, second):
    """A town with two carriers and the time-out it ships with."""
    urls = {"SMS_URL": f"{first.url} {second.url}", "PUBLIC_URL": PUBLIC, "CARRIER_TIMEOUT": "10"}
    with town(servers, tmp_path_factory.mktemp("town"), **urls) as here:
        yield here


def submit_all(running, people, officer, half, meanwhile):
    """Send everybody the whole way; at half of them do something."""
    begun = threading.Semaphore(0)

    def whole_way(person):
        going = Walk(running.url, as_officer=officer)
        declared = going.submit(person, AGENCY)
        begun.release()
        going.approve(declared["number"])
        return declared

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(whole_way, person) for person in people]
        for _ in range(half):
            begun.acquire()
        meanwhile()
        return [one.result() for one in done]


@pytest.mark.parametrize(("seed", "fault"), list(enumerate(FAULTS, start=501)), ids=FAULTS)
def test_everybody_is_told_once_though_the_first_carrier_fails_in_the_middle(running, first, second, seed, fault):
    people, officer = running.prepare(seed, DECLARATIONS), running.officer(seed)
    helped_out_before = len(second.messages())
    failing, helped_out = 0.0, 0.0

    def break_the_first():
        nonlocal failing, helped_out
        FAULTS[fault](first.sending)
        first.looking_up.stall(120)
        failing = time.monotonic()
        second.wait_until(lambda kept: len(kept) > helped_out_before, seconds=60)
        helped_out = time.monotonic()

    declared = submit_all(running, people, officer, DECLARATIONS // 2, break_the_first)
    assert helped_out - failing < BOUND
    until(
        lambda: running.count("notification", "messages", "state NOT IN ('sent', 'unknown')") == 0,
        "all but those the first carrier may have went by the second",
    )
    waiting = running.count("notification", "messages", "state = 'unknown'")
    first.heal()
    phones = {person.phone for person in people}
    until(
        lambda: sum(sms.to in phones for sms in (*first.messages(), *second.messages())) >= 2 * DECLARATIONS,
        "every SMS",
    )
    running.until_quiet()

    told = Counter(sms.to for sms in (*first.messages(), *second.messages()))
    assert {person.phone: told[person.phone] for person in people} == {person.phone: 2 for person in people}
    assert set((first.counts() + second.counts()).values()) == {1}
    assert len({one["number"] for one in declared}) == DECLARATIONS
    assert running.dead() == []
    by_first, by_second = returned(running, first, second, officer, seed + 100)
    assert (by_first, by_second) == (4, 0)
    print(f"\n{fault}: another carrier after {helped_out - failing:.1f} s; {waiting} messages waited for the first")


def returned(running, first, second, officer, seed):
    """Let people come until the first carrier has one again; return who told the next two, twice each."""
    people = iter(running.prepare(seed, 60))

    def come():
        person, going = next(people), Walk(running.url, as_officer=officer)
        going.approve(going.submit(person, AGENCY)["number"])
        both = lambda: [sms for sms in (*first.messages(), *second.messages()) if sms.to == person.phone]  # noqa: E731
        until(lambda: len(both()) >= 2, "both SMS")
        running.until_quiet()

    def is_back():
        before = len(first.messages())
        come()
        return len(first.messages()) == before + 2

    until(is_back, "the first carrier has messages again")
    counts = len(first.messages()), len(second.messages())
    come()
    come()
    return len(first.messages()) - counts[0], len(second.messages()) - counts[1]


def test_a_dossier_comes_without_its_messages_while_nobody_can_list_them(running, first):
    person, officer = running.prepare(590, 1)[0], running.officer(590)
    declared = Walk(running.url).submit(person, AGENCY)
    running.until_quiet()
    review = f"{running.url}/api/v1/officer/reviews/{declared['number']}"

    def dossier():
        answer = requests.get(review, headers=officer._officer, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    until(lambda: requests.get(review, headers=officer._officer, timeout=10).ok, "the review opens")
    sms = next(one for one in first.messages() if one.to == person.phone)
    assert first.call_back(sms, "delivered", to=running.url).status_code == 204
    assert [(one["channel"], one["state"], one["delivery"]) for one in dossier()["messages"]] == [
        ("sms", "sent", "delivered"),
        ("mail", "sent", None),
    ]
    running.kill("notification")
    began = time.monotonic()
    assert dossier()["messages"] is None
    assert time.monotonic() - began < 2
    answer = first.call_back(sms, "delivered", to=running.url)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    running.start("notification")
    running.until_ready("notification")
    until(lambda: dossier()["messages"], "the dossier shows them again")
