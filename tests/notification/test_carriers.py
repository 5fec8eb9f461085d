"""Several carriers in order: the next one helps out, the first one comes back, and nobody is told twice."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.notification import handlers, models
from services.notification.clients import FAILOVER_SECONDS, sms_carriers
from services.notification.domain.breaker import FAILURES
from shared.language.clock import utc_now
from shared.settings import Settings
from tests.notification.desk import over, quiet, rounds, sealed
from tests.support.facts import CONTACT
from tests.support.notification_facts import declaration_rejected, declaration_withdrawn
from tests.support.recorders import TwilioRecorder

WITHOUT_MAIL = replace(CONTACT, email=None)
SHORT = (0.3, 0.6)  # pauses of the breakers, so that a test sees a carrier come back


@pytest.fixture
def second():
    with TwilioRecorder() as recorder:
        yield recorder


@pytest.fixture
def desk(desk_with, twilio, second):
    return hurried(desk_with(sms_url=f"{twilio.url} {second.url}"))


def hurried(desk):
    for line in desk.sms.lines:
        line.breaker.pauses = SHORT
    return desk


def hear(desk, place):
    facts = {"declaration_id": f"declaration-{place}", "number": f"2026-{place:07d}"}
    desk.on_declaration_rejected(declaration_rejected(contact=WITHOUT_MAIL, **facts))


def names(desk):
    return [line.name for line in desk.sms.lines]


def numbers(recorder):
    """Return the numbers of the declarations that a carrier told people about."""
    return [sms.body.split("To khai ")[1][:12] for sms in recorder.messages()]


def told_once(*recorders):
    """Return how many were told, each exactly once by all carriers together."""
    told = [number for recorder in recorders for number in numbers(recorder)]
    assert len(set(told)) == len(told)
    return len(told)


def test_the_best_carrier_comes_first(desk, twilio, second):
    for place in range(5):
        hear(desk, place)
    quiet(desk)
    assert (len(twilio.messages()), second.messages()) == (5, [])


def test_what_a_carrier_surely_does_not_have_goes_to_the_next_at_once(desk, twilio, second, rows):
    twilio.stop()
    hear(desk, 1)
    quiet(desk)
    twilio.start()
    (row,) = rows()
    assert (row.state, row.attempt, row.delayed, row.carrier) == ("sent", 1, 0, names(desk)[1])
    assert told_once(second) == 1


@pytest.mark.parametrize("status", [401, 403, 429])
def test_an_account_at_fault_makes_way_for_the_next_carrier(desk, twilio, second, status):
    twilio.sending.fail(status)
    for place in range(5):
        hear(desk, place)
    quiet(desk)
    assert told_once(second) == 5


def test_a_number_that_the_first_carrier_refuses_is_not_tried_at_the_next(desk, second, rows):
    desk.on_declaration_rejected(declaration_rejected(contact=replace(WITHOUT_MAIL, phone="12345")))
    quiet(desk)
    assert [(one.state, one.code) for one in rows()] == [("failed", "twilio_21211")]
    assert second.messages() == []


def test_errors_that_leave_the_fate_open_pass_the_carrier_over_after_three(desk, twilio, second, rows):
    twilio.sending.fail(500)
    twilio.looking_up.fail(500)
    for place in range(10):
        hear(desk, place)
    quiet(desk)
    assert sorted(one.state for one in rows()) == ["sent"] * (10 - FAILURES) + ["unknown"] * FAILURES
    assert told_once(second) == 10 - FAILURES


def test_a_message_of_unknown_fate_is_not_sent_by_another_carrier(desk, twilio, second, rows):
    twilio.sending.late(5)
    twilio.looking_up.fail(500)
    hear(desk, 1)
    quiet(desk)
    for _ in range(3):
        with_due_now(desk)
        quiet(desk)
        assert [(one.state, one.carrier) for one in rows()] == [("unknown", names(desk)[0])]
    assert second.messages() == []
    twilio.heal()
    rounds(desk, over(rows))
    assert [(one.state, one.settled_by, one.carrier) for one in rows()] == [("sent", "lookup", names(desk)[0])]
    assert (told_once(twilio), second.messages()) == (1, [])


def with_due_now(desk):
    """Have the desk look at every open message now."""
    with desk.database.begin() as session:
        open_ones = sa.update(models.messages).where(models.messages.c.due_at.is_not(None))
        session.execute(open_ones.values(due_at=utc_now()))
    desk.send_messages()


def test_what_the_first_carrier_denies_is_sent_by_the_next_while_the_first_is_out(desk, twilio, second, rows):
    twilio.sending.stall(30)
    for line in desk.sms.lines:
        line.breaker.pauses = (60.0,)
    for place in range(6):
        hear(desk, place)
    rounds(desk, over(rows), seconds=30)
    assert told_once(second) == 6
    assert twilio.messages() == []


def test_a_carrier_that_stalls_is_passed_over_and_comes_back(desk, twilio, second, rows):
    twilio.sending.late(30)
    for place in range(6):
        hear(desk, place)
    quiet(desk)
    helped_out = len(second.messages())
    assert helped_out == 6 - FAILURES
    twilio.heal()
    rounds(desk, over(rows))
    assert told_once(twilio, second) == 6

    def is_back():
        hear(desk, 100 + len(rows()))
        return desk.sms.lines[0].breaker.is_open is False

    rounds(desk, is_back)
    before = len(second.messages())
    for place in range(50, 60):
        hear(desk, place)
    rounds(desk, over(rows))
    assert len(second.messages()) == before
    assert told_once(twilio, second) == len(rows())


def test_a_probe_costs_no_message_where_the_carrier_does_not_even_answer_questions(desk, twilio, second, rows):
    twilio.sending.fail(500)
    twilio.looking_up.fail(500)
    for place in range(FAILURES):
        hear(desk, place)
    quiet(desk)

    def two_probes_failed():
        hear(desk, len(rows()))
        return desk.sms.lines[0].breaker.level > 2

    rounds(desk, two_probes_failed)
    quiet(desk)
    open_ones = [one for one in rows() if one.state == "unknown"]
    assert len(open_ones) == FAILURES
    assert told_once(second) == len(rows()) - FAILURES


def test_where_every_carrier_is_out_messages_wait(desk, twilio, second, rows):
    for recorder in (twilio, second):
        recorder.stop()
    for place in range(FAILURES + 1):
        hear(desk, place)
    quiet(desk)
    assert {one.state for one in rows()} == {"queued"}
    assert "carriers_out" in {one.code for one in rows()}
    for recorder in (twilio, second):
        recorder.start()
    rounds(desk, over(rows))
    assert told_once(twilio, second) == FAILURES + 1


def test_a_process_that_died_after_passing_a_message_on_has_it_looked_up_where_it_is(desk, twilio, second, rows):
    for recorder in (twilio, second):
        recorder.stop()
    hear(desk, 1)
    quiet(desk)
    for recorder in (twilio, second):
        recorder.start()
    desk.sms.lines[1].carrier.send(desk._parcel(rows()[0]), utc_now())
    with desk.database.begin() as session:
        died = {"state": "sending", "carrier": names(desk)[1], "due_at": utc_now() - timedelta(seconds=1)}
        session.execute(sa.update(models.messages).values(died))
    rounds(desk, over(rows))
    assert [(one.state, one.settled_by) for one in rows()] == [("sent", "lookup")]
    assert (twilio.messages(), told_once(second)) == ([], 1)


def test_mail_to_a_phone_helps_twilio_out_and_the_other_way_round(desk_with, mail_server, twilio, rows):
    for first, last in ((mail_server, twilio), (twilio, mail_server)):
        desk = hurried(desk_with(sms_url=f"{first.url} {last.url}"))
        first.stop()
        hear(desk, len(rows()))
        quiet(desk)
        first.start()
    assert [one.state for one in rows()] == ["sent", "sent"]
    assert (len(twilio.messages()), len(mail_server.messages())) == (1, 1)


def test_a_carrier_that_cannot_be_asked_keeps_its_message_to_the_end(desk_with, mail_server, twilio, rows):
    mail_server.sending.drop()
    desk = hurried(desk_with(sms_url=f"{mail_server.url} {twilio.url}"))
    hear(desk, 1)
    rounds(desk, over(rows))
    assert [(one.state, one.code, one.carrier) for one in rows()] == [("failed", "fate_unknown", "smtp")]
    assert (len(mail_server.messages()), twilio.messages()) == (2, [])


def test_a_message_unknown_at_a_carrier_that_was_taken_away_waits_for_it(desk_with, twilio, second, rows):
    desk = desk_with(sms_url=twilio.url)
    twilio.sending.drop(times=1)
    hear(desk, 1)
    quiet(desk)
    other = desk_with(sms_url=second.url)
    with_due_now(other)
    quiet(other)
    assert [(one.state, one.code) for one in rows()] == [("unknown", "carrier_gone")]
    rounds(desk_with(sms_url=f"{second.url} {twilio.url}"), over(rows))
    assert (told_once(twilio), second.messages()) == (1, [])


def test_a_withdrawal_between_two_carriers_tells_nobody(desk, twilio, second, rows):
    for recorder in (twilio, second):
        recorder.stop()
    hear(desk, 1)
    quiet(desk)
    with desk.database.begin() as session:
        taken = handlers.take_due(session, "sms", lease=desk._lease, at=utc_now() + desk._lease, carrier=names(desk)[0])
    desk.on_declaration_withdrawn(declaration_withdrawn(declaration_id="declaration-1"))
    assert desk._pass_on(taken, desk.sms.lines[1]) is False
    assert [(one.state, one.carrier) for one in rows()] == [("cancelled", names(desk)[0])]


def test_a_name_of_a_carrier_holds_no_secret_and_is_its_own(twilio, second):
    urls = f"{twilio.url} {second.url} {twilio.url} smtp://user:secret@mail:25 smtps://mail"
    carriers = sms_carriers(Settings(sms_url=urls))
    named = [line.name for line in carriers.lines]
    first = f"twilio-{twilio.account_sid[-6:]}"
    assert named == [first, f"twilio-{second.account_sid[-6:]}", f"{first}-2", "smtp", "smtp-2"]
    assert [carriers.named(name) for name in named] == carriers.lines


def test_with_another_carrier_at_hand_nobody_waits_long_for_one(twilio, second):
    assert sms_carriers(Settings(sms_url=twilio.url)).timeout == 10
    several = sms_carriers(Settings(sms_url=f"{twilio.url} {second.url}"))
    assert several.timeout == FAILOVER_SECONDS < 10


def test_the_only_carrier_is_tried_with_every_message(desk_with, twilio, rows):
    twilio.sending.fail(500)
    desk = desk_with(sms_url=twilio.url, settle_after=60.0)
    for place in range(2 * FAILURES):
        hear(desk, place)
    quiet(desk)
    assert [one.state for one in rows()] == ["unknown"] * 2 * FAILURES


def test_the_password_goes_by_the_next_carrier_too_and_is_told_once(desk, twilio, second, rows):
    twilio.stop()
    desk.on_account_activated(sealed(desk, contact=WITHOUT_MAIL))
    quiet(desk)
    twilio.start()
    assert "Mat khau: ABCDE23456 " in second.messages()[0].body
    assert rows()[0].sealed is None
