"""Twilio calls back through the gateway, and an officer sees in the dossier what arrived."""

import pytest
import requests

from tests.support.answers import done, refused
from tests.support.embedded import embedded_system
from tests.support.recorders import TwilioRecorder
from tests.support.waiting import until

PUBLIC = "https://vssid.example"  # as a proxy in front is called; the system itself listens elsewhere
HOOK = "/hooks/twilio/00000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def twilio():
    with TwilioRecorder() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def called_system(tmp_path_factory, twilio):
    with embedded_system(tmp_path_factory.mktemp("called"), PUBLIC_URL=PUBLIC, SMS_URL=twilio.url) as started:
        yield started


@pytest.fixture(scope="module")
def called_officer(called_system):
    return called_system.sign_in()


def sms_to(twilio, phone, how_many):
    """Return the messages to a phone, once there are so many."""
    return until(lambda: (found := sent_to(twilio, phone)) and len(found) == how_many and found, "the SMS goes out")


def sent_to(twilio, phone):
    return [sms for sms in twilio.messages() if sms.to == phone]


def listed(officer, declared):
    return [
        (one["occasion"], one["channel"], one["state"], one["delivery"]) for one in officer.review(declared)["messages"]
    ]


def test_a_dossier_shows_what_was_sent_and_whether_it_arrived(called_system, called_officer, twilio):
    declared = called_system.submit()
    (sms,) = sms_to(twilio, declared["who"].phone, 1)
    until(lambda: len(called_system.mails_to(declared["who"].email)) == 1, "the mail goes out")
    for status in ("sent", "delivered", "delivered", "sent"):
        answer = twilio.call_back(sms, status, to=called_system.url)
        assert (answer.status_code, answer.content) == (204, b"")
    until(
        lambda: (
            listed(called_officer, declared)
            == [
                ("declaration_submitted", "sms", "sent", "delivered"),
                ("declaration_submitted", "mail", "sent", None),
            ]
        ),
        "the dossier shows both",
    )
    first = called_officer.review(declared)["messages"][0]
    assert first["recipient"] == f"{sms.to[:3]}•••••{sms.to[-3:]}"
    assert first["queued_at"] <= first["sent_at"] <= first["delivered_at"]


def test_a_password_that_did_not_arrive_is_told_by_mail_once(called_system, called_officer, twilio):
    declared = called_system.submit()
    called_officer.approve(declared)
    _, sms = sms_to(twilio, declared["who"].phone, 2)
    for status in ("undelivered", "undelivered", "failed"):
        assert twilio.call_back(sms, status, to=called_system.url, ErrorCode="30003").status_code == 204
    until(lambda: ("sms_undelivered", "mail", "sent", None) in listed(called_officer, declared), "the mail stands in")
    subjects = [str(mail["Subject"]) for mail in called_system.mails_to(declared["who"].email)]
    assert len(subjects) == 3
    assert sum("chưa đến được" in subject for subject in subjects) == 1
    assert ("account_activated", "sms", "sent", "undelivered") in listed(called_officer, declared)


def test_a_forged_call_back_is_refused_and_changes_nothing(called_system, called_officer, twilio):
    declared = called_system.submit()
    (sms,) = sms_to(twilio, declared["who"].phone, 1)
    before = called_officer.review(declared)["messages"]
    refused(twilio.call_back(sms, "failed", to=called_system.url, token="somebody else's"), 403, "wrong_signature")
    form, _ = twilio.signed(sms, "failed")
    path = sms.status_callback.removeprefix(PUBLIC)
    refused(requests.post(called_system.url + path, data=form, timeout=10), 403, "wrong_signature")
    assert [(one["delivery"]) for one in called_officer.review(declared)["messages"] if one["channel"] == "sms"] == [
        one["delivery"] for one in before if one["channel"] == "sms"
    ]


def test_a_call_back_about_nothing_of_ours_is_not_found(called_system):
    refused(requests.post(called_system.url + HOOK, data={"MessageStatus": "sent"}, timeout=10), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        ('{"MessageStatus":"sent"}', "application/json", 415, "unsupported_media_type"),
        ("MessageStatus=sent&MessageStatus=failed", "application/x-www-form-urlencoded", 400, "invalid_request"),
        ("MessageStatus=" + "a" * 20_000, "application/x-www-form-urlencoded", 413, "too_large"),
        ("&".join(f"a{one}=1" for one in range(1500)), "application/x-www-form-urlencoded", 404, "not_found"),
        ("%ff%00=%80&=", "application/x-www-form-urlencoded", 404, "not_found"),
    ],
)
def test_what_is_no_call_back_is_refused(called_system, body, kind, status, code):
    answer = requests.post(called_system.url + HOOK, data=body, headers={"Content-Type": kind}, timeout=10)
    refused(answer, status, code)


def test_a_call_back_is_posted(called_system):
    answer = requests.get(called_system.url + HOOK, timeout=10)
    assert answer.headers["Allow"] == "POST"
    refused(answer, 405, "method_not_allowed")


def test_the_dossier_names_its_declaration(called_system, called_officer):
    review = called_officer.review(called_system.submit())
    assert done(called_officer.call("GET", f"/reviews/{review['number']}"))["declaration_id"]
