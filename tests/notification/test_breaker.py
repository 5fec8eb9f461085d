"""A carrier that fails is passed over, and comes back without flapping: the rules, by a clock of their own."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.notification.domain.breaker import (
    FAILURES,
    PAUSES,
    PROBE_SECONDS,
    STEADY_SECONDS,
    TROUBLE_SECONDS,
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


def test_failures_that_are_not_in_a_row_are_no_reason():
    breaker = Breaker()
    for now in range(1, 30):
        fail(breaker, now, times=2)
        breaker.succeed(breaker.admit(now), now)
    assert not breaker.is_open


def test_one_message_that_waited_in_vain_for_long_is_enough():
    breaker = Breaker()
    assert breaker.fail(breaker.admit(1.0), 1.0 + TROUBLE_SECONDS) is True


def test_one_slow_message_among_quick_ones_is_not():
    breaker = Breaker()
    slow = breaker.admit(1.0)
    breaker.succeed(breaker.admit(4.0), 4.1)
    assert breaker.fail(slow, 1.0 + TROUBLE_SECONDS) is False


def test_after_its_pause_one_probe_at_a_time_is_let_through():
    breaker = opened()
    assert breaker.admit(PAUSES[0] - 0.1) is None
    probe = breaker.admit(PAUSES[0])
    assert probe.probe
    assert breaker.admit(PAUSES[0]) is None


def test_a_probe_that_goes_well_brings_the_carrier_back():
    breaker = opened()
    assert breaker.succeed(breaker.admit(PAUSES[0]), 6.0) is True
    assert not breaker.is_open
    assert breaker.admit(6.0).probe is False


def test_each_probe_that_fails_makes_the_pause_longer():
    breaker, now, waits = opened(), 0.0, []
    for _ in range(len(PAUSES) + 1):
        waits.append(breaker.resume_at - now)
        now = breaker.resume_at
        assert breaker.fail(breaker.admit(now), now) is False
    assert tuple(waits) == (*PAUSES, PAUSES[-1])


def test_a_probe_nobody_heard_of_again_makes_way_for_another():
    breaker = opened()
    lost = breaker.admit(PAUSES[0])
    later = PAUSES[0] + PROBE_SECONDS
    found = breaker.admit(later)
    assert found.probe
    assert breaker.succeed(lost, later) is False
    assert breaker.is_open
    assert breaker.succeed(found, later) is True


def test_what_began_before_it_opened_says_nothing_about_it_now():
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


def test_a_carrier_that_comes_and_goes_is_left_alone_ever_longer():
    breaker, now, waits = opened(), 0.0, []
    for _ in range(4):
        waits.append(breaker.resume_at - now)
        now = breaker.resume_at
        breaker.succeed(breaker.admit(now), now)
        fail(breaker, now)
    assert waits == list(PAUSES[:4])


def test_a_carrier_that_was_well_for_long_begins_with_the_shortest_pause_again():
    breaker = opened()
    for _ in range(3):
        breaker.fail(breaker.admit(breaker.resume_at), breaker.resume_at)
    now = breaker.resume_at
    breaker.succeed(breaker.admit(now), now)
    fail(breaker, now + STEADY_SECONDS)
    assert breaker.resume_at == now + STEADY_SECONDS + PAUSES[0]


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens in whatever order: what the breaker promises holds."""

    def __init__(self):
        super().__init__()
        self.breaker, self.now, self.leaves, self.failed_in_a_row = Breaker(), 0.0, [], 0
        self.probed_at = None

    @rule(seconds=st.floats(0, 400))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def a_message_comes(self):
        was_open, resume_at = self.breaker.is_open, self.breaker.resume_at
        assert self.breaker.admits(self.now) == (not was_open or self.now >= resume_at)
        leave = self.breaker.admit(self.now)
        assert (leave is None) == (was_open and self.now < resume_at)
        if leave is not None:
            assert leave.probe == was_open
            if leave.probe:
                assert self.probed_at is None or self.now - self.probed_at >= min(PROBE_SECONDS, PAUSES[0])
                self.probed_at = self.now
            self.leaves.append(leave)

    @precondition(lambda self: self.leaves)
    @rule(which=st.integers(0), well=st.booleans())
    def an_answer_comes(self, which, well):
        leave = self.leaves.pop(which % len(self.leaves))
        was_open, current = self.breaker.is_open, leave.turn == self.breaker.turn
        before = (self.breaker.turn, self.breaker.resume_at, self.breaker.failures)
        turned = (self.breaker.succeed if well else self.breaker.fail)(leave, self.now)
        assert turned == (was_open != self.breaker.is_open)
        if not current:
            assert before == (self.breaker.turn, self.breaker.resume_at, self.breaker.failures)
        if was_open and not self.breaker.is_open:
            assert well and leave.probe and current
        if not was_open and self.breaker.is_open:
            long_enough = self.now - leave.since >= TROUBLE_SECONDS
            assert not well and (self.failed_in_a_row + 1 >= FAILURES or long_enough or self.failed_in_a_row)
        if current:
            self.failed_in_a_row = 0 if well or self.breaker.is_open else self.failed_in_a_row + 1

    @invariant()
    def it_is_never_out_for_ever(self):
        if self.breaker.is_open:
            assert self.breaker.resume_at - self.now <= max(PROBE_SECONDS, PAUSES[-1])

    @invariant()
    def it_is_never_on_the_verge_for_long(self):
        assert self.breaker.failures < FAILURES


AnyHistory.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestAnyHistory = AnyHistory.TestCase
