"""A first password that does not arrive, where there is no mail to say so, is shown to officers, who can act."""

import pytest

from tests.support.embedded import ACCOUNT
from tests.support.running import running_system
from tests.support.waiting import until
from vssid.people import declaration_of
from vssid.smoke import AGENCY
from vssid.walk import Walk

SEED = 20261204
PHOTOS = ("portrait", "id_front", "id_back")


@pytest.fixture(scope="module")
def system(servers, tmp_path_factory):
    """A system that carriers can call back."""
    with running_system(servers, tmp_path_factory.mktemp("system"), PUBLIC_URL="https://vssid.example") as started:
        yield started


@pytest.fixture(scope="module")
def walk(system):
    system.people = iter(system.prepare(SEED, 3))
    return Walk(system.url, as_officer=system.officer(SEED))


@pytest.fixture
def declared(system, walk):
    """A declaration without a mail address."""
    person = next(system.people)
    form = declaration_of(person, AGENCY, {purpose: walk.upload(purpose) for purpose in PHOTOS})
    del form["email"]
    answer = walk.call("POST", "/declarations", 201, json=form | {"email_copy": False})
    until(lambda: texts_to(system, person.phone), "the SMS with the tracking code")
    return answer | {"phone": person.phone, "insurance_code": person.insurance_code}


def texts_to(system, phone):
    return [one for one in system.texts.messages() if one.to == phone]


def passwords(system, declared):
    found = (ACCOUNT.search(one.body) for one in texts_to(system, declared["phone"]))
    return {one[2] for one in found if one}


def officer_call(walk, method, path, status, **options):
    return walk.call(method, f"/officer{path}", status, headers=walk.officer_headers, **options)


def undelivered(walk):
    """Return the numbers of the dossiers that an officer finds whose first password did not arrive."""
    found = officer_call(walk, "GET", "/reviews", 200, params={"password_undelivered": "true"})["items"]
    assert all(one["password_undelivered"] for one in found)
    return [one["number"] for one in found]


def send_again(walk, declared):
    path = f"/accounts/{declared['insurance_code']}/first-password"
    return officer_call(walk, "POST", path, 202, json={"identity_checked": True})


def check_that_the_officer_helps(system, walk, declared):
    until(lambda: declared["number"] in undelivered(walk), "the officers see that it did not arrive")
    dossier = officer_call(walk, "GET", f"/reviews/{declared['number']}", 200)
    assert (dossier["password_undelivered"], dossier["history"][-1]["what"]) == (True, "password_undelivered")
    before = passwords(system, declared)
    send_again(walk, declared)
    until(lambda: len(passwords(system, declared)) == len(before) + 1, "a new password arrives")
    assert declared["number"] not in undelivered(walk)
    dossier = officer_call(walk, "GET", f"/reviews/{declared['number']}", 200)
    assert [step["what"] for step in dossier["history"]][-2:] == ["password_undelivered", "password_requested"]
    system.until_quiet()
    assert system.dead() == []


def test_a_password_that_no_carrier_takes(system, walk, declared):
    system.texts.sending.fail(400)
    try:
        walk.approve(declared)
        until(lambda: declared["number"] in undelivered(walk), "the officers see that it did not arrive")
    finally:
        system.texts.sending.heal()
    check_that_the_officer_helps(system, walk, declared)
    assert len(passwords(system, declared)) == 1, "the first one was never sent, and nothing twice"


def test_a_password_that_the_phone_never_got(system, walk, declared):
    walk.approve(declared)
    until(lambda: passwords(system, declared), "the SMS is sent")
    system.until_quiet()
    (sms,) = [one for one in texts_to(system, declared["phone"]) if ACCOUNT.search(one.body)]
    answer = system.texts.call_back(sms, "undelivered", to=system.url, ErrorCode="30003")
    assert answer.status_code == 204, answer.text
    check_that_the_officer_helps(system, walk, declared)


def test_no_password_arrives_that_another_has_replaced(system, walk, declared):
    system.texts.sending.fail(429)
    try:
        walk.approve(declared)
        waiting = (
            f"declaration_id = (SELECT declaration_id FROM messages WHERE number = '{declared['number']}' LIMIT 1)"
        )
        queued = f"{waiting} AND channel = 'sms' AND state = 'queued' AND occasion LIKE 'account_activated:%'"
        until(lambda: system.count("notification", "messages", queued), "the first password waits")
        send_again(walk, declared)
        cancelled = queued.replace("'queued'", "'cancelled'")
        until(lambda: system.count("notification", "messages", cancelled), "it is not sent any more")
    finally:
        system.texts.sending.heal()
    until(lambda: passwords(system, declared), "the new password arrives")
    system.until_quiet()
    assert len(passwords(system, declared)) == 1
    assert declared["number"] not in undelivered(walk)
