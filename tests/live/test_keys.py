"""Keys change while the system runs, in the three steps of docs/operate.md: no password and no picture is lost."""

import pytest
import requests

from shared.storage.seals import new_key
from tests.support.embedded import ACCOUNT
from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.walk import Walk

SEED = 20261205
HOLDERS = {"SEAL_KEY": ("registration", "notification"), "LINK_KEY": ("gateway",)}


def passwords(system, person):
    found = (ACCOUNT.search(one.body) for one in system.texts.messages() if one.to == person.phone)
    return [one[2] for one in found if one]


def restart(system, names):
    for name in names:
        system.restart(name)
        system.until_ready(name)


def change(system, key, value):
    system.environment[key] = value
    restart(system, HOLDERS[key])


def steps(old, new):
    """Return what a key is set to, one step after the other."""
    return (f"{old},{new}", f"{new},{old}", new)


def test_the_key_of_first_passwords_changes_in_three_steps(system):
    people = system.prepare(SEED, 4)
    walk = Walk(system.url, as_officer=system.officer(SEED))
    old, new = system.environment["SEAL_KEY"], new_key()
    for person, value in zip(people, (old, *steps(old, new)), strict=True):
        system.kill("notification")  # what was sealed before each step is opened after it
        declared = walk.submit(person, AGENCY)
        walk.approve(declared)
        until(lambda declared=declared: "account_activated" in walk.history(declared), "the account")
        until(lambda: system.count("registration", "outbox") == 0, "RabbitMQ has the sealed password")
        change(system, "SEAL_KEY", value)
        until(lambda person=person: passwords(system, person), "the first password")
    system.until_quiet()
    assert [len(passwords(system, person)) for person in people] == [1] * 4
    assert system.count("notification", "messages", "code = 'broken_seal'") == 0


def test_a_key_that_is_gone_opens_nothing_and_says_so(system):
    """The step that operators must not leave out."""
    (person,) = system.prepare(SEED + 1, 1)
    walk = Walk(system.url, as_officer=system.officer(SEED + 1))
    system.kill("notification")
    declared = walk.submit(person, AGENCY)
    walk.approve(declared)
    until(lambda: "account_activated" in walk.history(declared), "the account")
    until(lambda: system.count("registration", "outbox") == 0, "RabbitMQ has the sealed password")
    change(system, "SEAL_KEY", new_key())
    until(lambda: system.count("notification", "messages", "code = 'broken_seal'") == 1, "the message failed")
    assert passwords(system, person) == []
    search = {"number": declared["number"], "password_undelivered": "true"}

    def shown():
        return walk.call("GET", "/officer/reviews", 200, headers=walk.officer_headers, params=search)["items"]

    until(shown, "officers see that the password did not arrive")


@pytest.fixture
def link(system):
    """Return a function that makes a picture's link."""
    (person,) = system.prepare(SEED + 2, 1)
    walk = Walk(system.url, as_officer=system.officer(SEED + 2))
    declared = walk.submit(person, AGENCY)
    path = f"/officer/reviews/{declared['number']}"
    until(lambda: walk.send("GET", path, headers=walk.officer_headers).ok, "the review opens")

    def make():
        found = walk.call("GET", path, 200, headers=walk.officer_headers)["photos"]["portrait"]
        return found.replace(found.partition("/api/")[0], system.url)

    return make


def status_of(link):
    return requests.get(link, timeout=30).status_code


def test_the_key_of_links_changes_in_three_steps(system, link):
    old, new = system.environment["LINK_KEY"], new_key()
    for value in steps(old, new):
        before = link()
        change(system, "LINK_KEY", value)
        if value != new:
            assert status_of(before) == 200, "five minutes have not passed"
        assert status_of(link()) == 200
    assert status_of(before) == 200, "made with the new key, which was first"
