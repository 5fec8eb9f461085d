"""The rules of an officer: sessions, and when wrong passwords lock a name."""

from datetime import timedelta

import pytest

from services.approval.domain.officer import OfficerSession, SignInAttempts, new_token, open_session, token_hash
from shared.language.errors import Locked, Unauthenticated
from tests.support.events import AT

LOCK = timedelta(minutes=15)


@pytest.fixture
def attempts():
    return SignInAttempts("canbo.mau", AT)


def fail(attempts, times, at=AT):
    for _ in range(times):
        attempts.count(at)


def test_four_failed_attempts_lock_nobody(attempts):
    fail(attempts, 4)
    assert attempts == SignInAttempts("canbo.mau", AT, attempts=4, locked_until=None)


def test_the_fifth_attempt_is_compared_and_locks_those_after_it(attempts):
    fail(attempts, 5)
    assert attempts == SignInAttempts("canbo.mau", AT, attempts=5, locked_until=AT + LOCK)


def test_a_locked_name_is_refused_with_the_time_that_is_left(attempts):
    fail(attempts, 5)
    with pytest.raises(Locked) as refusal:
        attempts.count(AT + timedelta(minutes=5))
    assert refusal.value.retry_after == 600
    assert attempts == SignInAttempts("canbo.mau", AT, attempts=5, locked_until=AT + LOCK)


def test_the_lock_ends_after_a_quarter_of_an_hour_and_the_count_begins_again(attempts):
    fail(attempts, 5)
    with pytest.raises(Locked):
        attempts.count(AT + LOCK - timedelta(microseconds=1))
    attempts.count(AT + LOCK)
    assert attempts == SignInAttempts("canbo.mau", AT + LOCK, attempts=1, locked_until=None)


def test_every_attempt_is_dated(attempts):
    attempts.count(AT + timedelta(hours=1))
    assert attempts.last_at == AT + timedelta(hours=1)


def test_a_session_lasts_a_working_day_and_keeps_the_token_as_a_hash():
    assert open_session("canbo.mau", "token", AT) == OfficerSession(
        token_hash="3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0",
        username="canbo.mau",
        expires_at=AT + timedelta(hours=8),
    )


def test_a_session_that_is_over_is_refused():
    session = open_session("canbo.mau", "token", AT)
    assert session.check_running(AT + timedelta(hours=8, microseconds=-1)) is None
    with pytest.raises(Unauthenticated) as refusal:
        session.check_running(AT + timedelta(hours=8))
    assert refusal.value.code == "unauthenticated"


def test_tokens_are_long_and_never_the_same():
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert min(map(len, tokens)) >= 43
    assert len({token_hash(token) for token in tokens}) == 1000
