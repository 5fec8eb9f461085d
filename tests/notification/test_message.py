"""The states of a message, by its rules alone."""

from datetime import timedelta

import pytest

from services.notification.domain.delivery import Delivery, DeliveryReport
from services.notification.domain.letter import Mail
from services.notification.domain.message import Message, State, mail_of, masked_mail, sms_of
from services.notification.domain.occasion import activated
from services.notification.domain.outcome import (
    Deferred,
    NotAccepted,
    Rejected,
    Sent,
    SettledBy,
    Unanswerable,
    Unknown,
)
from services.notification.domain.retry import MESSAGE_LIFETIME, RetryPolicy
from tests.support.events import AT, account_activated

LEASE = timedelta(seconds=60)
RETRY = RetryPolicy(delays=(5.0, 30.0), settle_after=60.0, carrier_timeout=10.0)
TOO_LATE = AT + MESSAGE_LIFETIME + timedelta(seconds=1)
LAST_MOMENT = AT + MESSAGE_LIFETIME
OUTCOMES = (Sent(), Deferred("d"), Rejected("r"), Unknown("u"), NotAccepted(), Unanswerable())
CONTENT = ("recipient", "subject", "text", "html", "sealed", "form_key", "fallback")


def message(**changes) -> Message:
    made = sms_of(activated(account_activated()), "1", accents=False, request_id="r", at=AT)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def reserved(**changes) -> Message:
    """Return a message that a sender has reserved, to send it."""
    return message(**{"state": State.SENDING, "attempt": 1, "due_at": AT + LEASE, "carrier": "file"} | changes)


def later(seconds):
    return AT + timedelta(seconds=seconds)


def applied(one, outcome, at=AT):
    one.apply(outcome, at, RETRY)
    return one


def contents(one):
    return {name: getattr(one, name) for name in CONTENT}


def test_a_message_is_made_for_each_channel():
    sms = message()
    mail = mail_of(activated(account_activated()), "2", Mail("S", "T", "<p>T</p>"), request_id="r", at=AT)
    assert (sms.channel, sms.masked, sms.segments, sms.sealed) == ("sms", "+84•••••678", 1, "sealed")
    assert (mail.channel, mail.masked, mail.segments, mail.sealed) == ("mail", "t•••@vidu.example", 0, None)
    assert (mail.subject, mail.text, mail.html) == ("S", "T", "<p>T</p>")
    assert sms.occasion == mail.occasion == "account_activated:declaration-1"


# reserve


def test_a_reserved_message_has_a_lease_and_a_carrier():
    one = message()
    one.reserve(AT, LEASE, "file")
    assert (one.state, one.attempt, one.due_at, one.carrier) == (State.SENDING, 1, AT + LEASE, "file")


def test_a_message_found_in_sending_is_of_unknown_outcome():
    one = reserved()
    one.reserve(later(60), LEASE, "another")
    assert (one.state, one.attempt, one.due_at, one.carrier) == (State.UNKNOWN, 2, later(120), "file")


def test_a_message_of_unknown_outcome_stays_with_its_carrier():
    one = reserved(state=State.UNKNOWN)
    one.reserve(later(60), LEASE, "another")
    assert (one.state, one.attempt, one.carrier) == (State.UNKNOWN, 2, "file")


def test_a_message_that_is_sent_once_more_stays_with_its_carrier():
    one = message(settled_by=SettledBy.SENT_AGAIN, carrier="file")
    one.reserve(AT, LEASE, "another")
    assert (one.state, one.carrier) == (State.SENDING, "file")


# apply: every outcome in every state in which a sender may report one

TABLE = [
    # state, settled by before, outcome, at -> state, code, due, deferrals, settled by
    ("sending", None, Sent(), AT, ("sent", None, None, 0, None)),
    ("sending", "sent_again", Sent(), AT, ("sent", None, None, 0, "sent_again")),
    ("sending", None, Deferred("d"), AT, ("queued", "d", later(5), 1, None)),
    ("sending", None, Deferred("d"), LAST_MOMENT, ("queued", "d", LAST_MOMENT + timedelta(seconds=5), 1, None)),
    ("sending", None, Deferred("d"), TOO_LATE, ("failed", "d", None, 0, None)),
    ("sending", None, Rejected("r"), AT, ("failed", "r", None, 0, None)),
    ("sending", None, Unknown("u"), AT, ("unknown", "u", later(60), 0, None)),
    ("sending", None, Unknown("u"), LAST_MOMENT, ("unknown", "u", LAST_MOMENT + timedelta(seconds=60), 0, None)),
    ("sending", None, Unknown("u"), TOO_LATE, ("failed", "outcome_unknown", None, 0, None)),
    ("sending", None, NotAccepted(), AT, ("queued", None, AT, 0, "lookup")),
    ("sending", None, Unanswerable(), AT, ("queued", None, AT, 0, "sent_again")),
    ("sending", "sent_again", Unanswerable(), AT, ("failed", "outcome_unknown", None, 0, "sent_again")),
    ("unknown", None, Sent(SettledBy.LOOKUP), AT, ("sent", None, None, 0, "lookup")),
    ("unknown", "sent_again", Sent(SettledBy.LOOKUP), AT, ("sent", None, None, 0, "lookup")),
    ("unknown", None, Deferred("d"), AT, ("queued", "d", later(5), 1, None)),
    ("unknown", None, Deferred("d"), TOO_LATE, ("failed", "d", None, 0, None)),
    ("unknown", None, Rejected("r"), AT, ("failed", "r", None, 0, None)),
    ("unknown", None, Unknown("u"), AT, ("unknown", "u", later(60), 0, None)),
    ("unknown", None, Unknown("u"), TOO_LATE, ("failed", "outcome_unknown", None, 0, None)),
    ("unknown", None, NotAccepted(), AT, ("queued", None, AT, 0, "lookup")),
    ("unknown", None, Unanswerable(), AT, ("queued", None, AT, 0, "sent_again")),
    ("unknown", "sent_again", Unanswerable(), AT, ("failed", "outcome_unknown", None, 0, "sent_again")),
    ("unknown", "sent_again", NotAccepted(), AT, ("failed", "outcome_unknown", None, 0, "sent_again")),
]


@pytest.mark.parametrize("asked", [NotAccepted(), Unanswerable()], ids=["denies", "cannot be asked"])
@pytest.mark.parametrize("lost", ["answer", "process"])
def test_whatever_road_it_takes_a_message_is_sends_twice_at_most(asked, lost):
    """A carrier that has each copy, and denies it; or whose answer, or whose sender, is lost each time."""
    one, sends = message(fallback="sealed mail"), 0
    while one.state != State.FAILED:
        one.reserve(AT, LEASE, "file")
        sends += 1
        if lost == "answer":
            applied(one, Unknown("u"))
        one.reserve(AT, LEASE)
        for _ in range(3):  # a look-up that has no answer is no copy
            applied(one, Unknown("lookup"))
            one.reserve(AT, LEASE)
        applied(one, asked)
    assert (sends, one.code, one.needs_fallback) == (2, "outcome_unknown", True)


def test_what_a_carrier_certainly_did_not_get_may_be_sends_as_often_as_it_takes():
    one = message()
    for count in range(20):
        one.reserve(AT, LEASE, "file")
        applied(one, Deferred("d"))
        assert (one.state, one.possible_copies, one.delayed) == (State.QUEUED, 0, count + 1)


@pytest.mark.parametrize(("state", "settled_by", "outcome", "at", "after"), TABLE)
def test_what_follows_from_an_outcome(state, settled_by, outcome, at, after):
    copies = 2 if settled_by == "sent_again" else 1
    one = applied(reserved(state=state, settled_by=settled_by, possible_copies=copies), outcome, at)
    assert (one.state, one.code, one.due_at, one.delayed, one.settled_by) == after
    is_final = one.state in (State.SENT, State.FAILED)
    assert one.done_at == (at if is_final else None)
    assert contents(one) == (dict.fromkeys(CONTENT) if is_final else contents(message()))


@pytest.mark.parametrize("state", ["queued", "sent", "failed", "cancelled"])
@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda one: type(one).__name__)
def test_an_outcome_of_a_message_that_nobody_has_reserved_changes_nothing(state, outcome):
    assert applied(message(state=state), outcome) == message(state=state)


def test_the_table_has_every_outcome_in_both_states():
    tried = {(state, type(outcome)) for state, _, outcome, _, _ in TABLE}
    assert tried == {(state, type(outcome)) for state in ("sending", "unknown") for outcome in OUTCOMES}


def test_a_deferred_message_waits_longer_each_time():
    waits = [applied(reserved(delayed=before), Deferred("smtp_451")).due_at - AT for before in range(4)]
    assert [wait.total_seconds() for wait in waits] == [5, 30, 30, 30]


def test_without_delays_a_deferred_message_fails():
    one = reserved()
    one.apply(Deferred("smtp_451"), AT, RetryPolicy((), 60.0, 10.0))
    assert (one.state, one.code) == (State.FAILED, "smtp_451")


@pytest.mark.parametrize(
    ("outcome", "kept"),
    [
        (Sent(), None),
        (Sent(reported=True), "fallback"),
        (Deferred("d"), "fallback"),
        (Rejected("r"), "fallback"),
        (Unknown("u"), "fallback"),
    ],
)
def test_the_fallback_is_kept_while_the_message_may_not_arrive(outcome, kept):
    one = applied(reserved(fallback="fallback"), outcome)
    assert one.fallback == kept
    assert one.needs_fallback == (one.state == State.FAILED)


def test_a_code_that_a_sent_message_no_longer_needs_is_forgotten():
    assert applied(reserved(code="not_reached"), Sent()).code is None


# reports


def test_a_report_that_is_quicker_than_the_answer_settles_the_message():
    one = reserved()
    assert one.report(DeliveryReport(Delivery.DELIVERED), AT)
    assert one.state == State.SENDING
    applied(one, Unknown("ReadTimeout"))
    assert (one.state, one.settled_by, one.delivery, one.recipient) == ("sent", "callback", "delivered", None)


def test_a_code_that_was_reported_before_the_answer_is_kept():
    one = reserved(fallback="fallback")
    assert one.report(DeliveryReport(Delivery.UNDELIVERED, "twilio_30003"), AT)
    applied(one, Sent(reported=True))
    assert (one.state, one.code, one.needs_fallback) == ("sent", "twilio_30003", True)


@pytest.mark.parametrize(
    ("state", "after", "settled_by"),
    [
        ("queued", "sent", "callback"),
        ("sending", "sending", None),
        ("unknown", "sent", "callback"),
        ("sent", "sent", None),
        ("failed", "failed", None),
        ("cancelled", "cancelled", None),
    ],
)
def test_a_carrier_that_reports_on_a_waiting_message_has_it(state, after, settled_by):
    one = message(state=state)
    assert one.report(DeliveryReport(Delivery.SENT), AT)
    assert (one.state, one.settled_by, one.delivery) == (after, settled_by, "sent")


# cancel, make due


@pytest.mark.parametrize("state", ["queued", "sending", "unknown"])
def test_a_message_under_way_can_be_cancelled(state):
    one = message(state=state)
    one.cancel(AT)
    assert (one.state, one.recipient, one.text, one.masked) == (State.CANCELLED, None, None, "")


@pytest.mark.parametrize("state", ["sent", "failed"])
def test_a_settled_message_that_is_cancelled_only_forgets(state):
    one = message(state=state)
    one.cancel(AT)
    assert (one.state, one.masked) == (state, "")


@pytest.mark.parametrize(
    ("state", "made_due"),
    [("queued", True), ("unknown", True), ("sending", False), ("sent", False), ("failed", False), ("cancelled", False)],
)
def test_only_a_waiting_message_can_be_made_due(state, made_due):
    one = message(state=state, due_at=later(60))
    assert one.make_due(AT) is made_due
    assert one.due_at == (AT if made_due else later(60))


# what may be seen


def test_a_settled_message_keeps_the_masked_recipient_only():
    one = applied(reserved(), Sent())
    assert (one.masked, contents(one)) == ("+84•••••678", dict.fromkeys(CONTENT))


def test_nothing_of_a_person_is_in_the_repr():
    text = repr(message())
    assert "+84912345678" not in text
    assert "sealed'" not in text
    assert "7900000017" not in text


@pytest.mark.parametrize(
    ("address", "masked"), [("an@vidu.example", "a•••@vidu.example"), ('"a@b"@vidu.example', '"•••@vidu.example')]
)
def test_a_masked_address_shows_its_domain_and_one_character(address, masked):
    assert masked_mail(address) == masked


# the retry policy


def test_a_lease_is_longer_than_any_carrier_is_waited_for():
    assert RetryPolicy((), settle_after=0.2, carrier_timeout=5.0).lease == timedelta(seconds=10)
    assert RetryPolicy((), settle_after=60.0, carrier_timeout=5.0).lease == timedelta(seconds=60)


@pytest.mark.parametrize(("delays", "seconds"), [((), 60), ((5.0, 30.0), 60), ((5.0, 3600.0), 3600)])
def test_no_message_waits_longer_than_the_lease_and_the_longest_delay(delays, seconds):
    assert RetryPolicy(delays, settle_after=60.0, carrier_timeout=10.0).longest_wait == timedelta(seconds=seconds)
