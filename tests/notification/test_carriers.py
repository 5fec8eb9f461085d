"""Several carriers in order: the next one takes over, the first one comes back, and nothing is sent twice."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.notification import handlers, models
from services.notification.clients import FAILOVER_SECONDS, sms_carriers
from services.notification.domain.breaker import FAILURES
from shared.language.clock import utc_now
from shared.settings import Settings
from tests.notification.driving import account_activated_sealed, send_until, settled
from tests.support.events import declaration_rejected
from tests.support.people import CONTACT
from tests.support.recorders import TwilioRecorder

WITHOUT_MAIL = replace(CONTACT, email=None)
SHORT = (0.3, 0.6)  # seconds of backoff, so that a test sees a carrier come back


@pytest.fixture
def second():
    with TwilioRecorder() as recorder:
        yield recorder


@pytest.fixture
def service(service_with, twilio, second):
    return impatient(service_with(sms_url=f"{twilio.url} {second.url}"))


def impatient(service):
    for carrier in service.sms.in_order:
        carrier.breaker.backoff = SHORT
    return service


def reject_declaration(service, place):
    facts = {"declaration_id": f"declaration-{place}", "number": f"2026-{place:07d}"}
    service.on_declaration_rejected(declaration_rejected(contact=WITHOUT_MAIL, **facts))


def names(service):
    return [carrier.name for carrier in service.sms.in_order]


def numbers(recorder):
    """Return the numbers of the declarations in the messages that a carrier accepted."""
    return [sms.body.split("To khai ")[1][:12] for sms in recorder.messages()]


def sent_once(*recorders):
    """Return how many were sent, each exactly once by all carriers together."""
    sent = [number for recorder in recorders for number in numbers(recorder)]
    assert len(set(sent)) == len(sent)
    return len(sent)


def test_the_best_carrier_comes_first(service, twilio, second):
    for place in range(5):
        reject_declaration(service, place)
    service.workers.wait_idle()
    assert (len(twilio.messages()), second.messages()) == (5, [])


def test_a_message_that_a_carrier_certainly_does_not_have_goes_to_the_next_at_once(service, twilio, second, rows):
    twilio.stop()
    reject_declaration(service, 1)
    service.workers.wait_idle()
    twilio.start()
    (row,) = rows()
    assert (row.state, row.attempt, row.delayed, row.carrier) == ("sent", 1, 0, names(service)[1])
    assert sent_once(second) == 1


@pytest.mark.parametrize("status", [401, 403, 429])
def test_where_our_account_is_at_fault_the_next_carrier_is_tried(service, twilio, second, status):
    twilio.sending.fail(status)
    for place in range(5):
        reject_declaration(service, place)
    service.workers.wait_idle()
    assert sent_once(second) == 5


def test_a_number_that_the_first_carrier_refuses_is_not_tried_at_the_next(service, second, rows):
    service.on_declaration_rejected(declaration_rejected(contact=replace(WITHOUT_MAIL, phone="12345")))
    service.workers.wait_idle()
    assert [(one.state, one.code) for one in rows()] == [("failed", "twilio_21211")]
    assert second.messages() == []


def test_a_carrier_is_passed_over_after_three_errors_of_unknown_outcome(service, twilio, second, rows):
    twilio.sending.fail(500)
    twilio.looking_up.fail(500)
    for place in range(10):
        reject_declaration(service, place)
    service.workers.wait_idle()
    assert sorted(one.state for one in rows()) == ["sent"] * (10 - FAILURES) + ["unknown"] * FAILURES
    assert sent_once(second) == 10 - FAILURES


def test_a_message_of_unknown_outcome_is_not_sent_by_another_carrier(service, twilio, second, rows):
    twilio.sending.late(5)
    twilio.looking_up.fail(500)
    reject_declaration(service, 1)
    service.workers.wait_idle()
    for _ in range(3):
        look_at_everything(service)
        service.workers.wait_idle()
        assert [(one.state, one.carrier) for one in rows()] == [("unknown", names(service)[0])]
    assert second.messages() == []
    twilio.heal()
    send_until(service, settled(rows))
    assert [(one.state, one.settled_by, one.carrier) for one in rows()] == [("sent", "lookup", names(service)[0])]
    assert (sent_once(twilio), second.messages()) == (1, [])


def look_at_everything(service):
    """Make every open message due, and have the service look at it."""
    with service.database.begin() as session:
        open_ones = sa.update(models.messages).where(models.messages.c.due_at.is_not(None))
        session.execute(open_ones.values(due_at=utc_now()))
    service.send_messages()


def test_what_the_first_carrier_does_not_have_is_sent_by_the_next_while_the_first_is_passed_over(
    service, twilio, second, rows
):
    twilio.sending.stall(30)
    for carrier in service.sms.in_order:
        carrier.breaker.backoff = (60.0,)
    for place in range(6):
        reject_declaration(service, place)
    send_until(service, settled(rows))
    assert sent_once(second) == 6
    assert twilio.messages() == []


def test_a_carrier_that_stalls_is_passed_over_and_comes_back(service_with, twilio, second, rows):
    service = impatient(service_with(sms_url=f"{twilio.url} {second.url}", settle_after=30.0))
    twilio.sending.late(30)
    for place in range(6):
        reject_declaration(service, place)
    service.workers.wait_idle()
    by_the_second = len(second.messages())
    assert by_the_second == 6 - FAILURES
    twilio.heal()
    look_at_everything(service)
    send_until(service, settled(rows))
    assert sent_once(twilio, second) == 6

    def is_back():
        reject_declaration(service, 100 + len(rows()))
        return service.sms.in_order[0].breaker.is_open is False

    send_until(service, is_back)
    before = len(second.messages())
    for place in range(50, 60):
        reject_declaration(service, place)
    send_until(service, settled(rows))
    assert len(second.messages()) == before
    assert sent_once(twilio, second) == len(rows())


def test_a_probe_costs_no_message_where_the_carrier_does_not_even_answer_look_ups(service, twilio, second, rows):
    twilio.sending.fail(500)
    twilio.looking_up.fail(500)
    for place in range(FAILURES):
        reject_declaration(service, place)
    service.workers.wait_idle()

    def two_probes_failed():
        reject_declaration(service, len(rows()))
        return service.sms.in_order[0].breaker.level > 2

    send_until(service, two_probes_failed)
    service.workers.wait_idle()
    open_ones = [one for one in rows() if one.state == "unknown"]
    assert len(open_ones) == FAILURES
    assert sent_once(second) == len(rows()) - FAILURES


def test_where_every_carrier_is_passed_over_messages_wait(service, twilio, second, rows):
    for recorder in (twilio, second):
        recorder.stop()
    for place in range(FAILURES + 1):
        reject_declaration(service, place)
    service.workers.wait_idle()
    assert {one.state for one in rows()} == {"queued"}
    assert "carriers_out" in {one.code for one in rows()}
    for recorder in (twilio, second):
        recorder.start()
    send_until(service, settled(rows))
    assert sent_once(twilio, second) == FAILURES + 1


def test_after_a_crash_a_reassigned_message_is_looked_up_at_its_new_carrier(service, twilio, second, rows):
    for recorder in (twilio, second):
        recorder.stop()
    reject_declaration(service, 1)
    service.workers.wait_idle()
    for recorder in (twilio, second):
        recorder.start()
    service.sms.in_order[1].carrier.send(service.sender.outgoing(rows()[0]), utc_now())
    with service.database.begin() as session:
        died = {"state": "sending", "carrier": names(service)[1], "due_at": utc_now() - timedelta(seconds=1)}
        session.execute(sa.update(models.messages).values(died))
    send_until(service, settled(rows))
    assert [(one.state, one.settled_by) for one in rows()] == [("sent", "lookup")]
    assert (twilio.messages(), sent_once(second)) == ([], 1)


def test_a_sender_that_was_held_up_past_its_lease_does_not_send(service, twilio, second, rows):
    twilio.stop()
    second.stop()
    reject_declaration(service, 1)
    service.workers.wait_idle()
    twilio.start()
    second.start()
    with service.database.begin() as session:
        held_up = handlers.reserve_due(
            session, "sms", lease=timedelta(), at=utc_now() + service.retry.lease, carrier=names(service)[0]
        )
        held_up.due_at = utc_now()
    service.sender.process(held_up)
    assert (twilio.messages(), second.messages()) == ([], [])
    send_until(service, settled(rows))
    assert sent_once(twilio, second) == 1


def test_mail_to_a_phone_takes_over_from_twilio_and_the_other_way_round(service_with, mail_server, twilio, rows):
    for first, last in ((mail_server, twilio), (twilio, mail_server)):
        service = impatient(service_with(sms_url=f"{first.url} {last.url}"))
        first.stop()
        reject_declaration(service, len(rows()))
        service.workers.wait_idle()
        first.start()
    assert [one.state for one in rows()] == ["sent", "sent"]
    assert (len(twilio.messages()), len(mail_server.messages())) == (1, 1)


def test_a_carrier_that_cannot_be_asked_keeps_its_message_to_the_end(service_with, mail_server, twilio, rows):
    mail_server.sending.drop()
    service = impatient(service_with(sms_url=f"{mail_server.url} {twilio.url}"))
    reject_declaration(service, 1)
    send_until(service, settled(rows))
    assert [(one.state, one.code, one.carrier) for one in rows()] == [("failed", "outcome_unknown", "smtp")]
    assert (len(mail_server.messages()), twilio.messages()) == (2, [])


def test_a_message_unknown_at_a_carrier_that_was_removed_waits_for_it(service_with, twilio, second, rows):
    service = service_with(sms_url=twilio.url)
    twilio.sending.drop(times=1)
    reject_declaration(service, 1)
    service.workers.wait_idle()
    other = service_with(sms_url=second.url)
    look_at_everything(other)
    other.workers.wait_idle()
    assert [(one.state, one.code) for one in rows()] == [("unknown", "carrier_gone")]
    send_until(service_with(sms_url=f"{second.url} {twilio.url}"), settled(rows))
    assert (sent_once(twilio), second.messages()) == (1, [])


def test_a_name_of_a_carrier_holds_no_secret_and_is_its_own(twilio, second):
    urls = f"{twilio.url} {second.url} {twilio.url} smtp://user:secret@mail:25 smtps://mail"
    carriers = sms_carriers(Settings(sms_url=urls))
    named = [carrier.name for carrier in carriers.in_order]
    first = f"twilio-{twilio.account_sid[-6:]}"
    assert named == [first, f"twilio-{second.account_sid[-6:]}", f"{first}-2", "smtp", "smtp-2"]
    assert [carriers.named(name) for name in named] == carriers.in_order


def test_of_several_carriers_none_is_waited_for_long(twilio, second):
    assert sms_carriers(Settings(sms_url=twilio.url)).timeout == 10
    several = sms_carriers(Settings(sms_url=f"{twilio.url} {second.url}"))
    assert several.timeout == FAILOVER_SECONDS < 10


def test_the_only_carrier_is_tried_with_every_message(service_with, twilio, rows):
    twilio.sending.fail(500)
    service = service_with(sms_url=twilio.url, settle_after=60.0)
    for place in range(2 * FAILURES):
        reject_declaration(service, place)
    service.workers.wait_idle()
    assert [one.state for one in rows()] == ["unknown"] * 2 * FAILURES


def test_the_password_goes_by_the_next_carrier_too_and_once(service, twilio, second, rows):
    twilio.stop()
    service.on_account_activated(account_activated_sealed(service, contact=WITHOUT_MAIL))
    service.workers.wait_idle()
    twilio.start()
    assert "Mat khau: ABCDE23456 " in second.messages()[0].body
    assert rows()[0].sealed is None
