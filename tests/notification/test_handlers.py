"""The work of notification, on its real tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa

from services.notification import handlers, models
from services.notification.domain.delivery import Delivery, DeliveryReport
from services.notification.domain.message import HOLD, Channel, Message, State
from services.notification.domain.occasion import activated, expired, password_renewed, rejected, submitted
from services.notification.domain.outcome import Deferred, Rejected, Sent, Unknown
from services.notification.domain.retry import ENDED_LIFETIME, RetryPolicy
from shared.language.clock import vietnam_midnight
from shared.language.errors import NotFound, Refused
from shared.storage.seals import Seal, new_key
from tests.support.databases import service_database
from tests.support.events import (
    AT,
    account_activated,
    declaration_acknowledged,
    declaration_expired,
    declaration_rejected,
    declaration_withdrawn,
    first_password_renewed,
    reminder_requested,
)
from tests.support.people import CONTACT

BOTH = {Channel.SMS: "twilio", Channel.MAIL: "smtp"}
LEASE = timedelta(seconds=60)
RETRY = RetryPolicy(delays=(5.0,), settle_after=3600.0, carrier_timeout=10.0)
SEAL = Seal(new_key())


def queue(database, occasion, at=AT):
    database.run(handlers.queue_messages, occasion, accents=False, request_id="request-1", at=at)


def reserve(database, channel="sms", at=AT):
    return database.run(handlers.reserve_due, channel, lease=LEASE, at=at)


def settle(database, reserved, outcome, at=AT):
    return database.run(handlers.settle, reserved, outcome, retry=RETRY, seal=SEAL, at=at)


def everything(database) -> list[Message]:
    with database.begin() as session:
        return list(session.scalars(sa.select(Message).order_by(models.messages.c.channel.desc())))


def the_sms(database) -> Message:
    return next(one for one in everything(database) if one.channel == "sms")


def test_an_event_becomes_one_sms_and_one_mail(database):
    queue(database, submitted(declaration_acknowledged(), "http://127.0.0.1:8000"))
    assert [(one.channel, one.state, one.recipient) for one in everything(database)] == [
        ("sms", "queued", "+84912345678"),
        ("mail", "queued", "tran.thi.mau@vidu.example"),
    ]


SUBMITTED = submitted(declaration_acknowledged(), "http://127.0.0.1:8000")


def test_past_the_budget_what_anybody_can_cause_waits_and_what_officers_decided_goes(database):
    database.run(
        handlers.queue_messages, SUBMITTED, accents=False, request_id="r", at=AT, carriers=BOTH, budget_spent=True
    )
    assert {(one.state, one.code, one.due_at) for one in everything(database)} == {
        ("queued", "budget_spent", AT + HOLD)
    }
    told = database.run(
        handlers.queue_messages,
        rejected(declaration_rejected()),
        accents=False,
        request_id="r",
        at=AT,
        carriers=BOTH,
        budget_spent=True,
    )
    assert [(one.channel, one.state) for one in told] == [("sms", "sending"), ("mail", "sending")]


def test_what_was_queued_before_the_budget_was_spent_waits_too_and_keeps_nobody_back(database):
    for count in range(3):
        event = declaration_acknowledged(declaration_id=f"declaration-{count}")
        queue(database, submitted(event, "http://127.0.0.1:8000"))
    queue(database, rejected(declaration_rejected(declaration_id="declaration-9")), at=AT + timedelta(seconds=1))
    later = AT + timedelta(seconds=2)
    next_one = database.run(handlers.reserve_due, "sms", lease=LEASE, at=later, budget_spent=True)
    assert next_one.occasion == "declaration_rejected:declaration-9"
    assert database.run(handlers.reserve_due, "sms", lease=LEASE, at=later, budget_spent=True) is None
    held = [one for one in everything(database) if one.code == "budget_spent"]
    assert [(one.channel, one.due_at) for one in held] == [("sms", later + HOLD)] * 3


def test_once_the_budget_allows_it_what_waited_is_sent(database):
    database.run(handlers.queue_messages, SUBMITTED, accents=False, request_id="r", at=AT, budget_spent=True)
    assert reserve(database) is None
    assert reserve(database, at=AT + HOLD).occasion == SUBMITTED.key


def test_messages_are_counted_by_the_day_of_vietnam(database):
    queue(database, SUBMITTED, at=datetime(2026, 8, 2, 16, 59, tzinfo=UTC))
    queue(database, rejected(declaration_rejected()), at=datetime(2026, 8, 2, 17, 0, tzinfo=UTC))
    assert database.query(models.messages_since, vietnam_midnight(AT)) == 2


def test_without_an_address_there_is_only_the_sms(database):
    queue(database, rejected(declaration_rejected(contact=replace(CONTACT, email=None))))
    assert [one.channel for one in everything(database)] == ["sms"]


def test_the_same_event_again_adds_nothing(database):
    for _ in range(3):
        queue(database, rejected(declaration_rejected()))
    assert len(everything(database)) == 2


def test_the_same_event_after_the_messages_went_out_adds_nothing(database):
    queue(database, rejected(declaration_rejected()))
    settle(database, reserve(database), Sent())
    queue(database, rejected(declaration_rejected()))
    assert the_sms(database).state == State.SENT
    assert len(everything(database)) == 2


def test_an_event_received_by_four_consumers_at_once_adds_its_messages_once(postgresql_settings):
    with service_database("notification", postgresql_settings) as database:
        together = Barrier(4)

        def receive():
            together.wait()
            queue(database, rejected(declaration_rejected()))

        threads = [Thread(target=receive) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(everything(database)) == 2


def test_the_password_is_stored_sealed_and_outside_of_the_text(database):
    queue(database, activated(account_activated(sealed_password="gAAAA")))
    sms = the_sms(database)
    assert sms.sealed == "gAAAA"
    assert "Mat khau: <password> " in sms.text
    assert sms.segments == 1


def test_a_message_is_reserved_once(database):
    queue(database, rejected(declaration_rejected()))
    assert reserve(database) is not None
    assert reserve(database) is None


def test_several_senders_reserve_different_messages_without_waiting(postgresql_settings):
    with service_database("notification", postgresql_settings) as database:
        for place in range(2):
            queue(database, rejected(declaration_rejected(declaration_id=f"declaration-{place}")))
        with database.begin() as one, database.begin() as other:
            first = handlers.reserve_due(one, "sms", lease=LEASE, at=AT)
            second = handlers.reserve_due(other, "sms", lease=LEASE, at=AT)
            assert first.message_id != second.message_id
            with database.begin() as third:
                assert handlers.reserve_due(third, "sms", lease=LEASE, at=AT) is None


def test_the_oldest_goes_first_and_what_waits_is_left_alone(database):
    queue(database, rejected(declaration_rejected(declaration_id="waits")), at=AT + timedelta(minutes=5))
    queue(database, rejected(declaration_rejected(declaration_id="younger")), at=AT + timedelta(minutes=1))
    queue(database, rejected(declaration_rejected(declaration_id="older")))
    now = AT + timedelta(minutes=2)
    assert [reserve(database, at=now).declaration_id for _ in range(2)] == ["older", "younger"]
    assert reserve(database, at=now) is None


def test_a_message_left_in_sending_by_a_crash_is_reserved_as_unknown(database):
    queue(database, rejected(declaration_rejected()))
    reserve(database)
    assert reserve(database, at=AT + LEASE - timedelta(seconds=1)) is None
    found = reserve(database, at=AT + LEASE)
    assert (found.state, found.attempt) == (State.UNKNOWN, 2)


def test_the_outcome_of_a_sender_whose_lease_expired_changes_nothing(database):
    queue(database, rejected(declaration_rejected()))
    slow = reserve(database)
    reserve(database, at=AT + LEASE)
    assert settle(database, slow, Rejected("late")) is None
    assert the_sms(database).state == State.UNKNOWN


def test_a_withdrawal_cancels_and_forgets(database):
    queue(database, submitted(declaration_acknowledged(), "http://127.0.0.1:8000"))
    settle(database, reserve(database), Sent())
    with database.begin() as session:
        handlers.withdraw(session, declaration_withdrawn())
    sms, mail = everything(database)
    assert (sms.state, mail.state) == (State.SENT, State.CANCELLED)
    for one in (sms, mail):
        assert (one.recipient, one.text, one.html, one.subject, one.masked) == (None, None, None, None, "")


def test_an_expiry_cancels_what_waits_and_forgets_whom_the_declaration_was_told_to(database):
    queue(database, submitted(declaration_acknowledged(), "http://127.0.0.1:8000"))
    queue(database, submitted(reminder_requested(), "http://127.0.0.1:8000"))
    settle(database, reserve(database), Sent())
    database.run(handlers.expire, declaration_expired())
    assert {(one.channel, one.recipient, one.text, one.masked) for one in everything(database)} == {
        ("sms", None, None, ""),
        ("mail", None, None, ""),
    }
    assert sorted(one.state for one in everything(database)) == ["cancelled"] * 3 + ["sent"]


def test_what_is_told_of_an_expiry_leaves_no_trace_of_its_person(database):
    queue(database, expired(declaration_expired()))
    assert {(one.masked, one.recipient is None) for one in everything(database)} == {("", False)}
    settle(database, reserve(database), Sent())
    assert (the_sms(database).masked, the_sms(database).recipient) == ("", None)


def test_what_is_told_of_an_expiry_is_given_up_within_a_day(database):
    queue(database, expired(declaration_expired()))
    assert settle(database, reserve(database), Deferred("smtp_451")).message.state == State.QUEUED
    late = AT + ENDED_LIFETIME + timedelta(seconds=1)
    assert settle(database, reserve(database, at=late), Deferred("smtp_451"), at=late).message.state == State.FAILED
    assert (the_sms(database).recipient, the_sms(database).masked) == (None, "")


def test_an_approval_that_crossed_the_expiry_is_told_all_the_same(database):
    queue(database, activated(account_activated()))
    database.run(handlers.expire, declaration_expired())
    assert {(one.state, one.masked == "") for one in everything(database)} == {("queued", False)}


def test_a_withdrawal_while_a_carrier_answers_is_not_undone_by_its_refusal(database):
    queue(database, submitted(declaration_acknowledged(), "http://127.0.0.1:8000"))
    reserved = reserve(database)
    with database.begin() as session:
        handlers.withdraw(session, declaration_withdrawn())
    assert settle(database, reserved, Deferred("smtp_451")) is None
    assert the_sms(database).state == State.CANCELLED


def test_an_event_after_the_withdrawal_sends_nothing(database):
    with database.begin() as session:
        handlers.withdraw(session, declaration_withdrawn())
        handlers.withdraw(session, declaration_withdrawn())
    queue(database, submitted(declaration_acknowledged(), "http://127.0.0.1:8000"))
    assert reserve(database) is None
    assert (the_sms(database).state, the_sms(database).recipient) == (State.CANCELLED, None)


def test_an_operator_makes_a_waiting_message_due(database):
    queue(database, rejected(declaration_rejected()))
    settle(database, reserve(database), Unknown("ReadTimeout"))
    assert reserve(database) is None
    with database.begin() as session:
        handlers.retry_message(session, the_sms(database).message_id, at=AT)
    assert reserve(database).state == State.UNKNOWN


def test_an_operator_cannot_retry_a_settled_message(database):
    queue(database, rejected(declaration_rejected()))
    settle(database, reserve(database), Sent())
    with pytest.raises(Refused, match="already_settled"), database.begin() as session:
        handlers.retry_message(session, the_sms(database).message_id, at=AT)
    with pytest.raises(NotFound), database.begin() as session:
        handlers.retry_message(session, "nobody", at=AT)


def test_what_waits_longer_than_anything_may_is_brought_forward(database):
    queue(database, submitted(declaration_acknowledged(), "http://127.0.0.1:8000"), at=AT + timedelta(hours=1))
    assert reserve(database) is None
    with database.begin() as session:
        assert handlers.bring_forward(session, longest=timedelta(minutes=59), at=AT) == 2
    assert reserve(database) is not None


def test_what_waits_no_longer_than_it_may_is_left_alone_and_so_is_a_reserved_message(database):
    later = AT + timedelta(hours=1)
    queue(database, submitted(declaration_acknowledged(), "http://127.0.0.1:8000"), at=later)
    reserve(database, at=later)
    with database.begin() as session:
        assert handlers.bring_forward(session, longest=timedelta(hours=1), at=AT) == 0
        assert handlers.bring_forward(session, longest=timedelta(minutes=1), at=AT) == 1
    assert the_sms(database).due_at == later + LEASE


# a reserved message that the next carrier gets


def reassign(database, reserved, carrier):
    return database.run(handlers.reassign, reserved, carrier, lease=LEASE, at=AT + LEASE)


def test_a_reserved_message_can_be_given_to_another_carrier(database):
    queue(database, rejected(declaration_rejected()))
    reserved = reserve(database)
    assert reassign(database, reserved, "smtp") == the_sms(database)
    assert (the_sms(database).carrier, the_sms(database).due_at) == ("smtp", AT + 2 * LEASE)


def test_a_withdrawn_message_is_given_to_no_other_carrier(database):
    queue(database, rejected(declaration_rejected()))
    reserved = reserve(database)
    with database.begin() as session:
        handlers.withdraw(session, declaration_withdrawn())
    assert reassign(database, reserved, "smtp") is None
    assert (the_sms(database).state, the_sms(database).carrier) == (State.CANCELLED, None)


def test_a_message_whose_lease_expired_is_given_to_no_other_carrier(database):
    queue(database, rejected(declaration_rejected()))
    reserved = reserve(database)
    reserve(database, at=AT + LEASE)
    assert reassign(database, reserved, "smtp") is None


def test_a_report_while_the_message_is_reserved_does_not_stop_its_outcome(database):
    queue(database, rejected(declaration_rejected()))
    reserved = reserve(database)
    report = DeliveryReport(Delivery.UNDELIVERED, "twilio_30003")
    with database.begin() as session:
        handlers.note_delivery(session, reserved.message_id, lambda _: report, seal=SEAL, at=AT)
    assert reassign(database, reserved, "smtp").delivery == "undelivered"
    settled = settle(database, reserved, Sent(reported=True))
    assert (settled.message.state, settled.message.code, settled.fell_back) == ("sent", "twilio_30003", False)


def renewed(version):
    return password_renewed(first_password_renewed(renewal_id=f"declaration-1.{version}"))


def states(database):
    with database.begin() as session:
        query = sa.select(Message.occasion, Message.state).where(models.messages.c.channel == "sms")
        return {occasion.rpartition(":")[2]: state for occasion, state in session.execute(query)}


def test_a_first_password_makes_the_older_ones_that_wait_worthless(database):
    queue(database, activated(account_activated()))
    queue(database, renewed(1))
    assert states(database) == {"declaration-1": "cancelled", "declaration-1.1": "queued"}
    queue(database, renewed(2))
    assert states(database) == {
        "declaration-1": "cancelled",
        "declaration-1.1": "cancelled",
        "declaration-1.2": "queued",
    }


def test_a_first_password_that_comes_late_is_not_told(database):
    queue(database, renewed(10))
    queue(database, renewed(9))
    queue(database, activated(account_activated()))
    assert states(database) == {"declaration-1.10": "queued"}


def test_a_first_password_under_way_that_was_replaced_is_not_sent_again(database):
    queue(database, activated(account_activated()))
    reserved = reserve(database)
    queue(database, renewed(1))
    assert states(database) == {"declaration-1": "sending", "declaration-1.1": "queued"}
    settle(database, reserved, Deferred("busy"))
    later = AT + timedelta(days=1)
    assert reserve(database, at=later).occasion == "first_password_renewed:declaration-1.1"
    assert reserve(database, at=later) is None
    assert states(database)["declaration-1"] == "cancelled"


def test_passwords_of_other_declarations_are_left_alone(database):
    queue(database, activated(account_activated(declaration_id="declaration-2")))
    queue(database, renewed(1))
    assert states(database) == {"declaration-2": "queued", "declaration-1.1": "queued"}


def test_the_mail_that_an_account_is_open_goes_out_whatever_becomes_of_its_password(database):
    queue(database, activated(account_activated()))
    queue(database, renewed(1))
    mails = [reserve(database, "mail", at=AT + timedelta(days=1)) for _ in range(2)]
    assert {mail.occasion.partition(":")[0] for mail in mails} == {"account_activated", "first_password_renewed"}
