"""Whether a message arrived: call-backs by the rules and through the service, and the mail that replaces an SMS."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from services.notification import handlers, models
from services.notification.clients import sms_carriers
from services.notification.clients.twilio import STATUSES, delivery_report
from services.notification.domain.delivery import RANKS, Delivery, DeliveryReport
from services.notification.domain.retry import MESSAGE_LIFETIME
from services.notification.schemas.message import MessageView
from shared.language.clock import utc_now
from shared.language.errors import Forbidden, NotFound
from shared.settings import Settings
from tests.notification.driving import PASSWORD, account_activated_sealed, send_until, settled, submitted_now
from tests.notification.test_message import message
from tests.support.events import AT, declaration_rejected, declaration_withdrawn
from tests.support.people import CONTACT
from tests.support.recorders import TwilioRecorder

PUBLIC = "https://vssid.example"
FINAL = ("delivered", "undelivered", "failed")


@pytest.fixture
def service(service_with, twilio, mail_server):
    return service_with(sms_url=twilio.url, mail_url=mail_server.url, public_url=PUBLIC)


def call_back(service, recorder, sms, status, *, signature=None, **fields):
    """Pass a signed call-back to the service, as the gateway does."""
    form, signed = recorder.signed(sms, status, **fields)
    message_id = sms.status_callback.rpartition("/")[2]
    service.note_delivery(message_id, sms.status_callback, form, signed if signature is None else signature)
    service.workers.wait_idle()


def activate_account(service, **changes):
    service.on_account_activated(account_activated_sealed(service, **changes))
    service.workers.wait_idle()


def state_of(rows):
    (row,) = rows()
    return row.state, row.delivery


# the rules


@given(st.lists(st.sampled_from(Delivery)))
def test_delivery_only_goes_forward_and_what_is_final_stays(reports):
    one, seen = message(state="sent"), []
    for step in reports:
        news = one.report(DeliveryReport(step), AT)
        assert news == (RANKS[step] > max((RANKS[before] for before in seen), default=0))
        seen.append(step)
    finals = [step for step in reports if step in FINAL]
    assert one.delivery == (finals[0] if finals else max(reports, key=RANKS.get, default=None))
    assert (one.delivered_at is not None) == (one.delivery == "delivered")


@given(st.dictionaries(st.sampled_from(["MessageStatus", "ErrorCode", "To"]), st.text(max_size=20)))
def test_any_form_is_understood_or_says_nothing(form):
    report = delivery_report(form)
    assert (report and report.delivery) == STATUSES.get(form.get("MessageStatus"))
    if report is not None and report.code is not None:
        assert report.delivery in ("undelivered", "failed")
        assert report.code == f"twilio_{form['ErrorCode']}"


@pytest.mark.parametrize(
    ("form", "report"),
    [
        ({}, None),
        ({"MessageStatus": "a-word-of-tomorrow"}, None),
        ({"MessageStatus": "accepted"}, DeliveryReport(Delivery.QUEUED)),
        ({"MessageStatus": "scheduled"}, DeliveryReport(Delivery.QUEUED)),
        ({"MessageStatus": "queued"}, DeliveryReport(Delivery.QUEUED)),
        ({"MessageStatus": "sending"}, DeliveryReport(Delivery.QUEUED)),
        ({"MessageStatus": "sent"}, DeliveryReport(Delivery.SENT)),
        ({"MessageStatus": "delivered"}, DeliveryReport(Delivery.DELIVERED)),
        ({"MessageStatus": "read"}, DeliveryReport(Delivery.DELIVERED)),
        ({"MessageStatus": "delivered", "ErrorCode": "30003"}, DeliveryReport(Delivery.DELIVERED)),
        ({"MessageStatus": "undelivered", "ErrorCode": "30003"}, DeliveryReport(Delivery.UNDELIVERED, "twilio_30003")),
        ({"MessageStatus": "undelivered", "ErrorCode": "3000³"}, DeliveryReport(Delivery.UNDELIVERED)),
        ({"MessageStatus": "failed", "ErrorCode": "1234567"}, DeliveryReport(Delivery.FAILED)),
        ({"MessageStatus": "canceled"}, DeliveryReport(Delivery.FAILED)),
    ],
)
def test_a_status_of_twilio_says_how_far_a_message_came(form, report):
    assert delivery_report(form) == report


# call-backs


def test_twilio_is_told_where_to_call_back(service, twilio, rows):
    activate_account(service)
    assert twilio.messages()[0].status_callback == f"{PUBLIC}/hooks/twilio/{rows()[0].message_id}"


@pytest.mark.parametrize("public_url", ["", "http://127.0.0.1:8000", "http://localhost"])
def test_twilio_itself_is_not_asked_to_call_where_it_cannot_reach(public_url):
    url = "twilio://AC1:token@?from=%2B15005550006"
    assert sms_carriers(Settings(sms_url=url, public_url=public_url)).in_order[0].carrier.reports is False
    assert sms_carriers(Settings(sms_url=url, public_url=PUBLIC)).in_order[0].carrier.reports is True


def test_the_status_that_twilio_reports_is_kept_with_the_message(service, twilio, rows):
    activate_account(service)
    (sms,) = twilio.messages()
    for status, known in (("queued", "queued"), ("sending", "queued"), ("sent", "sent"), ("delivered", "delivered")):
        call_back(service, twilio, sms, status)
        assert state_of(rows) == ("sent", known)
    assert rows()[0].delivered_at is not None


def test_doubled_and_overtaken_call_backs_change_nothing(service, twilio, mail_server, rows):
    activate_account(service)
    (sms,) = twilio.messages()
    call_back(service, twilio, sms, "delivered")
    (kept,) = rows()
    for status in ("delivered", "sent", "queued", "undelivered", "failed"):
        call_back(service, twilio, sms, status)
    (later,) = rows()
    assert (later.delivery, later.delivered_at, later.code) == ("delivered", kept.delivered_at, None)
    assert len(mail_server.messages()) == 1


def test_a_status_that_says_nothing_of_delivery_changes_nothing(service, twilio, rows):
    activate_account(service)
    call_back(service, twilio, twilio.messages()[0], "a-word-of-tomorrow")
    assert state_of(rows) == ("sent", None)


@pytest.mark.parametrize("signature", ["", "forged", "ü" * 28, "A" * 27 + "="])
def test_a_forged_signature_changes_nothing(service, twilio, rows, signature):
    activate_account(service)
    with pytest.raises(Forbidden, match="wrong_signature"):
        call_back(service, twilio, twilio.messages()[0], "undelivered", signature=signature)
    assert state_of(rows) == ("sent", None)


def test_a_call_back_that_was_changed_on_its_way_changes_nothing(service, twilio, rows):
    activate_account(service)
    (sms,) = twilio.messages()
    form, signature = twilio.signed(sms, "delivered")
    message_id, url = rows()[0].message_id, sms.status_callback
    for changed in (
        (message_id, url, {**form, "MessageStatus": "failed"}, signature),
        (message_id, f"{url}x", form, signature),
        (message_id, f"{url}?token=1", form, signature),
        (message_id, url, {}, signature),
    ):
        with pytest.raises(Forbidden):
            service.note_delivery(*changed)
    assert state_of(rows) == ("sent", None)


def test_a_message_that_is_not_there_is_not_found(service, twilio):
    activate_account(service)
    (sms,) = twilio.messages()
    strange = replace(sms, status_callback=f"{PUBLIC}/hooks/twilio/nobody")
    with pytest.raises(NotFound):
        call_back(service, twilio, strange, "delivered")


def test_a_carrier_is_believed_about_its_own_messages_only(service_with, twilio, rows):
    with TwilioRecorder() as second:
        service = service_with(sms_url=f"{twilio.url} {second.url}", public_url=PUBLIC)
        activate_account(service)
        (sms,) = twilio.messages()
        with pytest.raises(Forbidden):
            call_back(service, second, sms, "delivered")
        call_back(service, twilio, sms, "delivered")
    assert state_of(rows) == ("sent", "delivered")


def test_a_message_without_a_twilio_has_no_call_backs(service_with, twilio, mail_server, rows):
    service = service_with(sms_url=mail_server.url, mail_url=mail_server.url, public_url=PUBLIC)
    activate_account(service)
    for row in (*rows("sms"), *rows("mail")):
        url = f"{PUBLIC}/hooks/twilio/{row.message_id}"
        with pytest.raises(Forbidden):
            service.note_delivery(row.message_id, url, {"MessageStatus": "delivered"}, "signature")


def test_a_call_back_settles_what_was_unknown(service_with, twilio, rows):
    service = service_with(sms_url=twilio.url, public_url=PUBLIC, settle_after=60.0)
    twilio.sending.drop(times=1)
    activate_account(service)
    assert [one.state for one in rows()] == ["unknown"]
    call_back(service, twilio, twilio.messages()[0], "sent")
    (row,) = rows()
    assert (row.state, row.delivery, row.settled_by, row.recipient, row.sealed) == (
        *("sent", "sent", "callback"),
        *(None, None),
    )


# the mail that replaces an SMS


@pytest.mark.parametrize("status", ["undelivered", "failed"])
def test_an_account_message_that_did_not_arrive_is_replaced_by_a_mail_once(service, twilio, mail_server, rows, status):
    activate_account(service)
    (sms,) = twilio.messages()
    for told in (status, status, "failed", "undelivered", "delivered"):
        call_back(service, twilio, sms, told, ErrorCode="30003")
    send_until(service, settled(rows, "mail"))
    (row,) = rows()
    assert (row.state, row.delivery, row.code, row.fallback) == ("sent", status, "twilio_30003", None)
    _, second = mail_server.messages()
    assert second.recipients == (CONTACT.email,)
    assert second.subject == "Tin nhắn mật khẩu của tờ khai 2026-0000001 chưa đến được"
    assert "7900000017" in second.text and "1900 9068" in second.text
    for mail in mail_server.messages():
        assert PASSWORD not in mail.text + mail.html + str(mail.headers)


def test_the_mail_that_replaces_an_sms_is_written_in_the_language_of_its_reader(service, twilio, mail_server, rows):
    activate_account(service, contact=replace(CONTACT, language="en"))
    call_back(service, twilio, twilio.messages()[0], "undelivered")
    send_until(service, settled(rows, "mail"))
    assert mail_server.messages()[1].subject == "The password message of declaration 2026-0000001 did not arrive"


def test_an_account_message_that_no_carrier_accepts_is_replaced_by_a_mail_too(service, mail_server, rows):
    activate_account(service, contact=replace(CONTACT, phone="12345"))
    send_until(service, settled(rows, "mail"))
    assert [(one.state, one.code, one.fallback) for one in rows()] == [("failed", "twilio_21211", None)]
    assert len(mail_server.messages()) == 2


def test_without_an_address_there_is_no_mail(service, twilio, mail_server, rows):
    activate_account(service, contact=replace(CONTACT, email=None))
    call_back(service, twilio, twilio.messages()[0], "undelivered")
    assert (state_of(rows), mail_server.messages()) == (("sent", "undelivered"), [])


def test_where_the_mail_said_the_same_already_there_is_no_second_one(service, twilio, mail_server):
    for receive in (
        lambda: service.on_declaration_acknowledged(submitted_now()),
        lambda: service.on_declaration_rejected(declaration_rejected()),
    ):
        receive()
        service.workers.wait_idle()
        call_back(service, twilio, twilio.messages()[-1], "undelivered")
    assert len(mail_server.messages()) == 2


def test_the_address_is_kept_sealed_until_the_message_arrived(service, twilio, rows, database):
    activate_account(service)
    (row,) = rows()
    assert row.fallback is not None
    with database.begin() as session:
        stored = str(session.execute(sa.select(models.messages)).all())
    assert CONTACT.email not in stored and "Mẫu" not in stored
    call_back(service, twilio, twilio.messages()[0], "delivered")
    assert rows()[0].fallback is None


def test_where_no_report_will_come_nothing_is_kept(service_with, twilio, rows):
    service = service_with(sms_url=twilio.url)
    activate_account(service)
    assert twilio.messages()[0].status_callback == ""
    assert [(one.state, one.fallback) for one in rows()] == [("sent", None)]


def test_after_72_hours_without_a_report_it_is_forgotten(service, rows):
    activate_account(service)
    with service.database.begin() as session:
        handlers.forget_fallbacks(session, at=utc_now() + MESSAGE_LIFETIME - timedelta(minutes=1))
    assert rows()[0].fallback is not None
    with service.database.begin() as session:
        handlers.forget_fallbacks(session, at=utc_now() + MESSAGE_LIFETIME + timedelta(minutes=1))
    assert rows()[0].fallback is None


def test_the_timer_forgets_nothing_too_early(service, rows):
    activate_account(service)
    service.forget_fallbacks()
    assert rows()[0].fallback is not None


def test_after_a_withdrawal_no_mail_replaces_an_sms(service, twilio, mail_server, rows):
    activate_account(service)
    service.on_declaration_withdrawn(declaration_withdrawn())
    call_back(service, twilio, twilio.messages()[0], "undelivered")
    assert (state_of(rows), rows()[0].fallback, len(mail_server.messages())) == (("sent", "undelivered"), None, 1)


# what officers see


def test_what_was_sent_about_a_declaration_is_listed(service, twilio, rows):
    service.on_declaration_acknowledged(submitted_now())
    service.workers.wait_idle()
    activate_account(service)
    call_back(service, twilio, twilio.messages()[1], "undelivered", ErrorCode="30003")
    send_until(service, settled(rows, "mail"))
    listed = service.list_messages("declaration-1")
    assert [(one["occasion"], one["channel"], one["recipient"], one["state"], one["delivery"]) for one in listed] == [
        ("declaration_submitted", "sms", "+84•••••678", "sent", None),
        ("declaration_submitted", "mail", "t•••@vidu.example", "sent", None),
        ("account_activated", "sms", "+84•••••678", "sent", "undelivered"),
        ("account_activated", "mail", "t•••@vidu.example", "sent", None),
        ("sms_undelivered", "mail", "t•••@vidu.example", "sent", None),
    ]
    for one in listed:
        assert set(one) == set(MessageView().fields)
        assert one["queued_at"] <= one["sent_at"] and one["delivered_at"] is None
    assert service.list_messages("another") == []


def test_what_waits_or_failed_was_not_sent(service, twilio):
    twilio.stop()
    activate_account(service, contact=replace(CONTACT, email=None))
    (waiting,) = service.list_messages("declaration-1")
    twilio.start()
    assert (waiting["state"], waiting["sent_at"]) == ("queued", None)
