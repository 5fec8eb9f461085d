"""The work of registration, on its real tables."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from services.registration import models
from services.registration.domain.account import Account
from services.registration.domain.kinds import WrongKind
from services.registration.domain.upload import Upload, form_key
from services.registration.handlers.account import activate_account, renew_first_password
from services.registration.handlers.declaration import (
    expire_declarations,
    find_declaration,
    note_card,
    receive_declaration,
    reject_declaration,
    return_declaration,
    submit_declaration,
    withdraw_declaration,
)
from services.registration.handlers.upload import drop_replacement, drop_unused_uploads
from services.registration.schemas.declaration import DeclarationForm
from shared import forms
from shared.language.errors import FieldError, Invalid, NotFound, Refused, TooMany
from shared.language.events import (
    CardIssued,
    DeclarationAcknowledged,
    DeclarationExpired,
    DeclarationReceived,
    DeclarationRejected,
    DeclarationReturned,
    DeclarationSubmitted,
    DeclarationWithdrawn,
    PhotoReplaced,
    RegistrationRepeated,
)
from shared.language.limits import Limit
from shared.language.values import Address, Condition, Contact, Status
from shared.storage.quotas import forget_quotas
from tests.registration.rows import upload
from tests.support.databases import announced
from tests.support.events import (
    AT,
    account_activated,
    card_requested,
    declaration_approved,
    first_password_renewed,
    first_password_requested,
)
from tests.support.people import AGENCY, FULL_NAME, ID_DOCUMENT, INSURANCE_CODE, PHOTOS, declaration_form

LATER = AT + timedelta(days=1)
DEADLINE = AT + timedelta(days=10)
ADDRESS = Address(province_code="79", province_name="Thành phố Hồ Chí Minh", street="12 Đường Mẫu")
CONTACT = Contact(phone="+84912345678", email="tran.thi.mau@vidu.example", language="en")
SUBMITTED = [DeclarationSubmitted, DeclarationAcknowledged]
KEYS = {purpose: f"uploads/{purpose}/{upload_id}.jpg" for purpose, upload_id in PHOTOS.items()}


def submit(database, *, at=AT, counted=(), **changes):
    checked = forms.read(DeclarationForm, declaration_form(**changes)) | {"language": "en"}
    with database.begin() as session:
        return submit_declaration(session, checked, days=10, counted=counted, at=at)


def fresh_photos(database, count):
    """Keep the pictures of another declaration, and return their ids by purpose."""
    ids = {purpose: f"00000000-0000-4000-9000-{count:04d}{at:08d}" for at, purpose in enumerate(PHOTOS)}
    with database.begin() as session:
        session.add_all(upload(purpose, upload_id) for purpose, upload_id in ids.items())
    return ids


def found(database, declaration):
    with database.begin() as session:
        return models.declaration_by_id(session, declaration.declaration_id)


def about(declaration):
    return {"declaration_id": declaration.declaration_id, "number": declaration.number}


def heard(database, handler, event):
    with database.begin() as session:
        handler(session, event)


def approve(database, declaration, *, at=LATER, **changes):
    event = declaration_approved(**about(declaration), contact=CONTACT, at=LATER, **changes)
    with database.begin() as session:
        activate_account(session, event, password_hash="hash", sealed_password="sealed", at=at)


def rejection(declaration):
    person = {"contact": CONTACT, "agency": AGENCY}
    return DeclarationRejected(**about(declaration), **person, reason="Ảnh mờ", at=LATER)


def withdraw(database, declaration, *, tracking_code=None, at=LATER):
    code = declaration.tracking_code if tracking_code is None else tracking_code
    with database.begin() as session:
        return withdraw_declaration(session, number=declaration.number, tracking_code=code, at=at)


def rows(database, table):
    with database.begin() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table))


def to_erase(database):
    with database.begin() as session:
        return set(models.files_to_erase(session, 100))


def account_of(database, insurance_code=INSURANCE_CODE) -> Account | None:
    with database.begin() as session:
        return models.account_of(session, insurance_code)


# submitted


def test_a_declaration_is_kept_and_announced(database):
    declaration = submit(database)
    assert found(database, declaration) == declaration
    assert (declaration.number, declaration.status) == ("2026-0000001", Status.PENDING)
    assert announced(database) == [
        DeclarationSubmitted(
            **about(declaration),
            tracking_code=declaration.tracking_code,
            kind="register",
            insurance_code=INSURANCE_CODE,
            full_name=FULL_NAME,
            id_document=ID_DOCUMENT,
            address=ADDRESS,
            contact=CONTACT,
            agency=AGENCY,
            photos=KEYS,
            form_key=form_key(declaration.declaration_id),
            expires_at=DEADLINE,
            at=AT,
        ),
        declaration.acknowledged_event(),
    ]


def test_numbers_are_counted(database):
    first = submit(database)
    second = submit(database, insurance_code="7900000025", photos=fresh_photos(database, 2))
    assert (first.number, second.number) == ("2026-0000001", "2026-0000002")


def test_an_impossible_id_number_is_refused(database):
    with pytest.raises(Invalid) as refusal:
        submit(database, id_document={"type": "cmnd", "number": "079190000017"})
    assert refusal.value.errors == (FieldError("id_document.number", "not_a_cmnd"),)


@pytest.mark.parametrize(
    "agency",
    [
        {"code": "07922"},
        {"code": "07921", "closed_on": date(2026, 8, 3)},
        {"code": "07921", "opened_on": date(2026, 8, 4)},
    ],
    ids=["unknown", "closed today", "opens tomorrow"],
)
def test_an_agency_that_is_not_open_today_is_refused(database, agency):
    with database.begin() as session:
        session.execute(sa.update(models.agencies).values(**agency))
    with pytest.raises(Refused) as refusal:
        submit(database)
    assert (refusal.value.code, refusal.value.errors) == (
        "unknown_agency",
        (FieldError("agency_code", "unknown_agency"),),
    )


EARLY = datetime(2026, 8, 3, 18, 30, tzinfo=UTC)  # half past one of the 4th in Vietnam


@pytest.mark.parametrize(
    ("agency", "is_open"),
    [
        ({"opened_on": date(2026, 8, 4)}, True),
        ({"opened_on": date(2026, 8, 5)}, False),
        ({"closed_on": date(2026, 8, 4)}, False),
        ({"closed_on": date(2026, 8, 5)}, True),
    ],
    ids=["opens today", "opens tomorrow", "closed today", "closes tomorrow"],
)
def test_at_night_an_agency_is_open_by_the_day_in_vietnam(database, agency, is_open):
    with database.begin() as session:
        session.execute(sa.update(models.agencies).values(**agency))
    if is_open:
        assert submit(database, at=EARLY).status == Status.PENDING
    else:
        with pytest.raises(Refused):
            submit(database, at=EARLY)


def test_in_the_first_hours_of_a_year_its_children_and_its_numbers_are_of_that_year(database):
    new_year = datetime(2026, 12, 31, 17, 30, tzinfo=UTC)
    born_today = {"type": "cccd", "number": "079327000017"}  # a girl of 2027
    assert submit(database, at=new_year, id_document=born_today).number == "2027-0000001"
    with pytest.raises(Invalid):
        submit(database, at=new_year - timedelta(hours=1), id_document=born_today, photos=fresh_photos(database, 2))


def test_a_phone_with_a_pending_declaration_of_a_code_cannot_submit_another(database):
    submit(database)
    with pytest.raises(Refused) as refusal:
        submit(database, photos=fresh_photos(database, 2))
    assert refusal.value.code == "declaration_pending"
    assert (len(announced(database)), rows(database, models.declarations)) == (len(SUBMITTED), 1)


def test_other_phones_may_declare_for_the_same_code(database):
    """Whoever does not hold the phone blocks nobody."""
    first, second = submit(database), submit(database, phone="0987654321", photos=fresh_photos(database, 2))
    assert (found(database, first).status, found(database, second).status) == (Status.PENDING, Status.PENDING)


@pytest.mark.parametrize(("phone", "same"), [("+84912345678", True), ("+84987654321", False)])
def test_a_declaration_for_a_code_with_an_account_is_accepted_and_the_account_is_told(database, phone, same):
    opened = submit(database)
    approve(database, opened)
    again = submit(database, phone=phone, photos=fresh_photos(database, 2), at=LATER)
    assert (again.status, again.expires_at) == (Status.PENDING, LATER + timedelta(days=10))
    account = account_of(database)
    *submitted, told = announced(database)[-3:]
    assert [type(event) for event in submitted] == SUBMITTED
    assert told == RegistrationRepeated(
        **about(again),
        account_id=account.account_id,
        contact=CONTACT,
        same_phone=same,
        agency=AGENCY,
        at=LATER,
    )


# counted

LIMIT = Limit("phone", 2, timedelta(days=1))


def test_as_many_declarations_as_a_limit_says_are_accepted(database):
    counted = [(LIMIT, CONTACT.phone)]
    for count in (1, 2):
        submit(database, insurance_code=f"790000001{count}", photos=fresh_photos(database, count), counted=counted)
    photos = fresh_photos(database, 3)
    with pytest.raises(TooMany) as refusal:
        submit(database, photos=photos, counted=counted, at=LATER - timedelta(hours=1))
    assert refusal.value.retry_after == 3600
    assert rows(database, models.declarations) == 2
    assert submit(database, photos=photos, counted=counted, at=LATER).status == Status.PENDING


def test_what_was_refused_is_not_counted(database):
    counted = [(LIMIT, CONTACT.phone)]
    submit(database, counted=counted)
    photos = fresh_photos(database, 2)
    for _ in range(3):
        with pytest.raises(Refused):
            submit(database, photos=photos, counted=counted)
        with pytest.raises(Refused):
            submit(database, insurance_code="7900000025", counted=counted)  # its pictures are used
    submit(database, insurance_code="7900000025", photos=fresh_photos(database, 3), counted=counted)


def test_another_phone_is_counted_by_itself(database):
    submit(database, counted=[(Limit("phone", 1, timedelta(days=1)), CONTACT.phone)])
    other = [(Limit("phone", 1, timedelta(days=1)), "+84987654321")]
    submit(database, insurance_code="7900000025", photos=fresh_photos(database, 2), counted=other)


def test_counts_hold_no_phone_number_and_are_forgotten_with_their_window(database):
    submit(database, counted=[(LIMIT, CONTACT.phone)])
    with database.begin() as session:
        (row,) = session.execute(sa.select(models.metadata.tables["quotas"])).all()
        assert CONTACT.phone not in str(row)
        forget_quotas(session, before=AT + timedelta(days=1))
    assert rows(database, models.metadata.tables["quotas"]) == 1
    with database.begin() as session:
        forget_quotas(session, before=AT + timedelta(days=1, seconds=1))
    assert rows(database, models.metadata.tables["quotas"]) == 0


@pytest.mark.parametrize(
    "end",
    [
        withdraw,
        lambda database, declaration: heard(database, reject_declaration, rejection(declaration)),
        lambda database, declaration: heard(
            database, lambda session, at: expire_declarations(session, at=at), DEADLINE
        ),
    ],
    ids=["withdrawn", "rejected", "expired"],
)
def test_after_the_end_of_one_declaration_another_may_be_made(database, end):
    end(database, submit(database))
    again = submit(database, photos=fresh_photos(database, 2))
    assert found(database, again).status == Status.PENDING


@pytest.mark.parametrize(
    ("photos", "fields"),
    [
        (PHOTOS | {"id_back": "00000000-0000-4000-8000-000000000009"}, ["photos.id_back"]),
        (PHOTOS | {"id_back": PHOTOS["id_front"]}, ["photos.id_back"]),
        (
            PHOTOS | {"id_front": PHOTOS["id_back"], "id_back": PHOTOS["id_front"]},
            ["photos.id_front", "photos.id_back"],
        ),
    ],
    ids=["never sent", "sent for another purpose", "mixed up"],
)
def test_a_picture_that_is_not_there_is_named_and_none_is_used(database, photos, fields):
    with pytest.raises(Refused) as refusal:
        submit(database, photos=photos)
    assert refusal.value.code == "upload_not_found"
    assert refusal.value.errors == tuple(FieldError(field, "upload_not_found") for field in fields)
    with database.begin() as session:
        assert models.unused_upload(session, PHOTOS["portrait"]) is not None


def test_a_picture_of_another_declaration_is_not_there(database):
    submit(database)
    with pytest.raises(Refused) as refusal:
        submit(database, insurance_code="7900000025")
    assert refusal.value.code == "upload_not_found"
    assert len(refusal.value.errors) == 3
    with database.begin() as session:
        assert models.unused_upload(session, PHOTOS["portrait"]) is None


# looked up


def test_a_declaration_is_found_by_number_and_tracking_code(database):
    declaration = submit(database)
    with database.begin() as session:
        code = declaration.tracking_code.lower()
        assert find_declaration(session, number=declaration.number, tracking_code=code) == declaration


@pytest.mark.parametrize(
    ("number", "tracking_code"),
    [
        ("2026-0000001", "WRONGCODE2"),
        ("2026-0000002", None),
        ("", None),
        ("2026-0000001\x00", None),
        ("\ud800", None),
        ("' OR 1=1 --", None),
        ("9" * 100_000, None),
    ],
    ids=lambda value: ascii(value)[:20],
)
@pytest.mark.parametrize("call", [find_declaration, withdraw_declaration], ids=["looked up", "withdrawn"])
def test_a_wrong_number_or_code_finds_nothing(database, call, number, tracking_code):
    declaration = submit(database)
    at = {} if call is find_declaration else {"at": LATER}
    with database.begin() as session, pytest.raises(NotFound):
        call(session, number=number, tracking_code=tracking_code or declaration.tracking_code, **at)
    assert found(database, declaration).status == Status.PENDING


# handled


def test_a_declaration_is_received_and_returned(database):
    declaration = submit(database)
    heard(database, receive_declaration, DeclarationReceived(**about(declaration), version=1, at=LATER))
    assert found(database, declaration).condition(LATER) == Condition.RECEIVED
    heard(database, return_declaration, DeclarationReturned(**about(declaration), version=2, at=LATER))
    assert found(database, declaration).condition(LATER) == Condition.AWAITING_VISIT


def test_of_events_that_overtake_each_other_the_newest_counts(database):
    declaration = submit(database)
    heard(database, return_declaration, DeclarationReturned(**about(declaration), version=2, at=LATER))
    heard(database, receive_declaration, DeclarationReceived(**about(declaration), version=1, at=LATER))
    assert (found(database, declaration).received_at, found(database, declaration).handled_version) == (None, 2)


def test_a_rejection_is_kept_with_its_reason(database):
    declaration = submit(database)
    heard(database, reject_declaration, rejection(declaration))
    heard(database, reject_declaration, rejection(declaration))
    kept = found(database, declaration)
    assert (kept.status, kept.reason, kept.decided_at) == (Status.REJECTED, "Ảnh mờ", LATER)
    assert [entry["what"] for entry in kept.history] == ["submitted", "rejected"]


@pytest.mark.parametrize(
    ("handler", "event"),
    [
        (receive_declaration, DeclarationReceived(declaration_id="lost", number="2026-0000009", version=1, at=AT)),
        (return_declaration, DeclarationReturned(declaration_id="lost", number="2026-0000009", version=1, at=AT)),
    ],
    ids=["received", "returned"],
)
def test_an_event_about_an_unknown_declaration_fails(database, handler, event):
    with pytest.raises(NotFound):
        heard(database, handler, event)


# approved


def test_an_approval_opens_the_account_and_announces_it(database):
    declaration = submit(database)
    approve(database, declaration)
    account = account_of(database)
    assert (account.full_name, account.contact, account.must_change_password) == (FULL_NAME, CONTACT, True)
    opened = {"account_id": account.account_id, "at": LATER}
    assert announced(database)[2:] == [
        account_activated(
            **opened, **about(declaration), contact=CONTACT, password_expires_at=LATER + timedelta(hours=72)
        ),
        card_requested(**opened, declaration_id=declaration.declaration_id),
    ]
    kept = found(database, declaration)
    assert kept.status == Status.APPROVED
    assert [entry["what"] for entry in kept.history] == ["submitted", "approved", "account_activated"]


def test_an_approval_that_comes_again_changes_nothing(database):
    declaration = submit(database)
    approve(database, declaration)
    before = (found(database, declaration), account_of(database), announced(database))
    approve(database, declaration, at=DEADLINE)
    assert (found(database, declaration), account_of(database), announced(database)) == before


def test_an_approval_after_a_withdrawal_opens_no_account(database):
    declaration = submit(database)
    withdraw(database, declaration)
    approve(database, declaration)
    assert account_of(database) is None
    assert [type(event) for event in announced(database)] == [*SUBMITTED, DeclarationWithdrawn]


def test_an_approval_on_its_way_at_the_deadline_opens_the_account_of_an_expired_declaration(database):
    declaration = submit(database)
    heard(database, lambda session, at: expire_declarations(session, at=at), DEADLINE)
    approve(database, declaration, at=DEADLINE)
    assert account_of(database).full_name == FULL_NAME
    assert (found(database, declaration).status, found(database, declaration).applicant) == (Status.APPROVED, None)
    assert [event.name for event in announced(database)[-2:]] == ["account_activated", "card_requested"]


def test_a_person_has_one_account_whatever_is_approved(database):
    first = submit(database)
    second = submit(database, insurance_code="7900000025", photos=fresh_photos(database, 2))
    approve(database, first)
    approve(database, second)
    assert rows(database, models.accounts) == 1
    assert account_of(database).declaration_id == first.declaration_id


def renew(database, at, version, sealed="sealed again"):
    account = account_of(database)
    whose = {"insurance_code": account.insurance_code, "declaration_id": account.declaration_id}
    with database.begin() as session:
        event = first_password_requested(version=version, **whose)
        renew_first_password(session, event, password_hash=f"hash of {sealed}", sealed_password=sealed, at=at)


def test_a_new_first_password_replaces_the_old_one_and_lives_as_long(database):
    declaration = submit(database)
    approve(database, declaration)
    with database.begin() as session:
        session.execute(sa.update(models.accounts).values(must_change_password=False))
    renew(database, at=DEADLINE, version=2)
    account = account_of(database)
    assert (account.password_hash, account.must_change_password) == ("hash of sealed again", True)
    assert account.password_expires_at == DEADLINE + timedelta(hours=72)
    asked = first_password_requested()
    assert announced(database)[-1] == first_password_renewed(
        account_id=account.account_id,
        declaration_id=account.declaration_id,
        number=asked.number,
        contact=CONTACT,
        sealed_password="sealed again",
        password_expires_at=account.password_expires_at,
        at=DEADLINE,
    )


@pytest.mark.parametrize("version", [2, 1], ids=["again", "older"])
def test_a_request_for_a_password_that_comes_again_or_late_changes_nothing(database, version):
    approve(database, submit(database))
    renew(database, at=DEADLINE, version=2)
    before = (account_of(database), announced(database))
    renew(database, at=DEADLINE, version=version, sealed="another")
    assert (account_of(database), announced(database)) == before


def test_a_request_for_a_password_of_a_withdrawn_declaration_changes_nothing(database):
    declaration = submit(database)
    withdraw(database, declaration)
    before = announced(database)
    event = first_password_requested(declaration_id=declaration.declaration_id)
    with database.begin() as session:
        renew_first_password(session, event, password_hash="", sealed_password="", at=AT)
    assert announced(database) == before


def test_a_request_for_a_password_waits_for_its_account(database):
    with pytest.raises(NotFound), database.begin() as session:
        renew_first_password(session, first_password_requested(), password_hash="", sealed_password="", at=AT)
    assert announced(database) == []


@pytest.mark.parametrize("kind", ["child", "adjust", "stop", "unheard-of"])
def test_an_approval_of_a_kind_that_is_no_registration_opens_no_account(database, kind):
    declaration = submit(database)
    with database.begin() as session:
        session.execute(sa.update(models.declarations).values(kind=kind))
    with pytest.raises(WrongKind):
        approve(database, declaration, kind=kind)
    assert account_of(database) is None
    assert [type(event) for event in announced(database)] == SUBMITTED
    assert found(database, declaration).status == Status.PENDING


@pytest.mark.parametrize(("declared", "approved"), [("child", "register"), ("register", "child")])
def test_an_approval_of_another_kind_than_was_declared_opens_no_account(database, declared, approved):
    """An older approval service does not say the kind, and the event then says `register`."""
    declaration = submit(database)
    with database.begin() as session:
        session.execute(sa.update(models.declarations).values(kind=declared))
    with pytest.raises(WrongKind):
        approve(database, declaration, kind=approved)
    assert account_of(database) is None


def test_an_upload_that_replaced_a_photo_is_dropped_once(database):
    replaced = PhotoReplaced(
        declaration_id="declaration-1", number="2026-0000001", purpose="portrait", upload_id=PHOTOS["portrait"], at=AT
    )
    heard(database, drop_replacement, replaced)
    heard(database, drop_replacement, replaced)
    assert to_erase(database) == {KEYS["portrait"]}
    assert rows(database, models.uploads) == 2


def test_an_upload_that_a_declaration_used_meanwhile_stays(database):
    declaration = submit(database)
    replaced = PhotoReplaced(**about(declaration), purpose="portrait", upload_id=PHOTOS["portrait"], at=LATER)
    heard(database, drop_replacement, replaced)
    assert (to_erase(database), rows(database, models.uploads)) == (set(), 3)


def test_a_card_is_noted_once(database):
    declaration = submit(database)
    card = CardIssued(
        card_id="card-1",
        account_id="account-1",
        declaration_id=declaration.declaration_id,
        insurance_code=INSURANCE_CODE,
        card_number="GD4797900000017",
        serial=1,
        at=LATER,
    )
    heard(database, note_card, card)
    heard(database, note_card, card)
    assert [entry["what"] for entry in found(database, declaration).history] == ["submitted", "card_issued"]


# withdrawn and expired


def test_a_withdrawn_declaration_is_forgotten_with_its_pictures(database):
    declaration = submit(database)
    withdraw(database, declaration)
    kept = found(database, declaration)
    assert (kept.status, kept.applicant, kept.insurance_code) == (Status.WITHDRAWN, None, None)
    assert to_erase(database) == {*KEYS.values(), form_key(declaration.declaration_id)}
    assert rows(database, models.uploads) == 0
    assert announced(database)[2:] == [DeclarationWithdrawn(**about(declaration), at=LATER)]


def test_nothing_personal_is_left_in_the_row_of_a_forgotten_declaration(database):
    declaration = submit(database)
    withdraw(database, declaration)
    with database.begin() as session:
        row = session.execute(sa.select(models.declarations)).mappings().one()
    left = repr({column: value for column, value in row.items() if column != "agency"})
    assert not [word for word in (FULL_NAME, INSURANCE_CODE, "912345678", "vidu.example", "Đường Mẫu") if word in left]


def test_a_declaration_is_withdrawn_once(database):
    declaration = submit(database)
    withdraw(database, declaration)
    with pytest.raises(Refused) as refusal:
        withdraw(database, declaration)
    assert refusal.value.code == "already_decided"
    assert len(announced(database)) == 3


def test_a_decided_declaration_is_not_withdrawn_and_keeps_its_pictures(database):
    declaration = submit(database)
    approve(database, declaration)
    with pytest.raises(Refused):
        withdraw(database, declaration)
    assert (to_erase(database), rows(database, models.uploads)) == (set(), 3)


def test_a_declaration_expires_at_its_deadline_and_not_before(database):
    declaration = submit(database)
    with database.begin() as session:
        assert expire_declarations(session, at=DEADLINE - timedelta(seconds=1)) == 0
    with database.begin() as session:
        assert expire_declarations(session, at=DEADLINE) == 1
    kept = found(database, declaration)
    assert (kept.status, kept.applicant, kept.insurance_code) == (Status.EXPIRED, None, None)
    assert to_erase(database) == {*KEYS.values(), form_key(declaration.declaration_id)}
    assert announced(database)[2:] == [
        DeclarationExpired(**about(declaration), contact=CONTACT, agency=AGENCY, at=DEADLINE)
    ]


def test_a_declaration_expires_once(database):
    submit(database)
    for _ in range(2):
        heard(database, lambda session, at: expire_declarations(session, at=at), DEADLINE)
    assert [type(event) for event in announced(database)] == [*SUBMITTED, DeclarationExpired]


def test_a_decided_declaration_does_not_expire(database):
    declaration = submit(database)
    heard(database, reject_declaration, rejection(declaration))
    with database.begin() as session:
        assert expire_declarations(session, at=DEADLINE) == 0
    assert found(database, declaration).status == Status.REJECTED


def test_pictures_nobody_used_are_dropped_after_a_day(database):
    submit(database)
    unused = fresh_photos(database, 2)
    with database.begin() as session:
        assert drop_unused_uploads(session, at=AT + timedelta(hours=24)) == 0
    with database.begin() as session:
        assert drop_unused_uploads(session, at=AT + timedelta(hours=24, seconds=1)) == 3
    assert to_erase(database) == {f"uploads/{purpose}/{upload_id}.jpg" for purpose, upload_id in unused.items()}
    with database.begin() as session:
        assert set(session.scalars(sa.select(Upload.upload_id))) == set(PHOTOS.values())
