"""Failed attempts to sign in: whom they lock, where, for how long, and whom they never do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.approval import models
from services.approval.domain.officer import OfficerSession, new_token
from services.approval.domain.sign_in import AddressAttempts, Proof, SignInAttempts
from services.approval.handlers import officer as handlers
from shared.language.errors import Locked, Unauthenticated
from tests.support.databases import service_database
from tests.support.events import AT
from tests.support.officers import add_officer
from tests.support.waiting import at_once

NAME, HOME, OFFICE = "canbo.mau", "203.0.113.7", "2001:db8:1:2::/64"
LOCK = timedelta(minutes=15)


@pytest.fixture
def attempts():
    return AddressAttempts(NAME, HOME, AT)


def fail(attempts, times, at=AT):
    for _ in range(times):
        attempts.count(at)


# five wrong tries of a name from one address


def test_four_failed_attempts_lock_nobody(attempts):
    fail(attempts, 4)
    assert attempts == AddressAttempts(NAME, HOME, AT, attempts=4, locked_until=None)


def test_the_fifth_attempt_is_compared_and_locks_those_after_it(attempts):
    fail(attempts, 5)
    assert attempts == AddressAttempts(NAME, HOME, AT, attempts=5, locked_until=AT + LOCK)


def test_a_locked_name_is_refused_with_the_time_that_is_left(attempts):
    fail(attempts, 5)
    with pytest.raises(Locked) as refusal:
        attempts.count(AT + timedelta(minutes=5))
    assert refusal.value.retry_after == 600
    assert attempts == AddressAttempts(NAME, HOME, AT, attempts=5, locked_until=AT + LOCK)


def test_the_lock_ends_after_a_quarter_of_an_hour_and_the_count_begins_again(attempts):
    fail(attempts, 5)
    with pytest.raises(Locked):
        attempts.count(AT + LOCK - timedelta(microseconds=1))
    attempts.count(AT + LOCK)
    assert (attempts.attempts, attempts.was_locked) == (1, True)
    fail(attempts, 4, AT + LOCK)
    assert attempts == AddressAttempts(NAME, HOME, AT + LOCK, attempts=5, locked_until=AT + 2 * LOCK)


def test_an_attempt_that_lacked_only_the_second_factor_is_taken_back(attempts):
    fail(attempts, 5)
    attempts.take_back()
    assert attempts == AddressAttempts(NAME, HOME, AT, attempts=4, locked_until=None)


# a name from addresses that its officer never signed in from


def test_from_the_twentieth_attempt_on_each_waits_longer_until_it_is_an_hour():
    name, at, waits = SignInAttempts(NAME, AT), AT, []
    for count in range(28):
        name.count(AddressAttempts(NAME, f"203.0.113.{count}", at), at)
        if name.locked_until is not None:
            waits.append((name.locked_until - at) // timedelta(minutes=1))
            with pytest.raises(Locked):
                name.count(AddressAttempts(NAME, "198.51.100.1", at), name.locked_until - timedelta(microseconds=1))
            at = name.locked_until
    assert (name.attempts, waits) == (28, [1, 2, 4, 8, 16, 32, 60, 60, 60])


def test_of_one_address_only_the_attempts_before_its_first_lock_count():
    name, stranger = SignInAttempts(NAME, AT), AddressAttempts(NAME, HOME, AT)
    for day in range(10):
        at = AT + day * LOCK
        for _ in range(5):
            name.count(stranger, at)
            stranger.count(at)
    assert name == SignInAttempts(NAME, AT, attempts=5, locked_until=None)


def test_once_many_addresses_guess_every_attempt_counts():
    name = SignInAttempts(NAME, AT, attempts=20, locked_until=AT)
    name.count(AddressAttempts(NAME, HOME, AT, attempts=5, locked_until=AT), AT)
    assert name == SignInAttempts(NAME, AT, attempts=21, locked_until=AT + timedelta(minutes=2))


def test_the_attempts_from_where_the_officer_signs_in_are_taken_back():
    name = SignInAttempts(NAME, AT, attempts=20, locked_until=AT + LOCK)
    name.take_back(AddressAttempts(NAME, HOME, AT, attempts=3))
    assert name == SignInAttempts(NAME, AT, attempts=17, locked_until=None)


# in the database


@pytest.fixture(params=["settings", "postgresql_settings"], ids=["sqlite", "postgresql"])
def database(request):
    with service_database("approval", request.getfixturevalue(request.param)) as database:
        with database.begin() as session:
            add_officer(session, NAME)
        yield database


def begin(database, address, at=AT, name=NAME):
    return database.run(handlers.begin_sign_in, name, address, at=at)


def sign_in(database, address, at=AT):
    found = begin(database, address, at)
    return database.run(handlers.finish_sign_in, found, Proof("hash"), address, new_token(), at=at)


def locked(database, address, at=AT, name=NAME):
    try:
        begin(database, address, at, name)
    except Locked:
        return True
    return False


def guess(database, addresses, at=AT, name=NAME):
    for address in addresses:
        for _ in range(5):
            locked(database, address, at, name)


def test_a_stranger_who_guesses_locks_out_the_own_address_alone(database):
    guess(database, [HOME])
    assert (locked(database, HOME), locked(database, OFFICE)) == (True, False)


def test_many_addresses_that_guess_lock_out_other_new_ones_but_never_where_the_officer_signed_in_before(database):
    sign_in(database, OFFICE)
    guess(database, [f"198.51.100.{count}" for count in range(6)])
    assert locked(database, HOME)
    opened = sign_in(database, OFFICE)
    assert (opened.username, opened.address) == (NAME, OFFICE)
    later = AT + timedelta(hours=1)
    assert not locked(database, HOME, later)
    assert locked(database, "198.51.100.99", later)


def test_a_name_that_nobody_has_is_locked_like_an_officer_s(database):
    addresses = [f"198.51.100.{count}" for count in range(6)]
    for name in (NAME, "khong.ai"):
        guess(database, addresses, name=name)
        assert locked(database, HOME, name=name)
    with database.begin() as session:
        until = set(models.locks(session, AT).values())
    assert until == {AT + LOCK}


def test_an_address_is_forgotten_after_ninety_days_without_a_sign_in(database):
    sign_in(database, OFFICE)
    for days, known in ((90, True), (91, False)):
        database.run(handlers.clear_away, at=AT + timedelta(days=days))
        with database.begin() as session:
            assert models.is_address_of(session, NAME, OFFICE) is known


def test_failed_attempts_are_forgotten_after_a_day_without_another(database):
    guess(database, [f"198.51.100.{count}" for count in range(6)])
    database.run(handlers.clear_away, at=AT + timedelta(days=1, seconds=1))
    assert not locked(database, HOME, AT + timedelta(days=1, seconds=1))


def test_a_sign_in_forgets_what_failed_there(database):
    for _ in range(3):
        for _ in range(4):
            begin(database, HOME)
        sign_in(database, HOME)


@pytest.mark.parametrize("changed", [{"password_hash": "another"}, {"otp_secret": "sealed"}])
def test_a_password_that_was_changed_while_it_was_compared_opens_nothing(database, changed):
    found = replace(begin(database, HOME), **changed)
    with pytest.raises(Unauthenticated) as refusal:
        database.run(handlers.finish_sign_in, found, Proof("hash"), HOME, "token", at=AT)
    assert refusal.value.code == "wrong_credentials"
    with database.begin() as session:
        assert models.running_sessions(session, AT) == []


def test_guesses_at_the_same_instant_count_each(postgresql_settings):
    with service_database("approval", postgresql_settings) as database:
        answers = at_once(*[lambda: locked(database, HOME)] * 12)
    assert sorted(answers) == [False] * 5 + [True] * 7


def test_an_officer_whose_time_is_over_cannot_sign_in_and_is_removed(database):
    until = AT + timedelta(hours=1)
    database.run(handlers.put_officer, "canbo.tam", "07921", "officer", "hash", until)
    assert begin(database, HOME, AT, "canbo.tam").expires_at == until
    assert begin(database, HOME, until, "canbo.tam") is None
    database.run(handlers.clear_away, at=until)
    with database.begin() as session:
        assert [one.username for one in models.all_officers(session)] == [NAME]


def test_sessions_that_are_over_are_deleted(database):
    for minutes in (0, 20):
        sign_in(database, HOME, AT + timedelta(minutes=minutes))
    database.run(handlers.clear_away, at=AT + timedelta(minutes=30))
    with database.begin() as session:
        left = session.query(OfficerSession).all()
    assert [one.created_at for one in left] == [AT + timedelta(minutes=20)]
