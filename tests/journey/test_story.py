"""The story of a declaration, from submission to card or to its end, in systems of their own."""

import json
import re
import signal
import subprocess
import threading

import pytest
import requests

from tests.support.answers import code_of, done
from tests.support.embedded import ACCOUNT, EmbeddedSystem, embedded_system
from tests.support.people import ADDRESS
from tests.support.pictures import picture
from tests.support.processes import COMMAND, STOPS_WITHIN, free_port
from tests.support.waiting import at_once, until

DATABASES = ("registration", "approval", "notification", "cards", "broker")
APPROVAL = {"identity_checked": True}
LINK = re.compile(r"http://\S+")


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    with embedded_system(tmp_path_factory.mktemp("story")) as started:
        yield started


def stored(system):
    """Return the names of the files in the store, less the one that readiness writes."""
    store = system.var / "store"
    return {str(file.relative_to(store)) for file in store.rglob("*") if file.is_file()} - {"ready"}


def rows_that_hold(system, *needles):
    """Return (service, table) of every row that holds one of these texts, escaped as JSON or not."""
    found = []
    for service in DATABASES:
        for (table,) in system.rows(service, "SELECT name FROM sqlite_master WHERE type = 'table'"):
            for row in system.rows(service, f"SELECT * FROM {table}"):
                text = " ".join(str(value) for value in row)
                found += [(service, table) for needle in spellings(needles) if needle in text]
    return found


def files_that_hold(system, *needles):
    """Return (file, text) for every file beside the outbox that holds one of these texts."""
    kept = (file for file in system.var.rglob("*") if file.is_file() and file.parent.name != "outbox")
    files = [system.log_file, *kept]
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
        ADDRESS.street,
    )


def first_password(system, who):
    found = until(lambda: [text for text in system.sms_to(who.phone) if ACCOUNT.search(text)], "the first password")
    (text,) = found
    return ACCOUNT.search(text)[2]


# from submission to card


def test_a_declaration_goes_all_the_way_from_submission_to_card(system):
    officer = system.sign_in()
    declared = system.submit(email_copy=True)
    who = declared["who"]
    until(lambda: system.sms_to(who.phone) and system.mails_to(who.email), "the first messages")
    (sms,), (mail,) = system.sms_to(who.phone), system.mails_to(who.email)
    form = requests.get(LINK.search(sms)[0], timeout=30)
    assert form.headers["Content-Type"] == "application/pdf" and form.content.startswith(b"%PDF-")
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "application/pdf" and attached.get_content().startswith(b"%PDF-")
    review = officer.review(declared)
    assert (review["status"], review["condition"]) == ("pending", "awaiting_visit")
    done(officer.call("PUT", f"/reviews/{declared['number']}/assignment"))
    until(lambda: system.declaration(declared)["condition"] == "received", "the applicant sees it received")
    officer.approve(declared)
    until(lambda: "card_issued" in system.history(declared), "the card")
    assert system.history(declared) == ["submitted", "received", "approved", "account_activated", "card_issued"]
    assert first_password(system, who)
    until(lambda: len(system.mails_to(who.email)) == 2, "the acceptance")
    assert len(system.sms_to(who.phone)) == 2
    cards = system.rows("cards", "SELECT insurance_code FROM cards WHERE insurance_code = ?", who.insurance_code)
    assert cards == [(who.insurance_code,)]


def test_no_copy_of_the_form_is_sent_to_who_wants_none(system):
    who = system.submit(email_copy=False)["who"]
    until(lambda: system.mails_to(who.email), "the mail")
    assert list(system.mails_to(who.email)[0].iter_attachments()) == []


def test_who_has_no_mail_is_told_by_sms_alone(system):
    officer = system.sign_in()
    declared = system.submit(email=None, email_copy=True)
    officer.approve(declared)
    assert first_password(system, declared["who"])
    assert system.mails_to(declared["who"].email) == []


def test_the_first_password_is_nowhere_but_in_its_message(system):
    officer, declared = system.sign_in(), system.submit(email_copy=True)
    officer.approve(declared)
    password = first_password(system, declared["who"])
    until(lambda: "card_issued" in system.history(declared), "the card")
    assert files_that_hold(system, password) == []
    mails = system.mails_to(declared["who"].email)
    assert mails and all(password not in mail.as_string() for mail in mails)


def test_the_log_names_nobody(system):
    officer, declared = system.sign_in(), system.submit(email_copy=True)
    who = declared["who"]
    officer.approve(declared)
    password = first_password(system, who)
    until(lambda: "card_issued" in system.history(declared), "the card")
    other = system.submit(system.unregistered())
    officer.reject(other, "Lý do của cán bộ")
    system.call("POST", "/declarations", json=who.declaration({}, phone="0912"))
    secrets = (password, declared["tracking_code"], officer.token, "mat-khau-can-bo-mot", "Lý do của cán bộ")
    log = system.log()
    assert "request_answered" in log
    for needle in spellings((*personal_data_of(who), *personal_data_of(other["who"]), *secrets)):
        assert needle not in log


def test_every_line_of_the_log_is_json_and_ours_have_a_static_name(system):
    lines = [json.loads(line) for line in system.log().splitlines()]
    names = {line["event"] for line in lines if not line.get("logger", "").startswith("alembic")}
    assert "request_answered" in names
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


def test_nothing_was_given_up_on(system):
    """Whatever the tests above did, no event failed and no event is dead."""
    events = {json.loads(line)["event"] for line in system.log().splitlines()}
    assert sorted(event for event in events if event.endswith("_failed")) == []
    assert system.rows("broker", "SELECT count(*) FROM deliveries WHERE dead") == [(0,)]


# to its end


def only_the_shell_is_left(system, declared, status):
    """See that of a declaration number, kind, agency and dates are left, and nothing of its person."""
    who = declared["who"]
    found = system.declaration(declared)
    assert (found["status"], found["kind"]) == (status, "register")
    assert found["agency"] == declared["agency"]
    assert found["submitted_at"] == declared["submitted_at"] and found["decided_at"]
    until(lambda: not rows_that_hold(system, *personal_data_of(who)), "no row holds personal data")
    until(lambda: not stored(system), "no picture and no form is left")
    answer = system.call("GET", f"/declarations/{declared['number']}/form.pdf", params=code_of(declared))
    assert (answer.status_code, answer.json()["code"]) == (409, "already_decided")


def test_a_declaration_nobody_decides_expires_and_its_data_are_deleted(tmp_path):
    with embedded_system(tmp_path) as system:
        officer, declared = system.sign_in(), system.submit(system.unregistered(), email_copy=True)
        who, path = declared["who"], f"/reviews/{declared['number']}"
        links = officer.review(declared)["photos"].values()
        replaced = done(system.upload("portrait", picture("PNG")), 201)
        done(officer.call("PUT", f"{path}/photos/portrait", json={"upload_id": replaced["upload_id"]}))
        done(officer.call("PUT", f"{path}/assignment"))
        until(lambda: len(stored(system)) == 5, "three pictures, the officer's, and the form are kept")
        assert rows_that_hold(system, who.id_number)
        number = declared["number"]
        # the first mail takes the form along, which the expiry deletes
        until(lambda: system.sms_to(who.phone) and system.mails_to(who.email), "the first messages")
        system.change("registration", "UPDATE declarations SET expires_at = submitted_at WHERE number = ?", number)
        until(lambda: system.declaration(declared)["status"] == "expired", "the expiry")
        until(lambda: len(system.sms_to(who.phone)) > 1 and len(system.mails_to(who.email)) > 1, "the messages")
        assert len(system.sms_to(who.phone)) == len(system.mails_to(who.email)) == 2
        assert declared["number"] in system.sms_to(who.phone)[1] and "xoa" in system.sms_to(who.phone)[1]
        only_the_shell_is_left(system, declared, "expired")
        assert [requests.get(link, timeout=30).status_code for link in links] == [404] * 3
        review = officer.review(declared)
        assert (review["status"], review["full_name"], review["photos"]) == ("expired", None, {})
        officer.problem("POST", f"{path}/approval", 409, "already_decided", json=APPROVAL)
        system.problem(
            "DELETE", f"/declarations/{declared['number']}", 409, "already_decided", params=code_of(declared)
        )
    assert files_that_hold(system, *personal_data_of(who)) == []


def test_a_withdrawn_declaration_leaves_nothing_of_its_person(tmp_path):
    with embedded_system(tmp_path) as system:
        officer, declared = system.sign_in(), system.submit(system.unregistered(), email_copy=True)
        who = declared["who"]
        officer.review(declared)
        until(lambda: system.sms_to(who.phone) and system.mails_to(who.email), "the messages")
        assert system.call("DELETE", f"/declarations/{declared['number']}", params=code_of(declared)).status_code == 204
        only_the_shell_is_left(system, declared, "withdrawn")
        until(lambda: officer.review(declared)["status"] == "withdrawn", "approval hears of it")
        assert officer.review(declared)["full_name"] is None
    assert files_that_hold(system, *personal_data_of(who)) == []


# interruptions


@pytest.mark.parametrize("how", ["SIGTERM", "killed"])
def test_a_restart_in_the_middle_loses_nothing_and_repeats_nothing(tmp_path, how):
    with embedded_system(tmp_path, SETTLE_AFTER=1) as system:

        def restart():
            system.stop() if how == "SIGTERM" else system.kill()
            system.start()

        officer = system.sign_in()
        declared = system.submit(email_copy=True)
        restart()
        officer.approve(declared)
        restart()
        until(lambda: "card_issued" in system.history(declared), "the card")
        who = declared["who"]
        assert first_password(system, who)
        # one that was being sent when its service was killed is looked up once its lease is over
        until(lambda: len(system.mails_to(who.email)) == len(system.sms_to(who.phone)) == 2, "two SMS and two mails")
        until(lambda: not system.rows("broker", "SELECT 1 FROM deliveries"), "every event is delivered")
        assert len(system.sms_to(who.phone)) == len(system.mails_to(who.email)) == 2
        assert system.history(declared) == ["submitted", "approved", "account_activated", "card_issued"]


def test_a_system_that_is_stopped_amid_requests_answers_them_first(tmp_path):
    with embedded_system(tmp_path) as system:
        people = [(system.newcomer(), system.photos()) for _ in range(6)]
        stopping = threading.Timer(0.05, system.process.send_signal, [signal.SIGTERM])

        def submit(who, photos):
            try:
                body = who.declaration(photos, email_copy=True)
                return requests.post(f"{system.base}/declarations", json=body, timeout=30).status_code
            except requests.ConnectionError:
                return None  # it no longer took connections

        stopping.start()
        answered = at_once(*(lambda one=one: submit(*one) for one in people))
        stopping.join()
        assert system.process.wait(STOPS_WITHIN) == 0
        system.start()
        assert set(answered) <= {201, 503, None}
        assert system.how_many("declarations") >= answered.count(201)


# the demo


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMQP_URL", "amqp://vssid:invented@192.0.2.1:5672/"),
        ("DATABASE_URL", "postgresql://vssid:invented@192.0.2.1/vssid"),
        ("STORE_URL", "s3://somebodys/pictures"),
        ("SMS_URL", "twilio://AC1:invented@?from=+15005550006"),
        ("SMS_URL", "file:/tmp/texts twilio://AC1:invented@?from=+15005550006"),
        ("MAIL_URL", "smtp://192.0.2.1"),
        ("REGISTER_URL", "https://register.example"),
        ("RATE_LIMIT_STORE", "redis://192.0.2.1:6379"),
    ],
)
def test_the_demo_touches_nothing_that_is_not_its_own(tmp_path, name, value):
    system = EmbeddedSystem(tmp_path, **{name: value})
    refused = subprocess.run([COMMAND, "demo"], env=system.environment, capture_output=True, timeout=60)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert name in refused.stderr.decode() and refused.stderr.count(b"\n") == 1
    assert not system.var.exists()


@pytest.mark.parametrize("command", ["run", "demo"])
def test_two_embedded_systems_do_not_share_their_files(tmp_path, command):
    with embedded_system(tmp_path / "first") as first:
        environment = first.environment | {"HTTP_PORT": str(free_port()), "DEMO_EXIT": "1"}
        refused = subprocess.run([COMMAND, command], env=environment, capture_output=True, timeout=60)
        assert refused.returncode == 1
        assert f"in use by process {first.process.pid}" in refused.stderr.decode()
        assert first.is_ready()
    first.start()  # whoever ended without a word leaves no lock
    first.kill()
    first.start()
    first.stop()


def test_the_demo_walks_the_whole_story_and_ends(tmp_path):
    system = EmbeddedSystem(tmp_path, DEMO_EXIT=1)

    def walk():
        walked = subprocess.run([COMMAND, "demo"], env=system.environment, capture_output=True, timeout=120)
        assert walked.returncode == 0, walked.stdout.decode() + walked.stderr.decode()
        return walked.stdout.decode()

    first, again = walk(), walk()
    for step in ("declaration submitted", "Form 01", "by e-mail", "approves", "Mat khau: ••••••", "card is issued"):
        assert step in first
    assert "the account exists from an earlier walk" in again
