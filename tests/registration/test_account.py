"""An account: what an approval opens, and its first password."""

from datetime import timedelta

from services.registration.domain.account import (
    Account,
    account_activated_event,
    card_requested_event,
    first_password,
    open_account,
)
from shared.storage.passwords import hash_password, is_password
from tests.support.events import AT, account_activated, card_requested, declaration_approved
from tests.support.people import ADDRESS, CONTACT, FULL_NAME, ID_DOCUMENT, INSURANCE_CODE

LATER = AT + timedelta(minutes=5)


def opened():
    return open_account(declaration_approved(), account_id="account-1", password_hash="hash", at=LATER)


def test_an_account_is_opened_with_what_the_officer_approved():
    assert opened() == Account(
        account_id="account-1",
        insurance_code=INSURANCE_CODE,
        declaration_id="declaration-1",
        full_name=FULL_NAME,
        birth_date="1990-03-12",
        gender="female",
        id_document=ID_DOCUMENT,
        address=ADDRESS,
        contact=CONTACT,
        password_hash="hash",
        password_expires_at=LATER + timedelta(hours=72),
        must_change_password=True,
        activated_at=LATER,
    )


def test_an_open_account_is_told_with_its_password_sealed():
    event = account_activated_event(opened(), declaration_approved(), "sealed")
    assert event == account_activated(password_expires_at=LATER + timedelta(hours=72), at=LATER)


def test_a_card_is_requested_with_what_it_states():
    assert card_requested_event(opened(), declaration_approved()) == card_requested(at=LATER)


def test_first_passwords_are_readable_and_never_the_same():
    passwords = {first_password() for _ in range(1000)}
    assert len(passwords) == 1000
    assert {len(password) for password in passwords} == {10}
    assert set("".join(passwords)) == set("23456789ABCDEFGHJKMNPQRSTUVWXYZ"), "no 0 and O, no 1, I and L"


def test_a_password_is_kept_as_a_hash_that_knows_it_again():
    kept = hash_password("ABCD2345EF")
    assert "ABCD2345EF" not in kept
    assert is_password(kept, "ABCD2345EF")
    assert not is_password(kept, "abcd2345ef")
    assert not is_password("no hash", "ABCD2345EF")
    assert hash_password("ABCD2345EF") != kept
