"""The work of the desk, on its real tables."""

from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa

from services.notification import handlers, models
from services.notification.domain.message import Message, State
from services.notification.domain.occasion import activated, rejected, submitted
from shared.language.errors import NotFound, Refused
from tests.support.databases import desk_database
from tests.support.facts import AT, CONTACT, account_activated
from tests.support.notification_facts import declaration_rejected, declaration_submitted, declaration_withdrawn

LEASE = timedelta(seconds=60)


def tell(database, occasion, at=AT):
    database.run(handlers.tell, occasion, accents=False, request_id="request-1", at=at)


def take(database, channel="sms", at=AT):
    with database.begin() as session:
        return handlers.take_due(session, channel, lease=LEASE, at=at)


def settle(database, taken, act):
    with database.begin() as session:
        return handlers.settle(session, taken, act)


def everything(database) -> list[Message]:
    with database.begin() as session:
        return list(session.scalars(sa.select(Message).order_by(models.messages.c.channel.desc())))


def the_sms(database) -> Message:
    return next(one for one in everything(database) if one.channel == "sms")


def test_an_event_becomes_one_sms_and_one_mail(database):
    tell(database, submitted(declaration_submitted(), "http://127.0.0.1:8000"))
    assert [(one.channel, one.state, one.recipient) for one in everything(database)] == [
        ("sms", "queued", "+84912345678"),
        ("mail", "queued", "tran.thi.mau@vidu.example"),
    ]


def test_without_an_address_there_is_only_the_sms(database):
    tell(database, rejected(declaration_rejected(contact=replace(CONTACT, email=None))))
    assert [one.channel for one in everything(database)] == ["sms"]


def test_the_same_event_again_adds_nothing(database):
    for _ in range(3):
        tell(database, rejected(declaration_rejected()))
    assert len(everything(database)) == 2


def test_the_same_event_after_the_messages_went_out_adds_nothing(database):
    tell(database, rejected(declaration_rejected()))
    settle(database, take(database), lambda kept: kept.sent(AT))
    tell(database, rejected(declaration_rejected()))
    assert the_sms(database).state == State.SENT
    assert len(everything(database)) == 2


def test_two_who_hear_it_at_once_tell_it_once(postgresql_settings):
    with desk_database("notification", postgresql_settings) as database:
        together = Barrier(4)

        def hear():
            together.wait()
            tell(database, rejected(declaration_rejected()))

        threads = [Thread(target=hear) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(everything(database)) == 2


def test_the_password_lies_sealed_and_its_place_is_empty(database):
    tell(database, activated(account_activated(sealed_password="gAAAA")))
    sms = the_sms(database)
    assert sms.sealed == "gAAAA"
    assert "Mat khau: <password> " in sms.text
    assert sms.segments == 1


def test_only_one_hand_has_a_message(database):
    tell(database, rejected(declaration_rejected()))
    assert take(database) is not None
    assert take(database) is None


def test_several_hands_take_different_messages_and_wait_for_nobody(postgresql_settings):
    with desk_database("notification", postgresql_settings) as database:
        for place in range(2):
            tell(database, rejected(declaration_rejected(declaration_id=f"declaration-{place}")))
        with database.begin() as one, database.begin() as other:
            first = handlers.take_due(one, "sms", lease=LEASE, at=AT)
            second = handlers.take_due(other, "sms", lease=LEASE, at=AT)
            assert first.message_id != second.message_id
            with database.begin() as third:
                assert handlers.take_due(third, "sms", lease=LEASE, at=AT) is None


def test_the_oldest_goes_first_and_what_waits_is_left_alone(database):
    tell(database, rejected(declaration_rejected(declaration_id="waits")), at=AT + timedelta(minutes=5))
    tell(database, rejected(declaration_rejected(declaration_id="younger")), at=AT + timedelta(minutes=1))
    tell(database, rejected(declaration_rejected(declaration_id="older")))
    now = AT + timedelta(minutes=2)
    assert [take(database, at=now).declaration_id for _ in range(2)] == ["older", "younger"]
    assert take(database, at=now) is None


def test_a_message_left_in_sending_by_a_crash_is_taken_as_unknown(database):
    tell(database, rejected(declaration_rejected()))
    take(database)
    assert take(database, at=AT + LEASE - timedelta(seconds=1)) is None
    found = take(database, at=AT + LEASE)
    assert (found.state, found.attempt) == (State.UNKNOWN, 2)


def test_a_sender_that_was_only_slow_is_no_longer_heard(database):
    tell(database, rejected(declaration_rejected()))
    slow = take(database)
    take(database, at=AT + LEASE)
    assert settle(database, slow, lambda kept: kept.fail("late", AT)) is None
    assert the_sms(database).state == State.UNKNOWN


def test_a_withdrawal_tells_nobody_and_forgets_everybody(database):
    tell(database, submitted(declaration_submitted(), "http://127.0.0.1:8000"))
    settle(database, take(database), lambda kept: kept.sent(AT))
    with database.begin() as session:
        handlers.withdraw(session, declaration_withdrawn())
    sms, mail = everything(database)
    assert (sms.state, mail.state) == (State.SENT, State.CANCELLED)
    for one in (sms, mail):
        assert (one.recipient, one.text, one.html, one.subject, one.masked) == (None, None, None, None, "")


def test_a_withdrawal_while_a_carrier_answers_is_not_undone_by_its_refusal(database):
    tell(database, submitted(declaration_submitted(), "http://127.0.0.1:8000"))
    taken = take(database)
    with database.begin() as session:
        handlers.withdraw(session, declaration_withdrawn())
    assert settle(database, taken, lambda kept: kept.delay("smtp_451", (5.0,), AT)) is None
    assert the_sms(database).state == State.CANCELLED


def test_a_fact_that_comes_after_the_withdrawal_is_not_told(database):
    with database.begin() as session:
        handlers.withdraw(session, declaration_withdrawn())
        handlers.withdraw(session, declaration_withdrawn())
    tell(database, submitted(declaration_submitted(), "http://127.0.0.1:8000"))
    assert take(database) is None
    assert (the_sms(database).state, the_sms(database).recipient) == (State.CANCELLED, None)


def test_an_operator_makes_a_waiting_message_due(database):
    tell(database, rejected(declaration_rejected()))
    settle(database, take(database), lambda kept: kept.lose("ReadTimeout", timedelta(hours=1), AT))
    assert take(database) is None
    with database.begin() as session:
        handlers.retry_message(session, the_sms(database).message_id, at=AT)
    assert take(database).state == State.UNKNOWN


def test_an_operator_cannot_send_what_is_over(database):
    tell(database, rejected(declaration_rejected()))
    settle(database, take(database), lambda kept: kept.sent(AT))
    with pytest.raises(Refused, match="already_settled"), database.begin() as session:
        handlers.retry_message(session, the_sms(database).message_id, at=AT)
    with pytest.raises(NotFound), database.begin() as session:
        handlers.retry_message(session, "nobody", at=AT)


def test_what_waits_longer_than_anything_may_is_brought_forward(database):
    tell(database, submitted(declaration_submitted(), "http://127.0.0.1:8000"), at=AT + timedelta(hours=1))
    assert take(database) is None
    with database.begin() as session:
        assert handlers.bring_forward(session, longest=timedelta(minutes=59), at=AT) == 2
    assert take(database) is not None


def test_what_waits_no_longer_than_it_may_is_left_alone_and_so_is_what_is_in_hand(database):
    later = AT + timedelta(hours=1)
    tell(database, submitted(declaration_submitted(), "http://127.0.0.1:8000"), at=later)
    take(database, at=later)
    with database.begin() as session:
        assert handlers.bring_forward(session, longest=timedelta(hours=1), at=AT) == 0
        assert handlers.bring_forward(session, longest=timedelta(minutes=1), at=AT) == 1
    assert the_sms(database).due_at == later + LEASE
