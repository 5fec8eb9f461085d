"""The story of a declaration, from submission to card or to its end, in towns of their own."""

import json
import re
import signal
import subprocess
import threading

import pytest
import requests

from tests.support.embedded import (
    ACCOUNT,
    COMMAND,
    EmbeddedTown,
    at_once,
    code_of,
    done,
    picture,
    running,
    until,
)

DESKS = ("registration", "approval", "notification", "cards", "broker")
APPROVAL = {"identity_checked": True}
SECONDS = 1 / (24 * 3600)  # of a day
LINK = re.compile(r"http://\S+")


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with running(tmp_path_factory.mktemp("story")) as one:
        yield one


def stored(town):
    """Return the names of the files in the store, less the one that readiness writes."""
    return {str(file.relative_to(town.var / "store")) for file in (town.var / "store").rglob("*") if file.is_file()} - {
        "ready"
    }


def rows_that_hold(town, *needles):
    """Return (desk, table) of every row that holds one of these texts, escaped as JSON or not."""
    found = []
    for desk in DESKS:
        for (table,) in town.rows(desk, "SELECT name FROM sqlite_master WHERE type = 'table'"):
            for row in town.rows(desk, f"SELECT * FROM {table}"):
                text = " ".join(str(value) for value in row)
                found += [(desk, table) for needle in spellings(needles) if needle in text]
    return found


def files_that_hold(town, *needles):
    """Return (file, text) for every file beside the outbox that holds one of these texts."""
    files = [town.log_file, *(file for file in town.var.rglob("*") if file.is_file() and file.parent.name != "outbox")]
    return [
        (file.name, needle) for file in files for needle in spellings(needles) if needle.encode() in file.read_bytes()
    ]


def spellings(needles):
    return {spelling for needle in needles for spelling in (needle, json.dumps(needle)[1:-1])}


def personal_data_of(who):
    return (
        who.insurance_code,
        who.full_name,
        who.id_number,
        who.phone.removeprefix("+84"),
        who.email,
        "đường Thử Nghiệm",
    )


def first_password(town, who):
    found = until(lambda: [text for text in town.sms_to(who.phone) if ACCOUNT.search(text)], "the first password")
    (text,) = found
    return ACCOUNT.search(text)[2]


# from submission to card


def test_a_declaration_goes_its_way_from_submission_to_card(town):
    desk = town.sign_in()
    declared = town.submit(email_copy=True)
    who = declared["who"]
    until(lambda: town.sms_to(who.phone) and town.mails_to(who.email), "the first messages")
    (sms,), (mail,) = town.sms_to(who.phone), town.mails_to(who.email)
    form = requests.get(LINK.search(sms)[0], timeout=30)
    assert form.headers["Content-Type"] == "application/pdf" and form.content.startswith(b"%PDF-")
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "application/pdf" and attached.get_content().startswith(b"%PDF-")
    review = desk.review(declared)
    assert (review["status"], review["condition"]) == ("pending", "awaiting_visit")
    done(desk.call("PUT", f"/reviews/{declared['number']}/assignment"))
    until(lambda: town.declaration(declared)["condition"] == "received", "the applicant sees it received")
    desk.approve(declared)
    until(lambda: "card_issued" in town.history(declared), "the card")
    assert town.history(declared) == ["submitted", "received", "approved", "account_activated", "card_issued"]
    assert first_password(town, who)
    until(lambda: len(town.mails_to(who.email)) == 2, "the acceptance")
    assert len(town.sms_to(who.phone)) == 2
    cards = town.rows("cards", "SELECT insurance_code FROM cards WHERE insurance_code = ?", who.insurance_code)
    assert cards == [(who.insurance_code,)]


def test_no_copy_of_the_form_is_sent_to_who_wants_none(town):
    who = town.submit(email_copy=False)["who"]
    until(lambda: town.mails_to(who.email), "the mail")
    assert list(town.mails_to(who.email)[0].iter_attachments()) == []


def test_who_has_no_mail_is_told_by_sms_alone(town):
    desk = town.sign_in()
    declared = town.submit(email=None, email_copy=True)
    desk.approve(declared)
    assert first_password(town, declared["who"])
    assert town.mails_to(declared["who"].email) == []


def test_the_first_password_is_nowhere_but_in_its_message(town):
    desk, declared = town.sign_in(), town.submit(email_copy=True)
    desk.approve(declared)
    password = first_password(town, declared["who"])
    until(lambda: "card_issued" in town.history(declared), "the card")
    assert files_that_hold(town, password) == []
    mails = town.mails_to(declared["who"].email)
    assert mails and all(password not in mail.as_string() for mail in mails)


def test_the_log_names_nobody(town):
    desk, declared = town.sign_in(), town.submit(email_copy=True)
    who = declared["who"]
    desk.approve(declared)
    password = first_password(town, who)
    until(lambda: "card_issued" in town.history(declared), "the card")
    other = town.submit(town.unregistered())
    desk.reject(other, "Lý do của cán bộ")
    town.call("POST", "/declarations", json=who.declaration({}, phone="0912"))
    secrets = (password, declared["tracking_code"], desk.token, "mat-khau-can-bo-mot", "Lý do của cán bộ")
    log = town.log()
    assert "request_answered" in log
    for needle in spellings((*personal_data_of(who), *personal_data_of(other["who"]), *secrets)):
        assert needle not in log


def test_every_line_of_the_log_is_json_and_ours_have_a_static_name(town):
    lines = [json.loads(line) for line in town.log().splitlines()]
    names = {line["event"] for line in lines if not line.get("logger", "").startswith("alembic")}
    assert "request_answered" in names
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


def test_nothing_was_given_up_on(town):
    """Whatever the tests above did, no event failed and no letter is dead."""
    events = {json.loads(line)["event"] for line in town.log().splitlines()}
    assert not {"event_failed", "call_failed", "timer_failed", "request_failed", "worker_failed"} & events
    assert town.rows("broker", "SELECT count(*) FROM deliveries WHERE dead") == [(0,)]


# to its end


def only_the_shell_is_left(town, declared, status):
    """See that of a declaration number, kind, agency and dates are left, and nothing of its person."""
    who = declared["who"]
    found = town.declaration(declared)
    assert (found["status"], found["kind"]) == (status, "register")
    assert found["agency"] == declared["agency"]
    assert found["submitted_at"] == declared["submitted_at"] and found["decided_at"]
    until(lambda: not rows_that_hold(town, *personal_data_of(who)), "no row holds personal data")
    until(lambda: not stored(town), "no picture and no form is left")
    answer = town.call("GET", f"/declarations/{declared['number']}/form.pdf", params=code_of(declared))
    assert answer.status_code == 404


def test_a_declaration_nobody_decides_expires_and_its_data_are_deleted(tmp_path):
    with running(tmp_path, DECLARATION_DAYS=5 * SECONDS) as town:
        desk, declared = town.sign_in(), town.submit(town.unregistered(), email_copy=True)
        who, path = declared["who"], f"/reviews/{declared['number']}"
        links = desk.review(declared)["photos"].values()
        replaced = done(town.upload("portrait", picture("PNG")), 201)
        done(desk.call("PUT", f"{path}/photos/portrait", json={"upload_id": replaced["upload_id"]}))
        done(desk.call("PUT", f"{path}/assignment"))
        until(lambda: len(stored(town)) == 5, "three pictures, the officer's, and the form are kept")
        assert rows_that_hold(town, who.id_number)
        until(lambda: town.declaration(declared)["status"] == "expired", "the expiry")
        until(lambda: len(town.sms_to(who.phone)) > 1 and len(town.mails_to(who.email)) > 1, "the messages")
        assert len(town.sms_to(who.phone)) == len(town.mails_to(who.email)) == 2
        assert declared["number"] in town.sms_to(who.phone)[1] and "xoa" in town.sms_to(who.phone)[1]
        only_the_shell_is_left(town, declared, "expired")
        assert [requests.get(link, timeout=30).status_code for link in links] == [404] * 3
        review = desk.review(declared)
        assert (review["status"], review["full_name"], review["photos"]) == ("expired", None, {})
        desk.problem("POST", f"{path}/approval", 409, "already_decided", json=APPROVAL)
        town.problem("DELETE", f"/declarations/{declared['number']}", 409, "already_decided", params=code_of(declared))
    assert files_that_hold(town, *personal_data_of(who)) == []


def test_a_withdrawn_declaration_leaves_nothing_of_its_person(tmp_path):
    with running(tmp_path) as town:
        desk, declared = town.sign_in(), town.submit(town.unregistered(), email_copy=True)
        who = declared["who"]
        desk.review(declared)
        until(lambda: town.sms_to(who.phone) and town.mails_to(who.email), "the messages")
        assert town.call("DELETE", f"/declarations/{declared['number']}", params=code_of(declared)).status_code == 204
        only_the_shell_is_left(town, declared, "withdrawn")
        until(lambda: desk.review(declared)["status"] == "withdrawn", "the desk hears of it")
        assert desk.review(declared)["full_name"] is None
    assert files_that_hold(town, *personal_data_of(who)) == []


# interruptions


@pytest.mark.parametrize("how", ["told to leave", "killed"])
def test_a_restart_in_the_middle_loses_nothing_and_repeats_nothing(tmp_path, how):
    with running(tmp_path, SETTLE_AFTER=1) as town:

        def restart():
            town.stop() if how == "told to leave" else town.kill()
            town.start()

        desk = town.sign_in()
        declared = town.submit(email_copy=True)
        restart()
        desk.approve(declared)
        restart()
        until(lambda: "card_issued" in town.history(declared), "the card")
        who = declared["who"]
        assert first_password(town, who)
        # one that was in hand when its desk was killed is looked up once its lease is over
        until(lambda: len(town.mails_to(who.email)) == len(town.sms_to(who.phone)) == 2, "both messages on both ways")
        until(lambda: not town.rows("broker", "SELECT 1 FROM deliveries"), "every event is delivered")
        assert len(town.sms_to(who.phone)) == len(town.mails_to(who.email)) == 2
        assert town.history(declared) == ["submitted", "approved", "account_activated", "card_issued"]


def test_a_town_that_is_told_to_leave_amid_requests_answers_them_and_leaves(tmp_path):
    with running(tmp_path) as town:
        people = [(town.newcomer(), town.photos()) for _ in range(6)]
        leaving = threading.Timer(0.05, town.process.send_signal, [signal.SIGTERM])

        def submit(who, photos):
            try:
                body = who.declaration(photos, email_copy=True)
                return requests.post(f"{town.base}/declarations", json=body, timeout=30).status_code
            except requests.ConnectionError:
                return None  # it had closed its door

        leaving.start()
        answered = at_once(*(lambda one=one: submit(*one) for one in people))
        leaving.join()
        assert town.process.wait(10) == 0
        town.start()
        assert set(answered) <= {201, 503, None}
        assert town.how_many("declarations") >= answered.count(201)


# the demo


def test_the_demo_walks_the_whole_story_and_leaves(tmp_path):
    town = EmbeddedTown(tmp_path, DEMO_EXIT=1)

    def walk():
        walked = subprocess.run([COMMAND, "demo"], env=town.environment, capture_output=True, timeout=120)
        assert walked.returncode == 0, walked.stdout.decode() + walked.stderr.decode()
        return walked.stdout.decode()

    first, again = walk(), walk()
    for step in ("declaration submitted", "Form 01", "by e-mail", "approves", "Mat khau: ••••••", "card is issued"):
        assert step in first
    assert "the account exists from an earlier walk" in again
