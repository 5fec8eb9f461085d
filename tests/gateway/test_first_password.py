"""An officer has a new first password sent to somebody whose first one did not arrive, or is lost."""

import pytest

from tests.support.answers import done, fields_refused, refused
from tests.support.embedded import ACCOUNT
from tests.support.waiting import until

CHECKED = {"identity_checked": True}
PASSWORD_HASH = "SELECT password_hash FROM accounts WHERE insurance_code = ?"


def path_of(insurance_code):
    return f"/accounts/{insurance_code}/first-password"


@pytest.fixture
def holder(system, officer):
    """A person with an account, and the first password."""
    declared = system.submit()
    officer.approve(declared)
    until(lambda: passwords(system, declared["who"].phone), "the SMS with the first password")
    return declared


def passwords(system, phone):
    """Return the passwords that a phone was sent, in no order."""
    return {found[2] for found in map(ACCOUNT.search, system.sms_to(phone)) if found}


def mails(system, holder):
    return [mail["subject"] for mail in system.mails_to(holder["who"].email)]


def test_a_new_first_password_goes_to_the_phone_of_the_account_and_the_mail_says_so(system, officer, holder):
    who = holder["who"]
    first = passwords(system, who.phone)
    before = system.rows(
        "registration", "SELECT password_hash FROM accounts WHERE insurance_code = ?", who.insurance_code
    )
    answer = officer.call("POST", path_of(who.insurance_code), json=CHECKED)
    assert done(answer, 202) == {"sent_to": f"+84•••••{who.phone[-3:]}"}
    until(lambda: len(passwords(system, who.phone)) == 2, "the SMS with the new one")
    assert first < passwords(system, who.phone)
    after = system.rows(
        "registration", "SELECT password_hash FROM accounts WHERE insurance_code = ?", who.insurance_code
    )
    assert before != after
    until(lambda: len(mails(system, holder)) == 3, "the mail")
    assert "password_requested" in [step["what"] for step in officer.review(holder)["history"]]


def test_the_holder_may_come_to_any_agency(system, stranger, holder):
    done(stranger.call("POST", path_of(holder["who"].insurance_code), json=CHECKED), 202)
    until(lambda: len(passwords(system, holder["who"].phone)) == 2, "the SMS")


def test_three_a_day_are_enough(system, officer, holder):
    path = path_of(holder["who"].insurance_code)
    for _ in range(3):
        done(officer.call("POST", path, json=CHECKED), 202)
    refused(officer.call("POST", path, json=CHECKED), 429, "too_many_requests")
    until(lambda: len(passwords(system, holder["who"].phone)) == 4, "three more passwords, and no fourth")


@pytest.mark.parametrize("body", [{}, {"identity_checked": False}])
def test_the_officer_says_that_the_person_was_seen(officer, holder, body):
    path = path_of(holder["who"].insurance_code)
    problem = officer.problem("POST", path, 409, "identity_not_checked", json=body)
    assert fields_refused(problem) == {"identity_checked": "must_be_accepted"}


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"identity_checked": "yes"}, "identity_checked", "wrong_type"),
        ({"identity_checked": None}, "identity_checked", "null"),
        ({**CHECKED, "phone": "+84900000001"}, "phone", "unknown_field"),
    ],
)
def test_what_is_no_such_form_is_refused(officer, holder, body, field, code):
    problem = officer.problem("POST", path_of(holder["who"].insurance_code), 400, "invalid_request", json=body)
    assert fields_refused(problem) == {field: code}


@pytest.mark.parametrize("code", ["7900000000", "790000000", "79000000000", "abc", "7900000000 OR 1"])
def test_a_code_without_an_account_is_not_found(system, officer, code):
    officer.problem("POST", path_of(code), 404, "account_not_found", json=CHECKED)


def test_a_declaration_that_is_pending_has_no_account(system, officer):
    declared = system.submit()
    officer.review(declared)
    officer.problem("POST", path_of(declared["who"].insurance_code), 404, "account_not_found", json=CHECKED)


def test_without_a_session_nobody_gets_a_password(system, holder):
    system.problem("POST", f"/officer{path_of(holder['who'].insurance_code)}", 401, "unauthenticated", json=CHECKED)
    assert len(passwords(system, holder["who"].phone)) == 1
