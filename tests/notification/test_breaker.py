"""A carrier that fails is passed over, and comes back without flapping."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.notification.domain.breaker import (
    BACKOFF_SECONDS,
    FAILING_SECONDS,
    FAILURES,
    PROBE_SECONDS,
    STEADY_SECONDS,
    Breaker,
)


def fail(breaker, now, times=FAILURES):
    """Let messages fail at once; return whether the last one opened the breaker."""
    return [breaker.fail(breaker.admit(now), now) for _ in range(times)][-1]


def opened(now=0.0):
    breaker = Breaker()
    fail(breaker, now)
    return breaker


def test_a_carrier_that_works_is_asked_every_time():
    breaker = Breaker()
    for now in range(10):
        assert breaker.succeed(breaker.admit(now), now) is False
    assert not breaker.is_open


def test_three_failures_in_a_row_and_the_carrier_is_passed_over():
    breaker = Breaker()
    assert fail(breaker, 1.0, times=2) is False
    assert breaker.admits(1.0)
    assert fail(breaker, 1.0, times=1) is True
    assert breaker.admit(1.0) is None
    assert not breaker.admits(1.0)


def test_failures_that_are_not_in_a_row_do_not_open_it():
    breaker = Breaker()
    for now in range(1, 30):
        fail(breaker, now, times=2)
        breaker.succeed(breaker.admit(now), now)
    assert not breaker.is_open


def test_one_message_that_fails_after_a_long_wait_opens_it():
    breaker = Breaker()
    assert breaker.fail(breaker.admit(1.0), 1.0 + FAILING_SECONDS) is True


def test_one_slow_message_among_quick_ones_does_not_open_it():
    breaker = Breaker()
    slow = breaker.admit(1.0)
    breaker.succeed(breaker.admit(4.0), 4.1)
    assert breaker.fail(slow, 1.0 + FAILING_SECONDS) is False


def test_after_its_backoff_one_probe_at_a_time_is_let_through():
    breaker = opened()
    assert breaker.admit(BACKOFF_SECONDS[0] - 0.1) is None
    probe = breaker.admit(BACKOFF_SECONDS[0])
    assert probe.probe
    assert breaker.admit(BACKOFF_SECONDS[0]) is None


def test_a_probe_that_succeeds_closes_the_breaker():
    breaker = opened()
    assert breaker.succeed(breaker.admit(BACKOFF_SECONDS[0]), 6.0) is True
    assert not breaker.is_open
    assert breaker.admit(6.0).probe is False


def test_each_probe_that_fails_makes_the_backoff_longer():
    breaker, now, waits = opened(), 0.0, []
    for _ in range(len(BACKOFF_SECONDS) + 1):
        waits.append(breaker.resume_at - now)
        now = breaker.resume_at
        assert breaker.fail(breaker.admit(now), now) is False
    assert tuple(waits) == (*BACKOFF_SECONDS, BACKOFF_SECONDS[-1])


def test_a_probe_without_a_result_makes_way_for_another():
    breaker = opened()
    first = breaker.admit(BACKOFF_SECONDS[0])
    later = BACKOFF_SECONDS[0] + PROBE_SECONDS
    second = breaker.admit(later)
    assert second.probe
    assert breaker.succeed(first, later) is False
    assert breaker.is_open
    assert breaker.succeed(second, later) is True


def test_the_result_of_a_permit_from_before_it_opened_changes_nothing():
    breaker = Breaker()
    before = [breaker.admit(0.0) for _ in range(3)]
    fail(breaker, 0.0)
    resume_at = breaker.resume_at
    assert breaker.succeed(before[0], 1.0) is False
    assert breaker.fail(before[1], 1.0) is False
    assert (breaker.is_open, breaker.resume_at) == (True, resume_at)
    breaker.succeed(breaker.admit(resume_at), resume_at)
    assert breaker.fail(before[2], resume_at + 1) is False
    assert not breaker.is_open


def test_a_carrier_that_comes_and_goes_is_passed_over_ever_longer():
    breaker, now, waits = opened(), 0.0, []
    for _ in range(4):
        waits.append(breaker.resume_at - now)
        now = breaker.resume_at
        breaker.succeed(breaker.admit(now), now)
        fail(breaker, now)
    assert waits == list(BACKOFF_SECONDS[:4])


def test_after_long_health_the_backoff_begins_with_the_shortest_again():
    breaker = opened()
    for _ in range(3):
        breaker.fail(breaker.admit(breaker.resume_at), breaker.resume_at)
    now = breaker.resume_at
    breaker.succeed(breaker.admit(now), now)
    fail(breaker, now + STEADY_SECONDS)
    assert breaker.resume_at == now + STEADY_SECONDS + BACKOFF_SECONDS[0]


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens, in whatever order, the promises of the breaker hold."""

    def __init__(self):
        super().__init__()
        self.breaker, self.now, self.permits, self.failed_in_a_row = Breaker(), 0.0, [], 0
        self.probed_at = None

    @rule(seconds=st.floats(0, 400))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def a_message_comes(self):
        was_open, resume_at = self.breaker.is_open, self.breaker.resume_at
        assert self.breaker.admits(self.now) == (not was_open or self.now >= resume_at)
        permit = self.breaker.admit(self.now)
        assert (permit is None) == (was_open and self.now < resume_at)
        if permit is not None:
            assert permit.probe == was_open
            if permit.probe:
                assert self.probed_at is None or self.now - self.probed_at >= min(PROBE_SECONDS, BACKOFF_SECONDS[0])
                self.probed_at = self.now
            self.permits.append(permit)

    @precondition(lambda self: self.permits)
    @rule(which=st.integers(0), healthy=st.booleans())
    def an_answer_comes(self, which, healthy):
        permit = self.permits.pop(which % len(self.permits))
        was_open, current = self.breaker.is_open, permit.generation == self.breaker.generation
        before = (self.breaker.generation, self.breaker.resume_at, self.breaker.failures)
        changed = (self.breaker.succeed if healthy else self.breaker.fail)(permit, self.now)
        assert changed == (was_open != self.breaker.is_open)
        if not current:
            assert before == (self.breaker.generation, self.breaker.resume_at, self.breaker.failures)
        if was_open and not self.breaker.is_open:
            assert healthy and permit.probe and current
        if not was_open and self.breaker.is_open:
            long_enough = self.now - permit.since >= FAILING_SECONDS
            assert not healthy and (self.failed_in_a_row + 1 >= FAILURES or long_enough or self.failed_in_a_row)
        if current:
            self.failed_in_a_row = 0 if healthy or self.breaker.is_open else self.failed_in_a_row + 1

    @invariant()
    def it_is_never_open_for_ever(self):
        if self.breaker.is_open:
            assert self.breaker.resume_at - self.now <= max(PROBE_SECONDS, BACKOFF_SECONDS[-1])

    @invariant()
    def it_opens_at_the_last_failure_allowed(self):
        assert self.breaker.failures < FAILURES


AnyHistory.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestAnyHistory = AnyHistory.TestCase
