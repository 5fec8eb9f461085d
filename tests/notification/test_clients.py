"""The carriers' clients, against servers on loopback that really speak their protocol."""

import email
import email.policy
import json
import socket
from base64 import b64decode
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest

from services.notification.clients import mail_carriers, sms_carriers
from services.notification.clients.carrier import CarrierRefused, OutgoingMessage
from services.notification.domain.outcome import Deferred, Rejected
from shared.language.clock import utc_now
from shared.settings import Settings, SettingsError
from tests.support.events import AT
from tests.support.http_server import HttpServer

TEXT = "BHXH VN: Tài khoản: 7900000017 Mật khẩu: ABCDE23456 (thử)"


@pytest.fixture
def sms():
    return OutgoingMessage(message_id="message-1", queued_at=AT, recipient="+84912345678", text=TEXT)


@pytest.fixture
def mail():
    return OutgoingMessage(
        message_id="message-2",
        queued_at=AT,
        recipient="tran.thi.mau@vidu.example",
        subject="Đã nhận tờ khai 2026-0000001",
        text="Kính gửi Ông/Bà\n.dòng bắt đầu bằng dấu chấm\n..hai chấm\n",
        html="<p>Kính gửi Ông/Bà</p>",
        attachment=b"%PDF-1.7 thu",
        attachment_name="to-khai-2026-0000001.pdf",
    )


def sms_over(url, **changes):
    return sms_carriers(Settings(sms_url=url, carrier_timeout=0.5, **changes)).in_order[0].carrier


def mail_over(url, **changes):
    return mail_carriers(Settings(mail_url=url, carrier_timeout=0.5, **changes)).in_order[0].carrier


def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


# settings


@pytest.mark.parametrize("url", ["carrier-pigeon://x", "twilio://@?from=+1", "smtp://host:port", "twilio://a:b@?to=1"])
def test_an_sms_url_that_cannot_be_used_is_refused_at_the_start(url):
    with pytest.raises(SettingsError, match="SMS_URL"):
        sms_over(url)


def test_mail_does_not_go_by_twilio():
    with pytest.raises(SettingsError, match="MAIL_URL"):
        mail_over("twilio://a:b@?from=+1")


def test_without_carriers_messages_are_written_to_the_outbox_folder(tmp_path, sms):
    sms_carriers(Settings(var_dir=str(tmp_path))).in_order[0].carrier.send(sms, AT)
    assert len(list((tmp_path / "outbox").glob("sms-*.json"))) == 1


# files


def test_an_sms_becomes_one_file_however_often_it_is_sent(tmp_path, sms):
    carrier = sms_over(f"file:{tmp_path}/out")
    assert carrier.find(sms) is False
    carrier.send(sms, AT)
    carrier.send(sms, AT)
    (file,) = (tmp_path / "out").iterdir()
    assert file.match("sms-*-message-1.json")
    assert json.loads(file.read_text("utf-8")) == {"to": "+84912345678", "body": TEXT, "sent_at": AT.isoformat()}
    assert carrier.find(sms) is True


def test_a_mail_becomes_one_file_that_mail_programs_open(tmp_path, mail):
    mail_over(f"file://{tmp_path}").send(mail, AT)
    (file,) = tmp_path.glob("mail-*.eml")
    read = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert read["Subject"] == mail.subject
    assert read["To"] == mail.recipient
    assert read.get_body(("plain",)).get_content() == mail.text
    assert read.get_body(("html",)).get_content().strip() == mail.html
    (attached,) = read.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("to-khai-2026-0000001.pdf", b"%PDF-1.7 thu")


def test_files_sort_by_the_time_they_were_queued(tmp_path, sms):
    carrier = sms_over(f"file:{tmp_path}")
    for name, second in (("a", 2), ("b", 1)):
        carrier.send(replace(sms, message_id=name, queued_at=AT.replace(second=second)), AT)
    assert [file.stem[-1] for file in sorted(tmp_path.glob("sms-*.json"))] == ["b", "a"]


def test_a_folder_that_cannot_be_written_fails_before_the_message_may_be_sent(tmp_path, sms):
    carrier = sms_over(f"file:{tmp_path}/out")
    (tmp_path / "out").rmdir()
    (tmp_path / "out").touch()
    with pytest.raises(OSError, match="out"):
        carrier.send(sms, AT)
    assert not sms.may_be_sent


def test_a_folder_that_cannot_be_made_is_refused_at_the_start(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=f"SMS_URL is not usable: {tmp_path}/file/out: Not a directory"):
        sms_over(f"file:{tmp_path}/file/out")


# SMTP


def test_a_mail_arrives_whole(mail_server, mail):
    mail_over(mail_server.url).send(mail, AT)
    (received,) = mail_server.messages()
    assert received.recipients == (mail.recipient,)
    assert received.sender == "khong-tra-loi@vssid.example"
    assert received.subject == mail.subject
    assert received.text == mail.text.rstrip("\n")
    assert received.html == mail.html
    assert [(one.name, one.content) for one in received.attachments] == [("to-khai-2026-0000001.pdf", b"%PDF-1.7 thu")]
    assert received.headers["Auto-Submitted"] == "auto-generated"


def test_lines_that_begin_with_a_dot_arrive_as_they_are(mail_server, mail):
    mail.text, mail.html, mail.attachment = "first\n.\n..two\n.end\n", None, None
    mail_over(mail_server.url).send(mail, AT)
    assert mail_server.messages()[0].text == "first\n.\n..two\n.end"


def test_the_message_id_is_the_same_in_every_attempt(mail_server, mail):
    carrier = mail_over(mail_server.url, mail_from="VssID <no-reply@vssid.example>")
    carrier.send(mail, AT)
    carrier.send(mail, AT)
    assert [one.message_id for one in mail_server.messages()] == ["message-2@vssid.example"] * 2


def test_an_sms_may_travel_as_mail_to_its_number(mail_server, sms):
    sms_over(mail_server.url).send(sms, AT)
    assert mail_server.counts() == {("+84912345678@sms.sandbox", TEXT): 1}
    assert mail_server.messages()[0].subject == "SMS"


@pytest.mark.parametrize(("code", "kind"), [(451, Deferred), (421, Deferred), (550, Rejected), (554, Rejected)])
def test_a_refusal_at_the_end_of_a_mail_says_what_follows(mail_server, mail, code, kind):
    mail_server.sending.fail(code)
    with pytest.raises(CarrierRefused) as refused:
        mail_over(mail_server.url).send(mail, AT)
    assert refused.value.outcome == kind(f"smtp_{code}")
    assert mail_server.messages() == []


def test_a_server_that_is_not_there_has_nothing(mail):
    with pytest.raises(ConnectionRefusedError):
        mail_over(f"smtp://127.0.0.1:{closed_port()}").send(mail, AT)
    assert not mail.may_be_sent


def test_a_server_that_says_nothing_to_begin_with_has_nothing(mail):
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OSError, match="timed out"):
        mail_over(f"smtp://127.0.0.1:{silent.getsockname()[1]}").send(mail, AT)
    assert not mail.may_be_sent


@pytest.mark.parametrize("fault", ["late", "stall", "drop"])
def test_a_server_that_does_not_answer_the_last_dot_may_have_it(mail_server, mail, fault):
    getattr(mail_server.sending, fault)(*(() if fault == "drop" else (5,)))
    with pytest.raises(OSError, match="onnection"):
        mail_over(mail_server.url).send(mail, AT)
    assert mail.may_be_sent


def test_a_mail_is_looked_up_by_its_id(mail_server, mail):
    carrier = mail_over(f"{mail_server.url}?lookup={quote(mail_server.api_url)}")
    assert carrier.find(mail) is False
    carrier.send(mail, AT)
    assert carrier.find(mail) is True
    assert carrier.find(replace(mail, message_id="message-20")) is False


def test_an_inbox_that_asks_for_a_password_is_shown_it(mail_server, mail):
    with HttpServer(body=b'{"messages": []}') as inbox:
        with_password = inbox.url.replace("//", "//vssid:b-_Q=@")
        assert mail_over(f"{mail_server.url}?lookup={with_password}").find(mail) is False
        inbox.shutdown()
    ((_, shown),) = inbox.asked
    assert b64decode(shown.removeprefix("Basic ")) == b"vssid:b-_Q="


def test_without_an_inbox_a_mail_cannot_be_looked_up(mail_server, mail):
    assert mail_over(mail_server.url).find(mail) is None


@pytest.mark.parametrize("fault", ["fail", "stall"])
def test_a_look_up_without_an_answer_is_no_answer(mail_server, mail, fault):
    getattr(mail_server.looking_up, fault)(503)
    with pytest.raises(CarrierRefused) as refused:
        mail_over(f"{mail_server.url}?lookup={mail_server.api_url}").find(mail)
    assert refused.value.outcome.code.startswith("lookup_")


def test_a_look_up_follows_no_redirect(mail_server, mail):
    with HttpServer() as inbox, HttpServer() as other:
        inbox.status, inbox.headers = 302, {"Location": other.url}
        with pytest.raises(CarrierRefused) as refused:
            mail_over(f"{mail_server.url}?lookup={inbox.url}").find(mail)
        inbox.shutdown()
        other.shutdown()
    assert (len(inbox.asked), other.asked) == (1, [])
    assert refused.value.outcome.code.startswith("lookup_")


# Twilio


def test_an_sms_arrives_by_twilio(twilio, sms):
    sms_over(twilio.url).send(sms, AT)
    assert twilio.counts() == {("+84912345678", TEXT): 1}
    assert twilio.messages()[0].sender == "+15005550006"


def test_a_sender_may_be_written_with_a_bare_plus(twilio, sms):
    url = f"twilio://{twilio.account_sid}:{twilio.auth_token}@?from=+15005550006&base_url={twilio.base_url}"
    sms_over(url).send(sms, AT)
    assert twilio.messages()[0].sender == "+15005550006"


def test_a_number_twilio_does_not_take_is_refused_for_good(twilio, sms):
    with pytest.raises(CarrierRefused) as refused:
        sms_over(twilio.url).send(replace(sms, recipient="12345"), AT)
    assert refused.value.outcome == Rejected("twilio_21211")


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_a_fault_of_our_account_defers_the_message(twilio, sms, status):
    twilio.sending.fail(status)
    with pytest.raises(CarrierRefused) as refused:
        sms_over(twilio.url).send(sms, AT)
    assert refused.value.outcome == Deferred(f"twilio_20{status}")


def test_a_wrong_token_defers_the_message(twilio, sms):
    with pytest.raises(CarrierRefused) as refused:
        sms_over(twilio.url.replace(twilio.auth_token, "wrong")).send(sms, AT)
    assert refused.value.outcome == Deferred("twilio_20003")


@pytest.mark.parametrize("status", [500, 502, 503])
def test_after_an_error_of_twilio_s_own_the_message_may_be_sent(twilio, sms, status):
    twilio.sending.fail(status)
    with pytest.raises(Exception, match="HTTP 50"):
        sms_over(twilio.url).send(sms, AT)
    assert sms.may_be_sent


def test_where_there_is_no_connection_twilio_has_nothing(sms):
    url = f"twilio://AC1:token@?from=%2B15005550006&base_url=http://127.0.0.1:{closed_port()}"
    with pytest.raises(CarrierRefused) as refused:
        sms_over(url).send(sms, AT)
    assert refused.value.outcome == Deferred("not_reached")


@pytest.mark.parametrize("fault", ["late", "stall", "drop"])
def test_a_twilio_that_does_not_answer_may_have_it(twilio, sms, fault):
    getattr(twilio.sending, fault)(*(() if fault == "drop" else (5,)))
    with pytest.raises(OSError, match=r"onnection|timed out"):
        sms_over(twilio.url).send(sms, AT)
    assert sms.may_be_sent


def test_an_sms_is_looked_up_by_recipient_and_text(twilio, sms):
    carrier = sms_over(twilio.url)
    now = replace(sms, queued_at=sms.queued_at.replace(year=2020))
    assert carrier.find(now) is False
    carrier.send(now, AT)
    assert carrier.find(now) is True
    assert carrier.find(replace(now, text="Another text")) is False
    assert carrier.find(replace(now, recipient="+84987654321")) is False


def test_where_texts_are_redacted_a_message_is_looked_up_by_recipient_and_time(twilio, sms):
    twilio.redacts = True
    now, over = utc_now(), sms_over(twilio.url)
    earlier = replace(sms, queued_at=now)
    assert over.find(earlier) is False
    over.send(earlier, now)
    assert over.find(earlier) is True
    assert over.find(replace(earlier, recipient="+84987654321")) is False
    assert over.find(replace(earlier, queued_at=now + timedelta(seconds=30))) is False


@pytest.mark.parametrize("redacts", [True, False])
@pytest.mark.parametrize("ahead", [-15, 15, 600], ids=str)
def test_a_look_up_goes_by_the_clock_of_twilio(twilio, sms, redacts, ahead):
    twilio.redacts, twilio.ahead = redacts, timedelta(minutes=ahead)
    over, own = sms_over(twilio.url), replace(sms, queued_at=utc_now())
    assert over.find(own) is False
    over.send(own, utc_now())
    assert over.find(own) is True


@pytest.mark.parametrize("code", [14107, 20429, 21611, 30001, 30022, 63018])
@pytest.mark.parametrize("status", [400, 403, 429])
def test_a_code_that_means_later_is_not_final_whatever_its_status(twilio, sms, status, code):
    twilio.refusal = (status, code)
    with pytest.raises(CarrierRefused) as refused:
        sms_over(twilio.url).send(sms, AT)
    assert refused.value.outcome == Deferred(f"twilio_{code}")


@pytest.mark.parametrize("code", [21211, 21610, 21614, 21617])
def test_a_code_that_means_never_is_final(twilio, sms, code):
    twilio.refusal = (400, code)
    with pytest.raises(CarrierRefused) as refused:
        sms_over(twilio.url).send(sms, AT)
    assert refused.value.outcome == Rejected(f"twilio_{code}")


def test_the_same_text_from_long_before_is_not_this_message(twilio, sms):
    carrier = sms_over(twilio.url)
    carrier.send(sms, AT)
    assert carrier.find(replace(sms, queued_at=AT.replace(year=2999))) is False


@pytest.mark.parametrize("fault", ["fail", "stall"])
def test_a_twilio_that_cannot_be_asked_is_no_answer(twilio, sms, fault):
    getattr(twilio.looking_up, fault)(500)
    with pytest.raises(CarrierRefused) as refused:
        sms_over(twilio.url).find(sms)
    assert refused.value.outcome.code.startswith("lookup_")


def test_nothing_of_a_person_is_in_the_repr_of_a_message(sms):
    assert "+84912345678" not in repr(sms)
    assert "ABCDE23456" not in repr(sms)
