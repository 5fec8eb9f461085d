"""The rules of an officer: what a role may do, one-time codes, sessions."""

from datetime import timedelta

import pytest
from pyotp import TOTP

from services.approval.domain.officer import (
    PERMISSIONS,
    Officer,
    OfficerSession,
    Permission,
    Role,
    new_token,
    open_session,
    otp_uri,
    token_hash,
)
from shared.language.errors import Forbidden, Unauthenticated
from tests.support.events import AT

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # of RFC 6238
STEP = timedelta(seconds=30)
REVIEWING = {"own_sessions", "read_queue", "read_dossier", "receive", "return", "replace_photo", "remind", "decide"}


def officer(role="officer", **changes):
    return Officer("canbo.mau", "07921", role, "hash", **changes)


@pytest.fixture
def enrolled():
    return officer(otp_secret="sealed")


# roles


def test_each_role_may_do_what_its_work_needs():
    assert {str(role): set(map(str, may)) for role, may in PERMISSIONS.items()} == {
        "officer": REVIEWING,
        "supervisor": REVIEWING | {"return_of_another"},
        "admin": {"own_sessions", "read_officers", "end_sessions"},
        "auditor": {"own_sessions", "read_journal"},
    }


@pytest.mark.parametrize("role", Role)
def test_an_officer_is_refused_what_the_role_does_not_permit(role):
    refused = set()
    for permission in Permission:
        try:
            officer(str(role)).check_may(permission)
        except Forbidden:
            refused.add(permission)
    assert refused == set(Permission) - PERMISSIONS[role]


# one-time codes


def accepted(officer, otp, at=AT):
    try:
        officer.accept_otp(SECRET, otp, at)
    except Unauthenticated as refusal:
        assert refusal.code == "wrong_credentials"
        return False
    return True


def test_codes_are_those_of_rfc_6238(enrolled):
    assert accepted(enrolled, "081804", AT.fromtimestamp(1111111109, AT.tzinfo))


@pytest.mark.parametrize(("steps", "takes"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_ahead_or_behind(enrolled, steps, takes):
    assert accepted(enrolled, TOTP(SECRET).at(AT + steps * STEP)) is takes


def test_a_code_works_once_and_an_earlier_one_never_after_it(enrolled):
    before, now, after = (TOTP(SECRET).at(AT + steps * STEP) for steps in (-1, 0, 1))
    assert accepted(enrolled, now)
    assert not accepted(enrolled, now)
    assert not accepted(enrolled, before)
    assert not accepted(enrolled, now, AT + STEP)
    assert accepted(enrolled, after, AT + STEP)


def test_another_code_is_refused_and_leaves_the_right_one_usable(enrolled):
    assert not accepted(enrolled, "000000")
    assert enrolled == officer(otp_secret="sealed")
    assert accepted(enrolled, TOTP(SECRET).at(AT))


def test_a_new_authenticator_begins_anew(enrolled):
    assert accepted(enrolled, TOTP(SECRET).at(AT))
    enrolled.enrol("another")
    assert enrolled == officer(otp_secret="another")
    enrolled.enrol(None)
    assert enrolled == officer()


@pytest.mark.parametrize("requires_otp", [False, True])
def test_who_has_an_authenticator_gives_its_code(enrolled, requires_otp):
    enrolled.check_factors("000000", requires_otp=requires_otp)
    with pytest.raises(Unauthenticated) as refusal:
        enrolled.check_factors(None, requires_otp=requires_otp)
    assert refusal.value.code == "otp_required"


def test_who_has_no_authenticator_is_refused_where_everybody_needs_one():
    officer().check_factors(None, requires_otp=False)
    officer().check_factors("000000", requires_otp=False)
    for otp in (None, "000000"):
        with pytest.raises(Forbidden) as refusal:
            officer().check_factors(otp, requires_otp=True)
        assert refusal.value.code == "otp_not_enrolled"


def test_an_authenticator_is_told_whose_secret_it_is():
    assert otp_uri("canbo.mau", SECRET) == f"otpauth://totp/VssID:canbo.mau?secret={SECRET}&issuer=VssID"


# sessions


@pytest.fixture
def opened():
    return open_session(officer(), "token", "203.0.113.7", AT)


def test_a_session_lasts_a_working_day_and_keeps_the_token_as_a_hash(opened):
    assert opened == OfficerSession(
        session_id="3c469e9d6c5875d3",
        token_hash="3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0",
        username="canbo.mau",
        address="203.0.113.7",
        created_at=AT,
        last_used_at=AT,
        expires_at=AT + timedelta(hours=8),
    )


def test_a_session_ends_with_its_officer():
    until = AT + timedelta(hours=2)
    short = officer(expires_at=until)
    assert open_session(short, "token", "203.0.113.7", AT).expires_at == until
    assert (short.has_expired(until - timedelta(microseconds=1)), short.has_expired(until)) == (False, True)
    assert not officer().has_expired(AT)


@pytest.mark.parametrize(
    ("used_at", "ends_at"), [(timedelta(0), timedelta(minutes=30)), (timedelta(hours=7.9), timedelta(hours=8))]
)
def test_a_session_is_over_after_half_an_hour_without_use_and_after_a_working_day(opened, used_at, ends_at):
    opened.last_used_at = AT + used_at
    opened.check_running(AT + ends_at - timedelta(microseconds=1))
    with pytest.raises(Unauthenticated) as refusal:
        opened.check_running(AT + ends_at)
    assert refusal.value.code == "unauthenticated"


def test_a_use_is_noted_once_a_minute(opened):
    assert opened.is_use_noted(AT + timedelta(seconds=59))
    assert not opened.is_use_noted(AT + timedelta(seconds=60))


def test_tokens_are_long_and_never_the_same():
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert min(map(len, tokens)) >= 43
    assert len({token_hash(token) for token in tokens}) == 1000
