"""The rules of a review: whose it is, what officers may do with it, and how it ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.approval.domain.register import Person
from services.approval.domain.review import (
    Dossier,
    Review,
    is_own_picture,
    open_review,
    own_picture_key,
    reviewed_id,
)
from shared.language.errors import FieldError, Invalid, NotFound, Refused
from shared.language.events import (
    DeclarationApproved,
    DeclarationReceived,
    DeclarationRejected,
    DeclarationReturned,
    DeclarationSubmitted,
    PhotoReplaced,
    ReminderRequested,
)
from shared.language.values import Condition, Status
from tests.support.events import AT, first_password_undelivered
from tests.support.people import ADDRESS, AGENCY, CONTACT, FULL_NAME, ID_DOCUMENT, INSURANCE_CODE

LATER = AT + timedelta(days=1)
DEADLINE = AT + timedelta(days=10)
ABOUT = {"declaration_id": "declaration-1", "number": "2026-0000001"}
PHOTOS = {"portrait": "uploads/portrait/1.jpg", "id_front": "uploads/id_front/2.jpg"}
CODE = "ABCDEFGH23"
OFFICER, COLLEAGUE = "canbo.mau", "canbo.khac"
PERSON = Person(INSURANCE_CODE, "TRẦN THỊ MẪU", "1990-03-12", "female")
SUBMITTED = DeclarationSubmitted(
    **ABOUT,
    tracking_code=CODE,
    kind="register",
    insurance_code=INSURANCE_CODE,
    full_name=FULL_NAME,
    id_document=ID_DOCUMENT,
    address=ADDRESS,
    contact=CONTACT,
    agency=AGENCY,
    photos=PHOTOS,
    expires_at=DEADLINE,
    at=AT,
)


@pytest.fixture
def review():
    return open_review(SUBMITTED)


def approve(review, *, officer=OFFICER, at=LATER):
    return review.approve(officer, PERSON, at=at)


def reject(review, *, officer=OFFICER, reason="Ảnh mờ", at=LATER):
    return review.reject(officer, reason, at=at)


def replace_portrait(review, *, officer=OFFICER, at=LATER):
    return review.replace_photo("portrait", "reviews/new.jpg", "upload-9", officer, at=at)


def check(review, *, officer=OFFICER, at=LATER, **said):
    usual = {"identity_checked": True, "tracking_code": CODE, "confirmed": False}
    return review.check_approvable(officer, **usual | said, at=at)


ACTS = {
    "receive": lambda review, **how: review.receive(**{"officer": OFFICER, "at": LATER} | how),
    "return": lambda review, **how: review.return_to_queue(**{"officer": OFFICER, "at": LATER} | how),
    "replace a photo": replace_portrait,
    "check": check,
    "approve": approve,
    "reject": reject,
}
ENDINGS = {
    Status.APPROVED: approve,
    Status.REJECTED: reject,
    Status.WITHDRAWN: lambda review: review.close(Status.WITHDRAWN, LATER),
    Status.EXPIRED: lambda review: review.close(Status.EXPIRED, LATER),
}
every_act = pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
every_ending = pytest.mark.parametrize("ending", ENDINGS)


def refused(act, review, **how):
    """Do what must be refused and must change nothing; return the refusal."""
    before = replace(review)
    with pytest.raises((Refused, NotFound, Invalid)) as refusal:
        act(review, **how)
    assert review == before
    return refusal.value


# opened


def test_a_submitted_declaration_opens_a_review():
    assert open_review(SUBMITTED) == Review(
        **ABOUT,
        kind="register",
        agency_code="07921",
        agency=AGENCY,
        insurance_code=INSURANCE_CODE,
        full_name=FULL_NAME,
        name_key="tran thi mau",
        dossier=Dossier(ID_DOCUMENT, ADDRESS, CONTACT, PHOTOS, CODE),
        submitted_at=AT,
        expires_at=DEADLINE,
        status=Status.PENDING,
        history=[{"at": AT.isoformat(), "what": "submitted", "officer": ""}],
    )


def test_a_review_is_there_for_its_own_agency_only(review):
    assert review.check_agency("07921") is None
    for other in ("07922", "079", ""):
        with pytest.raises(NotFound):
            review.check_agency(other)


# received and returned


def test_an_officer_receives_a_declaration(review):
    assert review.receive(OFFICER, at=LATER) == DeclarationReceived(**ABOUT, version=1, at=LATER)
    assert (review.assigned_to, review.received_at, review.version) == (OFFICER, LATER, 1)
    assert review.history[-1] == {"at": LATER.isoformat(), "what": "received", "officer": OFFICER}


def test_receiving_it_twice_changes_nothing(review):
    review.receive(OFFICER, at=LATER)
    before = replace(review)
    assert review.receive(OFFICER, at=DEADLINE - timedelta(seconds=1)) is None
    assert review == before


def test_an_officer_returns_a_declaration_to_the_queue(review):
    review.receive(OFFICER, at=AT)
    assert review.return_to_queue(OFFICER, at=LATER) == DeclarationReturned(**ABOUT, version=2, at=LATER)
    assert (review.assigned_to, review.received_at, review.version) == (None, None, 2)
    assert review.history[-1] == {"at": LATER.isoformat(), "what": "returned", "officer": OFFICER}


def test_returning_what_is_assigned_to_nobody_changes_nothing(review):
    before = replace(review)
    assert review.return_to_queue(OFFICER, at=LATER) is None
    assert review == before


def test_who_may_return_the_dossier_of_another_does_so_and_the_history_says_it(review):
    review.receive(OFFICER, at=AT)
    returned = review.return_to_queue(COLLEAGUE, at=LATER, may_return_of_another=True)
    assert returned == DeclarationReturned(**ABOUT, version=2, at=LATER)
    assert (review.assigned_to, review.received_at) == (None, None)
    assert review.history[-1] == {"at": LATER.isoformat(), "what": "returned_by_another", "officer": COLLEAGUE}


def test_who_may_return_the_dossier_of_another_returns_the_own_as_everybody(review):
    review.receive(OFFICER, at=AT)
    review.return_to_queue(OFFICER, at=LATER, may_return_of_another=True)
    assert review.history[-1] == {"at": LATER.isoformat(), "what": "returned", "officer": OFFICER}


def test_a_returned_declaration_can_be_received_by_a_colleague(review):
    review.receive(OFFICER, at=AT)
    review.return_to_queue(OFFICER, at=AT)
    assert review.receive(COLLEAGUE, at=LATER) == DeclarationReceived(**ABOUT, version=3, at=LATER)


def test_the_condition_says_who_is_to_move_next_until_the_decision(review):
    assert review.condition(LATER) == Condition.AWAITING_VISIT
    review.receive(OFFICER, at=AT)
    assert review.condition(LATER) == Condition.RECEIVED
    assert review.condition(AT + timedelta(days=8)) == Condition.OVERDUE
    approve(review)
    assert review.condition(LATER) is None


# what every act refuses


@every_act
def test_a_review_that_a_colleague_has_is_refused(review, act):
    review.receive(COLLEAGUE, at=AT)
    assert refused(act, review).code == "assigned_to_another"


@every_act
@every_ending
def test_a_review_that_ended_is_refused(review, act, ending):
    ENDINGS[ending](review)
    refusal = refused(act, review)
    assert (refusal.code, refusal.details) == ("already_decided", {"status": ending})


@every_act
def test_nothing_is_done_from_the_deadline_on(review, act):
    refusal = refused(act, review, at=DEADLINE)
    assert (refusal.code, refusal.details) == ("already_decided", {"status": Status.PENDING})
    act(review, at=DEADLINE - timedelta(microseconds=1))


# pictures


def test_a_photo_is_replaced_and_the_others_stay(review):
    assert replace_portrait(review) == PhotoReplaced(**ABOUT, purpose="portrait", upload_id="upload-9", at=LATER)
    assert review.dossier == Dossier(ID_DOCUMENT, ADDRESS, CONTACT, PHOTOS | {"portrait": "reviews/new.jpg"}, CODE)
    assert review.history[-1] == {"at": LATER.isoformat(), "what": "photo_replaced:portrait", "officer": OFFICER}


@pytest.mark.parametrize("purpose", ["id_back", "birth_certificate", "", "PORTRAIT"])
def test_a_photo_that_was_not_declared_cannot_be_replaced(review, purpose):
    refusal = refused(lambda one: one.replace_photo(purpose, "reviews/new.jpg", "upload-9", OFFICER, at=LATER), review)
    assert (type(refusal), refusal.code) == (NotFound, "no_such_photo")


def test_pictures_that_officers_brought_are_told_from_uploads():
    key = own_picture_key("declaration-1", "picture-1", ".png")
    assert key == "reviews/declaration-1/picture-1.png"
    assert is_own_picture(key)
    assert (reviewed_id(key), reviewed_id("reviews/picture-1.png")) == ("declaration-1", None)
    assert not is_own_picture("uploads/portrait/1.jpg")


# approved


def test_an_approval_may_be_asked_for_once_the_identity_was_checked(review):
    assert check(review) is None
    refusal = refused(check, review, identity_checked=False)
    assert refusal.code == "identity_not_checked"
    assert refusal.errors == (FieldError("identity_checked", "must_be_accepted"),)


@pytest.mark.parametrize("given", [None, ""])
def test_a_registration_is_not_approved_without_a_tracking_code(review, given):
    refusal = refused(check, review, tracking_code=given)
    assert (type(refusal), refusal.errors) == (Invalid, (FieldError("tracking_code", "required"),))


@pytest.mark.parametrize("kind", ["child", "adjust", "stop"])
def test_an_account_holder_proved_it_by_otp_and_needs_no_tracking_code(review, kind):
    review.kind = kind
    assert check(review, tracking_code=None, confirmed=True) is None
    assert review.is_proven_by(None)


@pytest.mark.parametrize(
    "given", [CODE, "abcde fgh23", "ABCD-EFGH-23", "2026-0000001 ABCDEFGH23", "20260000001abcdefgh23"]
)
def test_a_tracking_code_is_known_typed_or_scanned(review, given):
    assert review.is_proven_by(given)


@pytest.mark.parametrize("given", ["ABCDEFGH24", "", None, "2026-0000002 ABCDEFGH23", "ẢBCDEFGH23", "ABCDEFGH233"])
def test_a_wrong_tracking_code_proves_nothing(review, given):
    assert not review.is_proven_by(given)


def test_without_a_tracking_code_of_its_own_a_dossier_is_proven_by_nothing(review):
    review.dossier = replace(review.dossier, tracking_code="")
    assert not review.is_proven_by("")


def test_a_change_is_approved_only_where_it_is_confirmed(review):
    review.kind = "adjust"
    refusal = refused(check, review)
    assert refusal.code == "confirmation_required"
    assert refusal.errors == (FieldError("confirm", "must_be_accepted"),)
    assert check(review, confirmed=True) is None


@pytest.mark.parametrize(
    ("registered", "noted"),
    [("Trần Thị Mẫu", []), ("TRẦN THỊ MẨU", ["spelling_confirmed"]), ("Tran Thi Mau", ["spelling_confirmed"])],
)
def test_the_history_says_where_the_officer_confirmed_another_spelling(review, registered, noted):
    event = review.approve(OFFICER, replace(PERSON, full_name=registered), at=LATER)
    assert event.full_name == registered
    assert [entry["what"] for entry in review.history[1:]] == [*noted, "approved"]
    assert review.confirmed == "".join(noted)


@pytest.mark.parametrize("kind", ["register", "child", "adjust", "stop"])
def test_an_approval_says_its_kind_and_what_the_register_knows(review, kind):
    review.kind = kind
    assert approve(review) == DeclarationApproved(
        **ABOUT,
        kind=kind,
        insurance_code=INSURANCE_CODE,
        full_name="TRẦN THỊ MẪU",
        birth_date="1990-03-12",
        gender="female",
        id_document=ID_DOCUMENT,
        address=ADDRESS,
        contact=CONTACT,
        agency=AGENCY,
        at=LATER,
    )


def test_an_approved_review_says_who_decided_and_when(review):
    approve(review)
    assert (review.status, review.decided_at, review.decided_by) == (Status.APPROVED, LATER, OFFICER)
    assert (review.reason, review.assigned_to, review.version) == (None, OFFICER, 1)
    assert review.history[-1] == {"at": LATER.isoformat(), "what": "approved", "officer": OFFICER}


# reminded, and overtaken


def test_a_reminder_has_the_code_sent_to_the_declared_phone_again(review):
    assert review.remind(COLLEAGUE, reminder_id="reminder-1", at=LATER) == ReminderRequested(
        reminder_id="reminder-1",
        **ABOUT,
        tracking_code=CODE,
        kind="register",
        contact=CONTACT,
        agency=AGENCY,
        expires_at=DEADLINE,
        at=LATER,
    )
    assert review.history[-1] == {"at": LATER.isoformat(), "what": "reminded", "officer": COLLEAGUE}


@every_ending
def test_after_the_end_nobody_is_reminded(review, ending):
    ENDINGS[ending](review)
    assert refused(lambda one: one.remind(OFFICER, reminder_id="r", at=LATER), review).code == "already_decided"


def test_a_declaration_gives_way_to_another_of_its_code_whoever_has_it(review):
    review.receive(COLLEAGUE, at=AT)
    event = review.give_way(LATER)
    assert (event.reason, event.contact) == ("another_declaration_approved", CONTACT)
    assert (review.status, review.reason) == (Status.REJECTED, "another_declaration_approved")
    assert review.history[-1] == {"at": LATER.isoformat(), "what": "rejected", "officer": ""}


# rejected


def test_a_rejection_says_its_reason(review):
    assert reject(review, reason=" Ảnh mờ\n") == DeclarationRejected(
        **ABOUT,
        contact=CONTACT,
        agency=AGENCY,
        reason="Ảnh mờ",
        at=LATER,
    )
    assert (review.status, review.decided_at, review.decided_by) == (Status.REJECTED, LATER, OFFICER)
    assert review.reason == "Ảnh mờ"
    assert review.history[-1] == {"at": LATER.isoformat(), "what": "rejected", "officer": OFFICER}


@pytest.mark.parametrize("reason", ["", " ", "\n\t ", "\N{NO-BREAK SPACE}"])
def test_a_rejection_needs_a_reason(review, reason):
    refusal = refused(reject, review, reason=reason)
    assert (refusal.code, refusal.errors) == ("reason_required", (FieldError("reason", "required"),))


# closed


@pytest.mark.parametrize("status", [Status.WITHDRAWN, Status.EXPIRED])
@pytest.mark.parametrize("received", [False, True], ids=["in the queue", "received"])
def test_a_review_is_closed_with_its_declaration_and_forgets_whose_it_was(review, status, received):
    if received:
        review.receive(OFFICER, at=AT)
    review.close(status, LATER)
    assert (review.status, review.decided_at) == (status, LATER)
    assert (review.insurance_code, review.full_name, review.name_key, review.dossier) == (None, None, None, None)
    assert review.history[-1] == {"at": LATER.isoformat(), "what": str(status), "officer": ""}


def test_a_closed_review_is_not_closed_again(review):
    review.close(Status.EXPIRED, LATER)
    before = replace(review)
    review.close(Status.WITHDRAWN, DEADLINE)
    assert review == before


def test_an_approval_that_crosses_the_expiry_stands(review):
    """docs/decisions/0008: it was made in time, and the account opens."""
    approve(review)
    before = replace(review)
    review.close(Status.EXPIRED, DEADLINE)
    assert not review.is_closed_by(Status.EXPIRED)
    assert review == before


@pytest.mark.parametrize(
    ("decide", "status"),
    [(reject, Status.EXPIRED), (reject, Status.WITHDRAWN), (approve, Status.WITHDRAWN)],
    ids=["rejected, then expired", "rejected, then withdrawn", "approved, then withdrawn"],
)
def test_any_other_decision_gives_way_to_the_end_that_registration_knows(review, decide, status):
    decide(review)
    assert review.is_closed_by(status)
    review.close(status, DEADLINE)
    assert (review.status, review.decided_at, review.dossier, review.reason) == (status, DEADLINE, None, None)


def lost(**changes):
    return first_password_undelivered(at=LATER, **changes)


def told_of(review):
    return [step["what"] for step in review.history]


def test_a_first_password_that_did_not_arrive_shows_until_another_is_requested(review):
    review.note_undelivered(lost())
    review.note_undelivered(lost())
    assert (review.password_undelivered, told_of(review).count("password_undelivered")) == (True, 1)
    requested = review.request_first_password(OFFICER, "7900000017", at=LATER)
    assert (requested.version, requested.renewal_id) == (1, f"{review.declaration_id}.1")
    assert (review.password_undelivered, told_of(review)[-1]) == (False, "password_requested")


def test_only_the_newest_password_counts_as_undelivered(review):
    first = review.request_first_password(OFFICER, "7900000017", at=LATER)
    second = review.request_first_password(OFFICER, "7900000017", at=AT)  # by a clock that is behind
    assert (first.version, second.version) == (1, 2)
    for outdated in ("", first.renewal_id):
        review.note_undelivered(lost(renewal_id=outdated))
        assert not review.password_undelivered
    review.note_undelivered(lost(renewal_id=second.renewal_id))
    assert review.password_undelivered


def test_a_forgotten_dossier_still_gets_its_holder_a_password(review):
    review.forget()
    requested = review.request_first_password(OFFICER, "7900000017", at=LATER)
    assert (requested.insurance_code, requested.number) == ("7900000017", review.number)
