"""What officers see and do leaves rows in the journal, and auditors read them; links to pictures end with a session."""

import pytest
import requests
from werkzeug.test import EnvironBuilder

from services.approval.domain.officer import token_hash
from services.gateway.identity import address_of, whole_address
from tests.support.answers import code_of, done, fields_refused
from tests.support.people import AGENCY_CODE, OFFICER, OTHER_AGENCY_CODE, OfficerAccount

AUDITOR = OfficerAccount("kiem.tra", "mat-khau-kiem-tra", AGENCY_CODE)
OTHER_AUDITOR = OfficerAccount("kiem.tra.khac", "mat-khau-kiem-tra-khac", OTHER_AGENCY_CODE)
APPROVAL = {"identity_checked": True}


def sign_in_auditor(system, account):
    words = ("--agency", account.agency_code, "--role", "auditor")
    system.command("officer", "add", account.username, *words, given=account.password + "\n")
    return system.sign_in(account)


@pytest.fixture(scope="module")
def auditor(system):
    return sign_in_auditor(system, AUDITOR)


@pytest.fixture
def declared(system, officer):
    one = system.submit()
    officer.review(one)
    return one


def journal(auditor, **search):
    return done(auditor.call("GET", "/journal", params=search))


def acts(auditor, declared):
    """Return what the journal says of a declaration, in the order in which it happened."""
    items = journal(auditor, number=declared["number"])["items"]
    return [(one["act"], one["detail"]) for one in reversed(items)]


def test_the_whole_work_on_a_dossier_is_in_the_journal(system, officer, auditor, declared):
    path = f"/reviews/{declared['number']}"
    link = officer.review(declared)["photos"]["id_back"]
    assert requests.get(link, timeout=30).status_code == 200
    done(officer.call("PUT", f"{path}/assignment"))
    done(officer.call("DELETE", f"{path}/assignment"))
    upload_id = done(system.upload("portrait"), 201)["upload_id"]
    done(officer.call("PUT", f"{path}/photos/portrait", json={"upload_id": upload_id}))
    done(officer.call("POST", f"{path}/reminder"), 202)
    wrong = APPROVAL | {"tracking_code": "ABCDEFGH23"}
    officer.problem("POST", f"{path}/approval", 409, "wrong_tracking_code", json=wrong)
    done(officer.call("POST", f"{path}/approval", json=APPROVAL | code_of(declared)))
    assert acts(auditor, declared)[-8:] == [
        ("viewed", ""),
        ("photo_viewed", "id_back"),
        ("received", ""),
        ("returned", ""),
        ("photo_replaced", "portrait"),
        ("reminded", ""),
        ("approval_refused", "wrong_tracking_code"),
        ("approved", ""),
    ]


def test_what_the_register_refused_is_in_the_journal(system, officer, auditor):
    declared = system.submit(system.unregistered())
    officer.review(declared)
    path = f"/reviews/{declared['number']}/approval"
    officer.problem("POST", path, 409, "code_not_registered", json=APPROVAL | code_of(declared))
    assert acts(auditor, declared)[-1] == ("approval_refused", "code_not_registered")


def test_a_row_says_who_when_and_from_where(system, officer, auditor, declared):
    answer = officer.call("GET", f"/reviews/{declared['number']}", headers={"X-Request-Id": "request-of-this-test"})
    (row, *_) = journal(auditor, number=declared["number"])["items"]
    assert row == {
        "sequence": row["sequence"],
        "at": row["at"],
        "act": "viewed",
        "officer": OFFICER.username,
        "declaration_id": done(answer)["declaration_id"],
        "number": declared["number"],
        "detail": "",
        "address": "127.0.0.1",
        "session_id": token_hash(officer.token)[:16],
        "request_id": "request-of-this-test",
    }


def test_no_row_holds_anything_of_the_person_and_no_log_line_the_address(system, officer, auditor, declared):
    who = declared["who"]
    assert len(officer.reviews(insurance_code=who.insurance_code)) == 1
    assert len(officer.reviews(q=who.full_name, limit=1)) == 1
    kept = str(system.rows("approval", "SELECT * FROM journal_entries"))
    for personal in (who.full_name, who.insurance_code, who.phone, who.email, who.id_number):
        assert personal not in kept
    assert '"127.0.0.1"' not in system.log()


# reading it


def test_only_auditors_read_it(officer, auditor):
    officer.problem("GET", "/journal", 403, "forbidden")
    assert journal(auditor)["items"]


def test_an_auditor_sees_the_own_agency_and_reading_is_a_row(system, officer, auditor, declared):
    other = sign_in_auditor(system, OTHER_AUDITOR)
    assert journal(other, number=declared["number"]) == {"items": [], "next_cursor": None}
    assert {one["officer"] for one in journal(other)["items"]} <= {"kiem.tra.khac", "canbo.khac"}
    items = journal(other, officer="kiem.tra.khac")["items"]
    assert [(one["act"], one["detail"]) for one in items] == [
        ("journal_viewed", ""),
        ("journal_viewed", "number"),
        ("signed_in", ""),
    ]


def test_pages_follow_each_other_newest_first(officer, auditor, declared):
    for _ in range(4):
        officer.review(declared)
    search, found = {"number": declared["number"], "limit": 2}, []
    while True:
        page = journal(auditor, **search)
        found += [one["sequence"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        search["cursor"] = page["next_cursor"]
    assert found == [one["sequence"] for one in journal(auditor, number=declared["number"])["items"]]
    assert found == sorted(set(found), reverse=True) and len(found) >= 5


@pytest.mark.parametrize(
    "search",
    [
        {"cursor": "0"},
        {"cursor": "-1"},
        {"cursor": "9" * 19},
        {"from": "gestern"},
        {"limit": "101"},
        {"officer": "a" * 61},
        {"number": "a\0"},
        {"insurance_code": "7900000017"},
    ],
)
def test_the_journal_is_asked_for_in_its_own_words(auditor, search):
    problem = auditor.problem("GET", "/journal", 400, "invalid_request", params=search)
    assert set(fields_refused(problem)) == set(search)


def test_days_beyond_the_calendar_are_days(auditor):
    assert journal(auditor, **{"from": "0001-01-01", "to": "9999-12-31"})["items"]
    assert journal(auditor, **{"from": "9999-12-31"})["items"] == []


# links to pictures


def test_a_link_ends_with_the_session_it_was_made_in(system, auditor, declared):
    one, other = system.sign_in(), system.sign_in()
    ended, running = (session.review(declared)["photos"]["portrait"] for session in (one, other))
    assert requests.get(ended, timeout=30).status_code == 200
    one.call("DELETE", "/sessions/current")
    before = acts(auditor, declared)
    system.problem("GET", f"/photos/{ended.rpartition('/')[2]}", 404, "link_expired")
    assert acts(auditor, declared) == before
    assert requests.get(running, timeout=30).status_code == 200
    assert acts(auditor, declared) == [*before, ("photo_viewed", "portrait")]


def test_a_link_ends_with_the_password_of_its_officer(system, declared):
    account = OfficerAccount("canbo.doi", "mat-khau-can-bo-doi", AGENCY_CODE)
    system.add_officer(account)
    link = system.sign_in(account).review(declared)["photos"]["portrait"]
    system.add_officer(account)
    system.problem("GET", f"/photos/{link.rpartition('/')[2]}", 404, "link_expired")


# the caller's address


@pytest.mark.parametrize(
    ("forwarded", "whole", "counted"),
    [
        ("", "198.51.100.1", "198.51.100.1"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("192.0.2.9, 192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8::1]", "2001:db8::1", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("fe80::1%" + "eth" * 99, "fe80::1", "fe80::/64"),
        ("nobody", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_journal_keeps_the_whole_address_and_limits_count_the_network(forwarded, whole, counted):
    request = EnvironBuilder(
        headers={"X-Forwarded-For": forwarded}, environ_base={"REMOTE_ADDR": "198.51.100.1"}
    ).get_request()
    assert (whole_address(request, 1), address_of(request, 1)) == (whole, counted)
