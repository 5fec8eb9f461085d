"""A guarded carrier: each answer of a carrier, and each failure, becomes one value."""

import pytest
from prometheus_client import REGISTRY

from services.notification.clients.carrier import CarrierRefused, OutgoingMessage
from services.notification.clients.carriers import Carriers
from services.notification.clients.guard import GuardedCarrier
from services.notification.domain.breaker import FAILURES, Breaker
from services.notification.domain.outcome import (
    Deferred,
    NotAccepted,
    Rejected,
    Sent,
    SettledBy,
    Unanswerable,
    Unknown,
)
from tests.support.events import AT
from tests.support.green import said_by


class ScriptedCarrier:
    """A carrier that does what a test says, and remembers what it was asked."""

    def __init__(self, fails=None, *, after_hand_over=False, finds=None, reports=False):
        self.fails, self.after_hand_over, self.finds, self.reports = fails, after_hand_over, finds, reports
        self.asked = []

    def send(self, outgoing, now):
        self.asked.append("send")
        outgoing.may_be_sent = self.after_hand_over
        if self.fails is not None:
            raise self.fails

    def find(self, outgoing):
        self.asked.append("find")
        if isinstance(self.finds, Exception):
            raise self.finds
        return self.finds


def outgoing(**changes):
    return OutgoingMessage(**{"message_id": "1", "queued_at": AT, "recipient": "+84912345678", "text": "t"} | changes)


def guarded(carrier, **options):
    return GuardedCarrier("scripted", carrier, timeout=5.0, breaker=Breaker(), **options)


def send(guard):
    return guard.send(outgoing(), guard.admit())


def probing(carrier):
    """Return a guarded carrier that was passed over, and whose next permit is a probe."""
    guard = guarded(carrier)
    guard.breaker.backoff = (0.0,)
    for _ in range(FAILURES):
        guard.breaker.fail(guard.admit(), 0.0)
    return guard


def count_of(name, carrier="scripted"):
    return REGISTRY.get_sample_value(name, {"carrier": carrier}) or 0.0


OUTCOMES = [
    (ScriptedCarrier(), Sent(), True),
    (ScriptedCarrier(after_hand_over=True), Sent(), True),
    (ScriptedCarrier(reports=True), Sent(reported=True), True),
    (ScriptedCarrier(CarrierRefused(Deferred("smtp_451"))), Deferred("smtp_451"), False),
    (ScriptedCarrier(CarrierRefused(Deferred("smtp_451")), after_hand_over=True), Deferred("smtp_451"), False),
    (ScriptedCarrier(CarrierRefused(Rejected("smtp_550"))), Rejected("smtp_550"), True),
    (ScriptedCarrier(CarrierRefused(Rejected("smtp_550")), after_hand_over=True), Rejected("smtp_550"), True),
    (ScriptedCarrier(ConnectionRefusedError()), Deferred("ConnectionRefusedError"), False),
    (ScriptedCarrier(ConnectionResetError(), after_hand_over=True), Unknown("ConnectionResetError"), False),
    (ScriptedCarrier(ValueError("a bug")), Deferred("ValueError"), False),
    (ScriptedCarrier(ValueError("a bug"), after_hand_over=True), Unknown("ValueError"), False),
]


@pytest.mark.parametrize(("carrier", "outcome", "healthy"), OUTCOMES)
def test_what_a_carrier_does_with_a_message_is_one_outcome(carrier, outcome, healthy):
    guard = guarded(carrier)
    assert send(guard) == outcome
    assert guard.breaker.failures == (0 if healthy else 1)
    assert (guard.breaker.healthy_at is not None) == healthy


def test_an_earlier_attempt_does_not_make_the_outcome_unknown():
    carrier = ScriptedCarrier(finds=ConnectionRefusedError())
    guard = probing(carrier)
    assert guard.send(outgoing(may_be_sent=True), guard.admit()) == Deferred("ConnectionRefusedError")
    assert carrier.asked == ["find"]


@pytest.mark.parametrize("found", [True, False, None])
def test_a_probe_is_sent_after_a_look_up_that_was_answered(found):
    carrier = ScriptedCarrier(finds=found)
    guard = probing(carrier)
    assert send(guard) == Sent()
    assert (carrier.asked, guard.breaker.is_open) == (["find", "send"], False)


def test_a_probe_whose_look_up_fails_is_not_sent():
    carrier = ScriptedCarrier(finds=CarrierRefused(Deferred("lookup_ReadTimeout")))
    guard = probing(carrier)
    assert send(guard) == Deferred("lookup_ReadTimeout")
    assert (carrier.asked, guard.breaker.is_open) == (["find"], True)


@pytest.mark.parametrize(
    ("finds", "outcome"),
    [
        (True, Sent(SettledBy.LOOKUP, reported=True)),
        (False, NotAccepted()),
        (None, Unanswerable()),
        (CarrierRefused(Deferred("lookup_ReadTimeout")), Unknown("lookup_ReadTimeout")),
        (OSError(), Unknown("OSError")),
    ],
)
def test_a_look_up_has_one_outcome_and_teaches_the_breaker_nothing(finds, outcome):
    guard = guarded(ScriptedCarrier(finds=finds, reports=True))
    assert guard.look_up(outgoing()) == outcome
    assert guard.breaker == Breaker()


def test_a_message_of_a_carrier_that_is_no_longer_in_the_list_stays_unknown():
    carriers = Carriers([("file", ScriptedCarrier())], timeout=5.0)
    assert carriers.look_up("smtp", outgoing()) == Unknown("carrier_gone")
    assert carriers.look_up(None, outgoing()) == Unanswerable()


def test_without_a_breaker_a_carrier_is_never_passed_over():
    guard = GuardedCarrier("only", ScriptedCarrier(OSError()), timeout=5.0)
    for _ in range(2 * FAILURES):
        assert send(guard) == Deferred("OSError")
    assert guard.admits()


def test_metrics_show_a_carrier_that_is_passed_over_and_one_that_is_back():
    guard = guarded(ScriptedCarrier(OSError()))
    guard.breaker.backoff = (0.0,)
    for _ in range(FAILURES):
        send(guard)
    assert count_of("vssid_carrier_passed_over") == 1
    guard.carrier.fails = None
    assert send(guard) == Sent()
    assert count_of("vssid_carrier_passed_over") == 0


def test_only_messages_accepted_by_another_than_the_first_carrier_are_failovers():
    before = count_of("vssid_carrier_failovers_total")
    send(guarded(ScriptedCarrier()))
    send(guarded(ScriptedCarrier(OSError()), is_failover=True))
    assert count_of("vssid_carrier_failovers_total") == before
    send(guarded(ScriptedCarrier(), is_failover=True))
    assert count_of("vssid_carrier_failovers_total") == before + 1


SILENT = """
import eventlet
eventlet.monkey_patch()
import json
import time
from services.notification.clients.guard import GuardedCarrier
from tests.notification.test_guard import ScriptedCarrier, outgoing

class Silent(ScriptedCarrier):
    def send(self, outgoing, now):
        super().send(outgoing, now)
        time.sleep(300)

    def find(self, outgoing):
        time.sleep(300)

said = []
for accepts in (True, False):
    carrier = GuardedCarrier("silent", Silent(after_hand_over=accepts), timeout=0.05)
    said += [repr(carrier.send(outgoing(), carrier.admit())), repr(carrier.look_up(outgoing()))]
print(json.dumps(said))
"""


def test_a_carrier_that_does_not_answer_in_time_is_not_waited_for():
    silent = "code='CarrierSilent'"
    assert said_by(SILENT) == [f"Unknown({silent})", f"Unknown({silent})", f"Deferred({silent})", f"Unknown({silent})"]
