"""The states of a message, by its rules alone."""

from datetime import timedelta

import pytest

from services.notification.domain.message import (
    PATIENCE,
    Message,
    SettledBy,
    State,
    masked_mail,
    messages_of,
)
from services.notification.domain.occasion import activated
from tests.support.facts import AT, account_activated

LEASE = timedelta(seconds=60)
DELAYS = (5.0, 30.0)


def message(**changes) -> Message:
    (made, _) = messages_of(activated(account_activated()), ["1", "2"], accents=False, request_id="r", at=AT)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def later(seconds):
    return AT + timedelta(seconds=seconds)


def test_an_sms_and_a_mail_are_made_where_there_is_an_address():
    sms, mail = messages_of(activated(account_activated()), ["1", "2"], accents=False, request_id="r", at=AT)
    assert (sms.channel, sms.masked, sms.segments, sms.sealed) == ("sms", "+84•••••678", 1, "sealed")
    assert (mail.channel, mail.masked, mail.segments, mail.sealed) == ("mail", "t•••@vidu.example", 0, None)
    assert sms.occasion == mail.occasion == "account_activated:declaration-1"


def test_who_takes_a_message_has_it_for_a_time():
    one = message()
    one.take(AT, LEASE)
    assert (one.state, one.attempt, one.due_at) == (State.SENDING, 1, AT + LEASE)


def test_once_sent_everything_about_the_person_is_forgotten():
    one = message()
    one.take(AT, LEASE)
    one.sent(later(1))
    assert (one.state, one.done_at, one.due_at) == (State.SENT, later(1), None)
    assert (one.recipient, one.text, one.html, one.subject, one.sealed, one.form_key) == (None,) * 6
    assert one.masked == "+84•••••678"


def test_failed_for_good_forgets_too_and_keeps_the_code():
    one = message()
    one.fail("twilio_21211", AT)
    assert (one.state, one.code, one.recipient, one.sealed) == (State.FAILED, "twilio_21211", None, None)


def test_a_refused_message_waits_longer_each_time():
    one = message()
    waits = []
    for _ in range(4):
        one.take(AT, LEASE)
        one.delay("smtp_451", DELAYS, AT)
        waits.append((one.due_at - AT).total_seconds())
    assert waits == [5, 30, 30, 30]
    assert one.state == State.QUEUED


def test_after_three_days_nobody_is_helped_any_more():
    one = message()
    one.delay("smtp_451", DELAYS, AT + PATIENCE + LEASE)
    assert (one.state, one.code) == (State.FAILED, "smtp_451")


def test_a_message_found_in_sending_is_of_unknown_fate():
    one = message()
    one.take(AT, LEASE)
    one.take(later(60), LEASE)
    assert (one.state, one.attempt, one.due_at) == (State.UNKNOWN, 2, later(120))


def test_of_unknown_fate_and_found_it_is_sent():
    one = message()
    one.lose("ReadTimeout", LEASE, AT)
    assert (one.state, one.due_at, one.recipient) == (State.UNKNOWN, later(60), "+84912345678")
    one.sent(later(61), SettledBy.LOOKUP)
    assert (one.state, one.settled_by, one.code) == (State.SENT, "lookup", None)


def test_of_unknown_fate_and_not_found_it_is_sent_again():
    one = message()
    one.lose("ReadTimeout", LEASE, AT)
    one.miss(later(61))
    assert (one.state, one.settled_by, one.due_at) == (State.QUEUED, "lookup", later(61))


def test_where_nobody_can_be_asked_it_is_repeated_once_and_that_is_recorded():
    one = message()
    one.repeat(AT)
    assert (one.state, one.settled_by) == (State.QUEUED, "sent_again")
    one.lose("SMTPServerDisconnected", LEASE, AT)
    one.repeat(later(60))
    assert (one.state, one.code) == (State.FAILED, "fate_unknown")


def test_a_fate_that_nobody_learns_ends_after_three_days():
    one = message()
    one.lose("lookup_ConnectionError", LEASE, AT + PATIENCE + LEASE)
    assert (one.state, one.code) == (State.FAILED, "fate_unknown")


@pytest.mark.parametrize("state", ["queued", "sending", "unknown"])
def test_a_message_under_way_can_be_cancelled(state):
    one = message(state=state)
    one.cancel(AT)
    assert (one.state, one.recipient, one.text, one.masked) == (State.CANCELLED, None, None, "")


@pytest.mark.parametrize("state", ["sent", "failed"])
def test_what_is_over_stays_so_and_only_forgets(state):
    one = message(state=state)
    one.cancel(AT)
    assert (one.state, one.masked) == (state, "")


@pytest.mark.parametrize(
    ("state", "hurried"),
    [("queued", True), ("unknown", True), ("sending", False), ("sent", False), ("failed", False), ("cancelled", False)],
)
def test_only_a_waiting_message_can_be_hurried(state, hurried):
    assert message(state=state).hurry(AT) is hurried


def test_nothing_of_a_person_is_in_the_repr():
    text = repr(message())
    assert "+84912345678" not in text
    assert "sealed'" not in text
    assert "7900000017" not in text


@pytest.mark.parametrize(
    ("address", "masked"), [("an@vidu.example", "a•••@vidu.example"), ('"a@b"@vidu.example', '"•••@vidu.example')]
)
def test_a_masked_address_shows_its_domain_and_one_letter(address, masked):
    assert masked_mail(address) == masked
