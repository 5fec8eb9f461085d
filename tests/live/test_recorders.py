"""The recording carriers, spoken to by smtplib and the real twilio package."""

import json
import smtplib
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from tests.support.recorders import MailRecorder, TwilioRecorder

SENDER = "+15005550006"


@pytest.fixture
def mail() -> Iterator[MailRecorder]:
    with MailRecorder() as recorder:
        yield recorder


@pytest.fixture
def twilio() -> Iterator[TwilioRecorder]:
    with TwilioRecorder() as recorder:
        yield recorder


def mail_of(message_id: str = "<1.registration@vssid.example>", to: str = "an@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "VssID <no-reply@vssid.example>"
    message["To"] = to
    message["Subject"] = "Đã nhận tờ khai của bạn"
    message["Message-ID"] = message_id
    message.set_content("Tờ khai số 42.\nXin cảm ơn.")
    message.add_alternative("<p>Tờ khai số 42.</p>", subtype="html")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="form.pdf")
    return message


def post(recorder: MailRecorder, message: EmailMessage, timeout: float = 5) -> None:
    with smtplib.SMTP("127.0.0.1", recorder.port, timeout=timeout) as connection:
        connection.send_message(message)


def look(recorder: MailRecorder, path: str) -> Any:
    with urllib.request.urlopen(f"{recorder.api_url}/api/v1/{path}", timeout=5) as answer:
        return json.load(answer)


def client(recorder: TwilioRecorder, *, token: str | None = None, timeout: float = 5) -> Client:
    made = Client(recorder.account_sid, token or recorder.auth_token, http_client=TwilioHttpClient(timeout=timeout))
    made.api.base_url = recorder.base_url
    return made


def test_a_mail_is_kept_whole(mail: MailRecorder) -> None:
    post(mail, mail_of())

    (kept,) = mail.messages()
    assert kept.sender == "no-reply@vssid.example"
    assert kept.recipients == ("an@example.com",)
    assert kept.message_id == "1.registration@vssid.example"
    assert kept.subject == "Đã nhận tờ khai của bạn"
    assert kept.text == "Tờ khai số 42.\nXin cảm ơn."
    assert kept.html == "<p>Tờ khai số 42.</p>"
    assert [(part.name, part.content_type, part.content) for part in kept.attachments] == [
        ("form.pdf", "application/pdf", b"%PDF-1.7")
    ]


def test_a_mail_is_found_by_its_message_id_and_no_other(mail: MailRecorder) -> None:
    post(mail, mail_of("<1@vssid.example>"))
    post(mail, mail_of("<2@vssid.example>"))

    found = look(mail, f"search?query={quote('message-id:2@vssid.example')}")

    assert found["messages_count"] == 1
    assert found["total"] == 2
    assert [each["MessageID"] for each in found["messages"]] == ["2@vssid.example"]
    assert look(mail, f"search?query={quote('message-id:3@vssid.example')}")["messages"] == []


def test_the_inbox_shows_mails_newest_first_and_each_in_full(mail: MailRecorder) -> None:
    post(mail, mail_of("<1@vssid.example>"))
    post(mail, mail_of("<2@vssid.example>"))

    newest, oldest = look(mail, "messages")["messages"]
    full = look(mail, f"message/{newest['ID']}")

    assert oldest["MessageID"] == "1@vssid.example"
    assert newest["To"] == full["To"] == [{"Name": "", "Address": "an@example.com"}]
    assert full["From"] == {"Name": "VssID", "Address": "no-reply@vssid.example"}
    assert full["Text"] == "Tờ khai số 42.\nXin cảm ơn."
    assert [each["FileName"] for each in full["Attachments"]] == ["form.pdf"]


def test_a_mail_nobody_sent_is_404(mail: MailRecorder) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        look(mail, "message/unknown")


@pytest.mark.parametrize("code", [451, 554])
def test_a_refused_mail_is_not_kept_and_the_next_one_is(mail: MailRecorder, code: int) -> None:
    mail.sending.fail(code, times=1)

    with pytest.raises(smtplib.SMTPDataError) as refusal:
        post(mail, mail_of())
    post(mail, mail_of())

    assert refusal.value.smtp_code == code
    assert len(mail.messages()) == 1


def test_a_stalled_mail_is_not_kept(mail: MailRecorder) -> None:
    mail.sending.stall(30)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        post(mail, mail_of(), timeout=0.3)
    assert mail.messages() == []


def test_a_late_answer_finds_the_mail_kept_already(mail: MailRecorder) -> None:
    mail.sending.late(30)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        post(mail, mail_of(), timeout=0.3)
    assert len(mail.messages()) == 1


def test_a_dropped_connection_finds_the_mail_kept_already(mail: MailRecorder) -> None:
    mail.sending.drop()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        post(mail, mail_of())
    assert len(mail.messages()) == 1


def test_healing_lets_a_waiting_sender_go(mail: MailRecorder) -> None:
    mail.sending.late(60)
    sender = threading.Thread(target=post, args=(mail, mail_of()), kwargs={"timeout": 60})
    sender.start()
    mail.wait_until(lambda kept: len(kept) == 1)

    mail.heal()

    sender.join(timeout=10)
    assert not sender.is_alive()


def test_a_carrier_comes_back_on_the_same_port_with_all_it_kept(mail: MailRecorder) -> None:
    post(mail, mail_of())

    mail.stop()
    with pytest.raises(ConnectionRefusedError):
        post(mail, mail_of())
    mail.start()
    post(mail, mail_of())

    assert mail.counts() == Counter({("an@example.com", "Tờ khai số 42.\nXin cảm ơn."): 2})


def test_an_sms_is_answered_as_the_twilio_package_expects(twilio: TwilioRecorder) -> None:
    answer = client(twilio).messages.create(to="+84912345678", from_=SENDER, body="Ma OTP: 123456")

    (kept,) = twilio.messages()
    assert (answer.sid, answer.status, answer.body) == (kept.sid, "queued", "Ma OTP: 123456")
    assert answer.date_created == kept.sent_at.replace(microsecond=0)
    assert (kept.to, kept.sender, kept.body) == ("+84912345678", SENDER, "Ma OTP: 123456")
    assert client(twilio).messages(kept.sid).fetch().to == "+84912345678"


def test_sms_are_looked_up_by_recipient_newest_first(twilio: TwilioRecorder) -> None:
    carrier = client(twilio)
    for to, body in (("+84911111111", "1"), ("+84922222222", "2"), ("+84911111111", "3")):
        carrier.messages.create(to=to, from_=SENDER, body=body)

    assert [each.body for each in carrier.messages.list(to="+84911111111")] == ["3", "1"]


def test_sms_are_looked_up_by_time(twilio: TwilioRecorder) -> None:
    carrier = client(twilio)
    carrier.messages.create(to="+84911111111", from_=SENDER, body="1")
    (kept,) = twilio.messages()
    second = timedelta(seconds=1)

    assert len(carrier.messages.list(date_sent_after=kept.sent_at)) == 1
    assert carrier.messages.list(date_sent_after=kept.sent_at + second) == []
    assert len(carrier.messages.list(date_sent_before=kept.sent_at)) == 1
    assert carrier.messages.list(date_sent_before=kept.sent_at - second) == []
    assert len(carrier.messages.list(date_sent=kept.sent_at.date().isoformat())) == 1
    assert carrier.messages.list(date_sent=(kept.sent_at - timedelta(days=1)).date().isoformat()) == []


def test_a_look_up_over_many_pages_misses_and_repeats_nothing(twilio: TwilioRecorder) -> None:
    carrier = client(twilio)
    for number in range(7):
        carrier.messages.create(to="+84911111111", from_=SENDER, body=str(number))

    found = [each.body for each in carrier.messages.stream(to="+84911111111", page_size=3)]

    assert found == ["6", "5", "4", "3", "2", "1", "0"]


def test_every_sms_has_a_sid_of_its_own(twilio: TwilioRecorder) -> None:
    carrier = client(twilio)
    senders = [
        threading.Thread(
            target=carrier.messages.create, kwargs={"to": "+84911111111", "from_": SENDER, "body": "the same"}
        )
        for _ in range(20)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert len({sms.sid for sms in twilio.messages()}) == 20
    assert twilio.counts() == Counter({("+84911111111", "the same"): 20})


def test_a_wrong_token_and_a_wrong_number_are_refused_in_twilios_words(twilio: TwilioRecorder) -> None:
    with pytest.raises(TwilioRestException) as stranger:
        client(twilio, token="wrong").messages.create(to="+84911111111", from_=SENDER, body="x")
    with pytest.raises(TwilioRestException) as number:
        client(twilio).messages.create(to="0912345678", from_=SENDER, body="x")

    assert (stranger.value.status, stranger.value.code) == (401, 20003)
    assert (number.value.status, number.value.code) == (400, 21211)
    assert twilio.messages() == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_refused_sms_is_not_kept_and_the_next_one_is(twilio: TwilioRecorder, status: int) -> None:
    twilio.sending.fail(status, times=1)

    with pytest.raises(TwilioRestException) as refusal:
        client(twilio).messages.create(to="+84911111111", from_=SENDER, body="x")
    client(twilio).messages.create(to="+84911111111", from_=SENDER, body="x")

    assert refusal.value.status == status
    assert len(twilio.messages()) == 1


def test_a_stalled_sms_is_not_kept(twilio: TwilioRecorder) -> None:
    twilio.sending.stall(30)
    with pytest.raises(requests.Timeout):
        client(twilio, timeout=0.3).messages.create(to="+84911111111", from_=SENDER, body="x")
    assert twilio.messages() == []


def test_an_sms_answered_too_late_is_found_by_looking_it_up(twilio: TwilioRecorder) -> None:
    twilio.sending.late(30)
    carrier = client(twilio, timeout=0.3)

    with pytest.raises(requests.Timeout):
        carrier.messages.create(to="+84911111111", from_=SENDER, body="x")

    assert [each.body for each in carrier.messages.list(to="+84911111111")] == ["x"]


def test_an_sms_whose_connection_was_dropped_is_found_by_looking_it_up(twilio: TwilioRecorder) -> None:
    twilio.sending.drop()
    with pytest.raises(requests.ConnectionError):
        client(twilio).messages.create(to="+84911111111", from_=SENDER, body="x")
    assert len(client(twilio).messages.list(to="+84911111111")) == 1


def test_look_ups_fail_by_a_switch_of_their_own(twilio: TwilioRecorder) -> None:
    twilio.looking_up.fail(503, times=1)
    client(twilio).messages.create(to="+84911111111", from_=SENDER, body="x")

    # The package reports a failed list without a status of its own.
    with pytest.raises(Exception, match="Unable to fetch page"):
        client(twilio).messages.list()
    assert len(client(twilio).messages.list()) == 1


def test_waiting_in_vain_says_what_was_there(twilio: TwilioRecorder) -> None:
    client(twilio).messages.create(to="+84911111111", from_=SENDER, body="only this")
    with pytest.raises(TimeoutError, match="only this"):
        twilio.wait_until(lambda kept: len(kept) == 2, seconds=0.1)
