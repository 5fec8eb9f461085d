"""The rules of a declaration: how it ends, who may see it, and which document it may name."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain.declaration import (
    check_id_document,
    declaration_number,
    expiry,
    new_tracking_code,
)
from services.registration.domain.kinds import WrongKind
from shared.language.errors import FieldError, Invalid, NotFound, Refused
from shared.language.events import (
    DeclarationAcknowledged,
    DeclarationExpired,
    DeclarationReceived,
    DeclarationRejected,
    DeclarationReturned,
    DeclarationSubmitted,
    DeclarationWithdrawn,
)
from shared.language.values import Condition, IdDocument, Status
from tests.registration import rows
from tests.support.events import AT, declaration_approved
from tests.support.people import ADDRESS, AGENCY, CONTACT, FULL_NAME, ID_DOCUMENT, INSURANCE_CODE

LATER = AT + timedelta(days=1)
DEADLINE = AT + timedelta(days=10)
TODAY = date(2026, 8, 3)
ABOUT = {"declaration_id": "declaration-1", "number": "2026-0000001"}


@pytest.fixture
def declaration():
    return rows.declaration(**ABOUT)


def rejected(**changes):
    facts = {
        **ABOUT,
        "contact": CONTACT,
        "agency": AGENCY,
        "reason": "Ảnh mờ",
        "at": LATER,
    }
    return DeclarationRejected(**facts | changes)


def received(version, at=LATER):
    return DeclarationReceived(**ABOUT, version=version, at=at)


def returned(version, at=LATER):
    return DeclarationReturned(**ABOUT, version=version, at=at)


APPROVAL = declaration_approved(at=LATER)
ENDINGS = {
    Status.APPROVED: lambda declaration: declaration.approve(APPROVAL),
    Status.REJECTED: lambda declaration: declaration.reject(rejected()),
    Status.WITHDRAWN: lambda declaration: declaration.withdraw(LATER),
    Status.EXPIRED: lambda declaration: declaration.expire(LATER),
}
every_ending = pytest.mark.parametrize("ending", ENDINGS)


def test_a_declaration_that_was_submitted_is_told_whole(declaration):
    assert declaration.submit() == DeclarationSubmitted(
        **ABOUT,
        tracking_code="ABCDEFGH23",
        kind="register",
        insurance_code=INSURANCE_CODE,
        full_name=FULL_NAME,
        id_document=ID_DOCUMENT,
        address=ADDRESS,
        contact=CONTACT,
        agency=AGENCY,
        photos={"portrait": "uploads/1.jpg"},
        form_key=None,
        expires_at=DEADLINE,
        at=AT,
    )
    assert declaration.history == [{"at": AT.isoformat(), "what": "submitted"}]


def test_who_tells_the_applicant_hears_nothing_that_no_message_needs(declaration):
    assert declaration.acknowledged_event() == DeclarationAcknowledged(
        **ABOUT,
        tracking_code="ABCDEFGH23",
        kind="register",
        contact=CONTACT,
        agency=AGENCY,
        form_key=None,
        expires_at=DEADLINE,
        at=AT,
    )


def test_an_approval_opens_an_account(declaration):
    assert declaration.approve(APPROVAL) is True
    assert (declaration.status, declaration.decided_at) == (Status.APPROVED, LATER)


def test_a_rejection_keeps_its_reason(declaration):
    declaration.reject(rejected())
    assert (declaration.status, declaration.reason, declaration.decided_at) == (Status.REJECTED, "Ảnh mờ", LATER)


@every_ending
def test_a_decision_is_final_for_a_rejection(declaration, ending):
    ENDINGS[ending](declaration)
    declaration.reject(rejected(reason="Khác", at=DEADLINE))
    assert (declaration.status, declaration.decided_at) == (ending, LATER)
    assert declaration.reason == ("Ảnh mờ" if ending == Status.REJECTED else None)


@pytest.mark.parametrize("ending", [Status.APPROVED, Status.REJECTED, Status.WITHDRAWN])
def test_a_decision_is_final_for_an_approval(declaration, ending):
    ENDINGS[ending](declaration)
    assert declaration.approve(declaration_approved(at=DEADLINE)) is False
    assert (declaration.status, declaration.decided_at) == (ending, LATER)


@every_ending
def test_a_withdrawal_after_the_end_is_refused(declaration, ending):
    ENDINGS[ending](declaration)
    with pytest.raises(Refused) as refusal:
        declaration.withdraw(DEADLINE)
    assert (refusal.value.code, refusal.value.details) == ("already_decided", {"status": ending})
    assert (declaration.status, declaration.decided_at) == (ending, LATER)


def test_an_approval_on_its_way_when_the_declaration_expired_still_opens_the_account(declaration):
    declaration.expire(LATER)
    assert declaration.approve(declaration_approved(at=DEADLINE)) is True
    assert declaration.status == Status.APPROVED


@pytest.mark.parametrize("ending", [None, *ENDINGS], ids=str)
def test_an_approval_of_another_kind_is_refused_and_changes_nothing(declaration, ending):
    if ending is not None:
        ENDINGS[ending](declaration)
    before = replace(declaration)
    with pytest.raises(WrongKind):
        declaration.approve(declaration_approved(at=DEADLINE, kind="child"))
    assert declaration == before


def test_a_withdrawn_declaration_is_forgotten_but_for_its_number(declaration):
    assert declaration.withdraw(LATER) == DeclarationWithdrawn(**ABOUT, at=LATER)
    assert (declaration.applicant, declaration.insurance_code) == (None, None)
    assert (declaration.number, declaration.agency, declaration.submitted_at) == ("2026-0000001", AGENCY, AT)


def test_an_expired_declaration_is_told_to_the_applicant_and_then_forgotten(declaration):
    assert declaration.expire(DEADLINE) == DeclarationExpired(**ABOUT, contact=CONTACT, agency=AGENCY, at=DEADLINE)
    assert (declaration.applicant, declaration.insurance_code) == (None, None)


def test_a_declaration_is_received_and_returned(declaration):
    assert declaration.condition(LATER) == Condition.AWAITING_VISIT
    declaration.receive(received(1))
    assert (declaration.received_at, declaration.condition(LATER)) == (LATER, Condition.RECEIVED)
    declaration.return_to_queue(returned(2, DEADLINE))
    assert (declaration.received_at, declaration.condition(DEADLINE)) == (None, Condition.AWAITING_VISIT)


def test_an_older_event_that_arrives_late_changes_nothing(declaration):
    declaration.receive(received(3, DEADLINE))
    declaration.return_to_queue(returned(2))
    declaration.receive(received(1))
    assert (declaration.received_at, declaration.handled_version) == (DEADLINE, 3)


def test_the_same_event_twice_is_noted_once(declaration):
    declaration.receive(received(1))
    declaration.receive(received(1))
    assert declaration.history == [{"at": LATER.isoformat(), "what": "received"}]


@every_ending
def test_a_declaration_that_is_over_is_not_received(declaration, ending):
    ENDINGS[ending](declaration)
    declaration.receive(received(1))
    assert (declaration.received_at, declaration.handled_version) == (None, 0)


def test_the_history_tells_everything_in_its_order(declaration):
    declaration.submit()
    declaration.receive(received(1))
    declaration.approve(APPROVAL)
    declaration.note("account_activated", LATER)
    declaration.note("card_issued", DEADLINE)
    declaration.note("card_issued", DEADLINE)
    whats = [entry["what"] for entry in declaration.history]
    assert whats == ["submitted", "received", "approved", "account_activated", "card_issued"]


@pytest.mark.parametrize("given", ["ABCDEFGH23", "abcdefgh23", "abcd-efgh-23", " ABCDE FGH23\n", "abcd - efgh - 23"])
def test_a_tracking_code_is_known_however_it_is_written(declaration, given):
    assert declaration.check_tracking_code(given) is None


@pytest.mark.parametrize(
    "given", ["", "-", "ABCDEFGH2", "ABCDEFGH233", "ABCDEFGH24", "ẢBCDEFGH23", "\x00", "a" * 10_000]
)
def test_a_wrong_tracking_code_finds_nothing(declaration, given):
    with pytest.raises(NotFound):
        declaration.check_tracking_code(given)


def test_tracking_codes_are_readable_and_never_the_same():
    codes = {new_tracking_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert {len(code) for code in codes} == {10}
    assert set("".join(codes)) == set("23456789ABCDEFGHJKMNPQRSTUVWXYZ"), "no 0 and O, no 1, I and L"


def test_a_number_is_year_and_serial():
    assert declaration_number(123, AT) == "2026-0000123"
    assert declaration_number(12_345_678, AT) == "2026-12345678"


def test_a_declaration_lives_its_days_to_the_second():
    assert expiry(AT, 10) == DEADLINE
    assert expiry(AT, 0.5) == AT + timedelta(hours=12)


def fault(type_, number, today=TODAY):
    try:
        check_id_document(IdDocument(type_, number), today)
    except Invalid as refusal:
        [error] = refusal.errors
        assert error == FieldError("id_document.number", error.code)
        return error.code
    return None


@pytest.mark.parametrize(
    "number",
    ["079190000017", "001085000017", "096304000017", "079226000017", "101190000017", "399190000017"],
    ids=["woman of 1990", "man of 1985", "woman of 2004", "boy of this year", "born abroad", "born abroad, last code"],
)
def test_a_citizen_s_number_that_can_be_is_accepted(number):
    assert fault("cccd", number) is None


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("07919000001", "not_a_cccd"),
        ("0791900000177", "not_a_cccd"),
        ("07919000001A", "not_a_cccd"),
        ("٠٧٩١٩٠٠٠٠٠١٧", "not_a_cccd"),
        ("000190000017", "cccd_unknown_province"),
        ("003190000017", "cccd_unknown_province"),
        ("097190000017", "cccd_unknown_province"),
        ("100190000017", "cccd_unknown_province"),
        ("400190000017", "cccd_unknown_province"),
        ("999190000017", "cccd_unknown_province"),
        ("079227000017", "cccd_birth_year_in_future"),
        ("079327000017", "cccd_birth_year_in_future"),
        ("079400000017", "cccd_birth_year_in_future"),
        ("079900000017", "cccd_birth_year_in_future"),
    ],
)
def test_a_citizen_s_number_that_cannot_be_is_refused(number, code):
    assert fault("cccd", number) == code


@given(st.integers(0, 9), st.integers(0, 99))
def test_century_and_year_of_a_citizen_s_number_lie_in_the_past(century, year):
    born = (1900, 1900, 2000, 2000, 2100, 2100, 2200, 2200, 2300, 2300)[century] + year
    expected = None if born <= 2026 else "cccd_birth_year_in_future"
    assert fault("cccd", f"079{century}{year:02d}000017") == expected


def test_a_year_in_the_future_is_one_no_more_when_it_has_come():
    assert fault("cccd", "079227000017", date(2026, 12, 31)) == "cccd_birth_year_in_future"
    assert fault("cccd", "079227000017", date(2027, 1, 1)) is None


@pytest.mark.parametrize(
    ("number", "code"), [("024000017", None), ("02400001", "not_a_cmnd"), ("024A00017", "not_a_cmnd")]
)
def test_an_old_identity_card_has_nine_digits(number, code):
    assert fault("cmnd", number) == code


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("B1234567", None),
        ("C12345678", None),
        ("AB123456", None),
        ("123456789012", None),
        ("B1234", "not_a_passport"),
        ("b1234567", "not_a_passport"),
        ("B123 4567", "not_a_passport"),
        ("1234567890123", "not_a_passport"),
    ],
)
def test_a_passport_has_six_to_twelve_characters(number, code):
    assert fault("passport", number) == code


def test_the_year_of_a_number_is_the_year_of_its_submission():
    assert declaration_number(1, datetime(2027, 1, 1, tzinfo=UTC)) == "2027-0000001"
