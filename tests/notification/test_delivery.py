"""Whether a message arrived: call-backs by the rules and through the counter, and the mail that stands in."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from services.notification import handlers, models
from services.notification.clients import sms_carriers
from services.notification.domain.delivery import RANKS, TWILIO, Delivery
from services.notification.domain.message import PATIENCE
from services.notification.schemas.message import MessageView, delivery_told
from shared.language.clock import utc_now
from shared.language.errors import Forbidden, NotFound
from shared.settings import Settings
from tests.notification.desk import PASSWORD, over, quiet, rounds, sealed
from tests.notification.test_message import message
from tests.support.facts import AT, CONTACT
from tests.support.notification_facts import declaration_rejected, declaration_submitted, declaration_withdrawn
from tests.support.recorders import TwilioRecorder

PUBLIC = "https://vssid.example"
FINAL = ("delivered", "undelivered", "failed")


@pytest.fixture
def desk(desk_with, twilio, mail_server):
    return desk_with(sms_url=twilio.url, mail_url=mail_server.url, public_url=PUBLIC)


def call_back(desk, recorder, sms, status, *, signature=None, **fields):
    """Bring a signed call-back to the counter, as the gateway does."""
    form, signed = recorder.signed(sms, status, **fields)
    message_id = sms.status_callback.rpartition("/")[2]
    desk.note_delivery(message_id, sms.status_callback, form, signed if signature is None else signature)
    quiet(desk)


def hear_approval(desk, **changes):
    desk.on_account_activated(sealed(desk, **changes))
    quiet(desk)


def state_of(rows):
    (row,) = rows()
    return row.state, row.delivery


# the rules


@given(st.lists(st.sampled_from(Delivery)))
def test_delivery_only_goes_forward_and_what_is_final_stays(told):
    one, seen = message(state="sent"), []
    for step in told:
        news = one.report(step, None, AT)
        assert news == (RANKS[step] > max((RANKS[before] for before in seen), default=0))
        seen.append(step)
    finals = [step for step in told if step in FINAL]
    assert one.delivery == (finals[0] if finals else max(told, key=RANKS.get, default=None))
    assert (one.delivered_at is not None) == (one.delivery == "delivered")


@given(st.dictionaries(st.sampled_from(["MessageStatus", "ErrorCode", "To"]), st.text(max_size=20)))
def test_any_form_is_understood_or_says_nothing(form):
    told, code = delivery_told(form)
    assert told == TWILIO.get(form.get("MessageStatus"))
    assert code is None or (told in ("undelivered", "failed") and code.removeprefix("twilio_").isdigit())


# call-backs


def test_twilio_is_told_where_to_call_back(desk, twilio, rows):
    hear_approval(desk)
    assert twilio.messages()[0].status_callback == f"{PUBLIC}/hooks/twilio/{rows()[0].message_id}"


@pytest.mark.parametrize("public_url", ["", "http://127.0.0.1:8000", "http://localhost"])
def test_twilio_itself_is_not_asked_to_call_where_it_cannot_reach(public_url):
    url = "twilio://AC1:token@?from=%2B15005550006"
    assert sms_carriers(Settings(sms_url=url, public_url=public_url)).lines[0].carrier.reports is False
    assert sms_carriers(Settings(sms_url=url, public_url=PUBLIC)).lines[0].carrier.reports is True


def test_what_twilio_tells_stands_with_the_message(desk, twilio, rows):
    hear_approval(desk)
    (sms,) = twilio.messages()
    for status, known in (("queued", "queued"), ("sending", "queued"), ("sent", "sent"), ("delivered", "delivered")):
        call_back(desk, twilio, sms, status)
        assert state_of(rows) == ("sent", known)
    assert rows()[0].delivered_at is not None


def test_doubled_and_overtaken_call_backs_change_nothing(desk, twilio, mail_server, rows):
    hear_approval(desk)
    (sms,) = twilio.messages()
    call_back(desk, twilio, sms, "delivered")
    (kept,) = rows()
    for status in ("delivered", "sent", "queued", "undelivered", "failed"):
        call_back(desk, twilio, sms, status)
    (later,) = rows()
    assert (later.delivery, later.delivered_at, later.code) == ("delivered", kept.delivered_at, None)
    assert len(mail_server.messages()) == 1


def test_a_word_of_twilios_that_says_nothing_of_delivery_changes_nothing(desk, twilio, rows):
    hear_approval(desk)
    call_back(desk, twilio, twilio.messages()[0], "a-word-of-tomorrow")
    assert state_of(rows) == ("sent", None)


@pytest.mark.parametrize("signature", ["", "forged", "ü" * 28, "A" * 27 + "="])
def test_a_forged_signature_changes_nothing(desk, twilio, rows, signature):
    hear_approval(desk)
    with pytest.raises(Forbidden, match="wrong_signature"):
        call_back(desk, twilio, twilio.messages()[0], "undelivered", signature=signature)
    assert state_of(rows) == ("sent", None)


def test_a_call_back_that_was_changed_on_its_way_changes_nothing(desk, twilio, rows):
    hear_approval(desk)
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
            desk.note_delivery(*changed)
    assert state_of(rows) == ("sent", None)


def test_a_message_that_is_not_there_is_not_found(desk, twilio):
    hear_approval(desk)
    (sms,) = twilio.messages()
    strange = replace(sms, status_callback=f"{PUBLIC}/hooks/twilio/nobody")
    with pytest.raises(NotFound):
        call_back(desk, twilio, strange, "delivered")


def test_a_carrier_speaks_only_of_the_messages_it_has(desk_with, twilio, rows):
    with TwilioRecorder() as second:
        desk = desk_with(sms_url=f"{twilio.url} {second.url}", public_url=PUBLIC)
        hear_approval(desk)
        (sms,) = twilio.messages()
        with pytest.raises(Forbidden):
            call_back(desk, second, sms, "delivered")
        call_back(desk, twilio, sms, "delivered")
    assert state_of(rows) == ("sent", "delivered")


def test_a_message_without_a_twilio_has_no_call_backs(desk_with, twilio, mail_server, rows):
    desk = desk_with(sms_url=mail_server.url, mail_url=mail_server.url, public_url=PUBLIC)
    hear_approval(desk)
    for row in (*rows("sms"), *rows("mail")):
        url = f"{PUBLIC}/hooks/twilio/{row.message_id}"
        with pytest.raises(Forbidden):
            desk.note_delivery(row.message_id, url, {"MessageStatus": "delivered"}, "signature")


def test_a_call_back_settles_what_was_unknown(desk_with, twilio, rows):
    desk = desk_with(sms_url=twilio.url, public_url=PUBLIC, settle_after=60.0)
    twilio.sending.drop(times=1)
    hear_approval(desk)
    assert [one.state for one in rows()] == ["unknown"]
    call_back(desk, twilio, twilio.messages()[0], "sent")
    (row,) = rows()
    assert (row.state, row.delivery, row.settled_by, row.recipient, row.sealed) == (
        *("sent", "sent", "callback"),
        *(None, None),
    )


def test_a_call_back_that_is_quicker_than_the_answer_is_kept():
    one = message(state="sending")
    assert one.report(Delivery.DELIVERED, None, AT)
    one.lose("ReadTimeout", timedelta(seconds=60), AT)
    assert (one.state, one.settled_by, one.delivery, one.recipient) == ("sent", "callback", "delivered", None)


# the mail that stands in


@pytest.mark.parametrize("status", ["undelivered", "failed"])
def test_an_account_message_that_did_not_arrive_is_told_by_mail_once(desk, twilio, mail_server, rows, status):
    hear_approval(desk)
    (sms,) = twilio.messages()
    for told in (status, status, "failed", "undelivered", "delivered"):
        call_back(desk, twilio, sms, told, ErrorCode="30003")
    rounds(desk, over(rows, "mail"))
    (row,) = rows()
    assert (row.state, row.delivery, row.code, row.fallback) == ("sent", status, "twilio_30003", None)
    _, second = mail_server.messages()
    assert second.recipients == (CONTACT.email,)
    assert second.subject == "Tin nhắn mật khẩu của tờ khai 2026-0000001 chưa đến được"
    assert "7900000017" in second.text and "1900 9068" in second.text
    for mail in mail_server.messages():
        assert PASSWORD not in mail.text + mail.html + str(mail.headers)


def test_the_mail_that_stands_in_is_written_in_the_language_of_its_reader(desk, twilio, mail_server, rows):
    hear_approval(desk, contact=replace(CONTACT, language="en"))
    call_back(desk, twilio, twilio.messages()[0], "undelivered")
    rounds(desk, over(rows, "mail"))
    assert mail_server.messages()[1].subject == "The password message of declaration 2026-0000001 did not arrive"


def test_an_account_message_that_no_carrier_takes_is_told_by_mail_too(desk, mail_server, rows):
    hear_approval(desk, contact=replace(CONTACT, phone="12345"))
    rounds(desk, over(rows, "mail"))
    assert [(one.state, one.code, one.fallback) for one in rows()] == [("failed", "twilio_21211", None)]
    assert len(mail_server.messages()) == 2


def test_without_an_address_there_is_no_mail(desk, twilio, mail_server, rows):
    hear_approval(desk, contact=replace(CONTACT, email=None))
    call_back(desk, twilio, twilio.messages()[0], "undelivered")
    assert (state_of(rows), mail_server.messages()) == (("sent", "undelivered"), [])


def test_where_the_mail_said_the_same_already_there_is_no_second_one(desk, twilio, mail_server):
    for hear in (
        lambda: desk.on_declaration_submitted(declaration_submitted()),
        lambda: desk.on_declaration_rejected(declaration_rejected()),
    ):
        hear()
        quiet(desk)
        call_back(desk, twilio, twilio.messages()[-1], "undelivered")
    assert len(mail_server.messages()) == 2


def test_the_address_lies_sealed_until_the_message_arrived(desk, twilio, rows, database):
    hear_approval(desk)
    (row,) = rows()
    assert row.fallback is not None
    with database.begin() as session:
        lying = str(session.execute(sa.select(models.messages)).all())
    assert CONTACT.email not in lying and "Mẫu" not in lying
    call_back(desk, twilio, twilio.messages()[0], "delivered")
    assert rows()[0].fallback is None


def test_where_nobody_will_tell_whether_it_arrived_nothing_is_kept(desk_with, twilio, rows):
    desk = desk_with(sms_url=twilio.url)
    hear_approval(desk)
    assert twilio.messages()[0].status_callback == ""
    assert [(one.state, one.fallback) for one in rows()] == [("sent", None)]


def test_after_72_hours_without_news_it_is_forgotten(desk, rows):
    hear_approval(desk)
    with desk.database.begin() as session:
        handlers.forget_fallbacks(session, at=utc_now() + PATIENCE - timedelta(minutes=1))
    assert rows()[0].fallback is not None
    with desk.database.begin() as session:
        handlers.forget_fallbacks(session, at=utc_now() + PATIENCE + timedelta(minutes=1))
    assert rows()[0].fallback is None


def test_the_timer_forgets_nothing_too_early(desk, rows):
    hear_approval(desk)
    desk.forget_fallbacks()
    assert rows()[0].fallback is not None


def test_who_withdrew_is_told_by_no_mail(desk, twilio, mail_server, rows):
    hear_approval(desk)
    desk.on_declaration_withdrawn(declaration_withdrawn())
    call_back(desk, twilio, twilio.messages()[0], "undelivered")
    assert (state_of(rows), rows()[0].fallback, len(mail_server.messages())) == (("sent", "undelivered"), None, 1)


# what officers see


def test_what_was_sent_about_a_declaration_is_listed(desk, twilio, rows):
    desk.on_declaration_submitted(declaration_submitted())
    quiet(desk)
    hear_approval(desk)
    call_back(desk, twilio, twilio.messages()[1], "undelivered", ErrorCode="30003")
    rounds(desk, over(rows, "mail"))
    listed = desk.list_messages("declaration-1")
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
    assert desk.list_messages("another") == []


def test_what_waits_or_failed_was_not_sent(desk, twilio):
    twilio.stop()
    hear_approval(desk, contact=replace(CONTACT, email=None))
    (waiting,) = desk.list_messages("declaration-1")
    twilio.start()
    assert (waiting["state"], waiting["sent_at"]) == ("queued", None)
