"""Messages on their way: from the listeners of the service, over real sockets."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from services.notification import delivery, handlers, models
from services.notification.domain.retry import ENDED_LIFETIME
from shared import metrics
from shared.language.clock import utc_now
from tests.notification.driving import PASSWORD, account_activated_sealed, send, send_until, settled, submitted_now
from tests.support.events import (
    account_activated,
    declaration_acknowledged,
    declaration_expired,
    declaration_rejected,
    declaration_withdrawn,
    reminder_requested,
)
from tests.support.people import CONTACT

WITHOUT_MAIL = replace(CONTACT, email=None)


def test_an_event_goes_out_at_once_by_both_carriers(service_with, mail_server, twilio, rows):
    service = service_with(sms_url=twilio.url, mail_url=mail_server.url)
    service.on_declaration_rejected(declaration_rejected())
    service.workers.wait_idle()
    assert len(twilio.messages()) == len(mail_server.messages()) == 1
    for one in (*rows("sms"), *rows("mail")):
        assert (one.state, one.recipient, one.text, one.settled_by) == ("sent", None, None, None)


def test_the_password_is_opened_on_its_way_out_and_then_forgotten(service_with, twilio, rows, database):
    service = service_with(sms_url=twilio.url)
    service.on_account_activated(account_activated_sealed(service))
    service.workers.wait_idle()
    assert f"Mat khau: {PASSWORD} " in twilio.messages()[0].body
    assert rows()[0].sealed is None
    with database.begin() as session:
        assert PASSWORD not in str(session.execute(sa.select(models.messages)).all())


def test_the_mail_of_an_approval_has_no_password(service_with, mail_server):
    service = service_with(mail_url=mail_server.url)
    service.on_account_activated(account_activated_sealed(service))
    service.workers.wait_idle()
    (mail,) = mail_server.messages()
    assert "7900000017" in mail.text
    assert PASSWORD not in mail.text + mail.html + str(mail.headers)


def test_a_password_under_a_foreign_seal_fails_at_once(service_with, twilio, rows):
    service = service_with(sms_url=twilio.url)
    service.on_account_activated(account_activated(sealed_password="foreign"))
    service.workers.wait_idle()
    assert [(one.state, one.code, one.sealed) for one in rows()] == [("failed", "broken_seal", None)]
    assert twilio.messages() == []


def test_a_mail_waits_for_its_attached_form(service_with, mail_server, rows):
    service = service_with(mail_url=mail_server.url)
    service.on_declaration_acknowledged(submitted_now(form_key="forms/declaration-1.pdf"))
    send_until(service, lambda: rows("mail")[0].delayed >= 2)
    assert rows("mail")[0].code == "FormNotPrinted"
    service.files.put("forms/declaration-1.pdf", b"%PDF-1.7")
    send_until(service, settled(rows, "mail"))
    ((attached,),) = (one.attachments for one in mail_server.messages())
    assert (attached.name, attached.content) == ("to-khai-2026-0000001.pdf", b"%PDF-1.7")


def test_a_form_that_never_comes_does_not_hold_up_the_mail_for_ever(service_with, mail_server, rows, monkeypatch):
    monkeypatch.setattr(delivery, "FORM_LIFETIME", timedelta(seconds=1))
    service = service_with(mail_url=mail_server.url)
    service.on_declaration_acknowledged(submitted_now(form_key="forms/gone.pdf"))
    send_until(service, settled(rows, "mail"))
    assert [one.attachments for one in mail_server.messages()] == [()]


def test_past_the_budget_of_the_day_a_submission_is_told_later_and_operators_know(service_with, twilio, rows, capfd):
    service = service_with(sms_url=twilio.url, message_budget=1)
    service.on_declaration_rejected(declaration_rejected(at=utc_now()))
    send_until(service, settled(rows))
    service.count_messages()
    service.on_declaration_acknowledged(submitted_now(declaration_id="declaration-2"))
    send(service)
    assert len(twilio.messages()) == 1
    assert metrics.MESSAGE_BUDGET_USED.collect()[0].samples[0].value == 2
    assert "message_budget_spent" in "".join(capfd.readouterr())
    service.budget.most = 100  # raised
    (waiting,) = [one for one in rows() if one.due_at is not None]
    service.database.run(handlers.retry_message, waiting.message_id, at=utc_now())
    send_until(service, settled(rows))
    assert len(twilio.messages()) == 2


def test_a_repeated_event_sends_nothing_more(service_with, mail_server, twilio):
    service = service_with(sms_url=twilio.url, mail_url=mail_server.url)
    for _ in range(3):
        service.on_declaration_expired(declaration_expired(at=utc_now()))
        service.workers.wait_idle()
    assert len(twilio.messages()) == len(mail_server.messages()) == 1


def test_a_deferred_message_goes_out_once_the_carrier_is_back(service_with, mail_server, rows):
    mail_server.sending.fail(451, times=2)
    service = service_with(mail_url=mail_server.url)
    service.on_declaration_rejected(declaration_rejected())
    send_until(service, settled(rows, "mail"))
    assert len(mail_server.messages()) == 1
    assert [(one.state, one.delayed) for one in rows("mail")] == [("sent", 2)]


def test_a_carrier_that_comes_back_gets_what_waited(service_with, twilio, rows):
    service = service_with(sms_url=twilio.url)
    twilio.stop()
    service.on_declaration_rejected(declaration_rejected())
    service.workers.wait_idle()
    assert [(one.state, one.code) for one in rows()] == [("queued", "not_reached")]
    twilio.start()
    send_until(service, settled(rows))
    assert len(twilio.messages()) == 1


def test_a_number_that_is_refused_is_not_tried_again(service_with, twilio, rows):
    service = service_with(sms_url=twilio.url)
    service.on_declaration_rejected(declaration_rejected(contact=replace(WITHOUT_MAIL, phone="12345")))
    service.workers.wait_idle()
    assert [(one.state, one.code, one.recipient) for one in rows()] == [("failed", "twilio_21211", None)]


def test_a_text_that_twilio_accepted_without_answering_is_not_sent_twice(service_with, twilio, rows):
    twilio.sending.late(5, times=1)
    service = service_with(sms_url=twilio.url, settle_after=1.0)
    service.on_account_activated(account_activated_sealed(service))
    service.workers.wait_idle()
    assert [one.state for one in rows()] == ["unknown"]
    send_until(service, settled(rows))
    assert [(one.state, one.settled_by) for one in rows()] == [("sent", "lookup")]
    assert list(twilio.counts().values()) == [1]


def test_a_text_that_twilio_lost_is_sent_again(service_with, twilio, rows):
    twilio.sending.stall(5, times=1)
    service = service_with(sms_url=twilio.url)
    service.on_account_activated(account_activated_sealed(service))
    send_until(service, settled(rows))
    assert [(one.state, one.settled_by) for one in rows()] == [("sent", "lookup")]
    assert list(twilio.counts().values()) == [1]


@pytest.mark.parametrize("status", [500, 503])
def test_an_error_of_twilio_s_own_is_looked_up(service_with, twilio, rows, status):
    twilio.sending.fail(status, times=1)
    service = service_with(sms_url=twilio.url)
    service.on_declaration_rejected(declaration_rejected())
    send_until(service, settled(rows))
    assert [(one.state, one.settled_by) for one in rows()] == [("sent", "lookup")]
    assert list(twilio.counts().values()) == [1]


def test_a_look_up_that_fails_is_made_again(service_with, twilio, rows):
    twilio.sending.drop(times=1)
    twilio.looking_up.fail(500, times=2)
    service = service_with(sms_url=twilio.url)
    service.on_declaration_rejected(declaration_rejected())
    send_until(service, settled(rows))
    assert [(one.state, one.settled_by) for one in rows()] == [("sent", "lookup")]
    assert list(twilio.counts().values()) == [1]


def test_a_mail_of_unknown_outcome_is_found_in_the_inbox(service_with, mail_server, rows):
    mail_server.sending.drop(times=1)
    service = service_with(mail_url=f"{mail_server.url}?lookup={mail_server.api_url}")
    service.on_declaration_rejected(declaration_rejected())
    send_until(service, settled(rows, "mail"))
    assert [(one.state, one.settled_by) for one in rows("mail")] == [("sent", "lookup")]
    assert len(mail_server.messages()) == 1


def test_where_no_inbox_can_be_asked_a_mail_is_resent_once_under_its_id(service_with, mail_server, rows):
    mail_server.sending.drop(times=1)
    service = service_with(mail_url=mail_server.url)
    service.on_declaration_rejected(declaration_rejected())
    send_until(service, settled(rows, "mail"))
    assert [(one.state, one.settled_by) for one in rows("mail")] == [("sent", "sent_again")]
    first, second = mail_server.messages()
    assert first.message_id == second.message_id


def test_a_mail_that_is_never_acknowledged_is_not_sent_a_third_time(service_with, mail_server, rows):
    mail_server.sending.drop()
    service = service_with(mail_url=mail_server.url)
    service.on_declaration_rejected(declaration_rejected())
    send_until(service, settled(rows, "mail"))
    assert [(one.state, one.code) for one in rows("mail")] == [("failed", "outcome_unknown")]
    assert len(mail_server.messages()) == 2


@pytest.mark.parametrize("arrived", [True, False])
def test_a_process_that_died_while_sending_leaves_nothing_open(service_with, twilio, rows, database, arrived):
    """The row says `sending`; whether Twilio got the text, only Twilio knows."""
    service = service_with(sms_url=twilio.url)
    twilio.stop()
    service.on_declaration_rejected(declaration_rejected())
    service.workers.wait_idle()
    twilio.start()
    if arrived:
        (row,) = rows()
        service.sms.in_order[0].carrier.send(service.sender.outgoing(row), utc_now())
    with database.begin() as session:
        died = {"state": "sending", "due_at": utc_now() - timedelta(seconds=1)}
        session.execute(sa.update(models.messages).values(died))
    send_until(service, settled(rows))
    assert [(one.state, one.settled_by) for one in rows()] == [("sent", "lookup")]
    assert list(twilio.counts().values()) == [1]


def test_nothing_is_sent_about_a_withdrawn_declaration(service_with, twilio, rows):
    service = service_with(sms_url=twilio.url)
    twilio.stop()
    service.on_declaration_acknowledged(submitted_now())
    service.workers.wait_idle()
    service.on_declaration_withdrawn(declaration_withdrawn())
    twilio.start()
    send_until(service, settled(rows))
    assert [(one.state, one.recipient, one.masked) for one in rows()] == [("cancelled", None, "")]
    assert twilio.messages() == []


def test_a_declaration_that_expired_is_no_longer_told_to_have_been_submitted(service_with, twilio, rows):
    service = service_with(sms_url=twilio.url)
    now = utc_now()
    with capture_logs() as lines:
        service.on_declaration_acknowledged(declaration_acknowledged(expires_at=now))
        service.on_reminder_requested(reminder_requested(expires_at=now))
        service.on_declaration_expired(declaration_expired(at=now - ENDED_LIFETIME))
    service.workers.wait_idle()
    assert (rows(), twilio.messages()) == ([], [])
    assert [(one["event"], one["declaration_id"], one["occasion"]) for one in lines] == [
        ("occasion_too_late", "declaration-1", "submitted"),
        ("occasion_too_late", "declaration-1", "submitted"),
        ("occasion_too_late", "declaration-1", "expired"),
    ]


def test_messages_are_forgotten_in_time_and_what_is_under_way_is_not(service_with, twilio, rows, database):
    service = service_with(sms_url=twilio.url, message_days=30)
    for place in range(2):
        service.on_declaration_rejected(declaration_rejected(declaration_id=f"declaration-{place}"))
        service.on_declaration_withdrawn(declaration_withdrawn(declaration_id=f"gone-{place}"))
    service.workers.wait_idle()
    twilio.stop()
    service.on_declaration_rejected(declaration_rejected(declaration_id="declaration-2"))
    service.workers.wait_idle()
    with database.begin() as session:
        for table, since in ((models.messages, "queued_at"), (models.withdrawals, "withdrawn_at")):
            old = table.c.declaration_id.in_(["declaration-0", "declaration-2", "gone-0"])
            fresh = {since: utc_now()}
            session.execute(sa.update(table).where(~old).values(fresh))
            session.execute(sa.update(table).where(old).values({since: utc_now() - timedelta(days=31)}))
    service.forget_messages()
    assert sorted((one.declaration_id, one.state) for one in rows()) == [
        ("declaration-1", "sent"),
        ("declaration-2", "queued"),
    ]
    with database.begin() as session:
        assert list(session.scalars(sa.select(models.withdrawals.c.declaration_id))) == ["gone-1"]


def test_many_that_waited_go_out_each_once(service_with, twilio, rows):
    service = service_with(sms_url=twilio.url, retry_delays="2")
    twilio.stop()
    for place in range(60):
        facts = {"declaration_id": f"declaration-{place}", "number": f"2026-{place:07d}"}
        service.on_declaration_rejected(declaration_rejected(contact=WITHOUT_MAIL, **facts))
    service.workers.wait_idle()
    twilio.start()
    send_until(service, settled(rows))
    assert len(twilio.counts()) == 60
    assert set(twilio.counts().values()) == {1}
