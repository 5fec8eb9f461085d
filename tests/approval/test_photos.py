"""Replacing a picture of a dossier by an upload: one call, a copy, and one event (docs/decisions/0012)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.approval import models
from services.approval.handlers.review import open_review, receive_declaration
from services.approval.service import Approval
from shared.language.clock import utc_now
from shared.language.errors import FieldError, Invalid, NotFound, Refused, Unauthenticated
from shared.language.events import DeclarationExpired, DeclarationWithdrawn, PhotoReplaced
from shared.language.values import upload_key
from shared.storage.files import FileStore
from tests.support.databases import announced, service_database
from tests.support.events import declaration_submitted
from tests.support.officers import add_officer, add_session
from tests.support.people import AGENCY, CONTACT, PHOTOS

UPLOAD = "11111111-1111-4111-8111-111111111111"
NUMBER = "2026-0000001"
FORM = {"upload_id": UPLOAD}
AT = utc_now()
KEYS = {purpose: upload_key(purpose, upload_id, ".jpg") for purpose, upload_id in PHOTOS.items()}
SUBMITTED = declaration_submitted(number=NUMBER, photos=KEYS, at=AT, expires_at=AT + timedelta(days=10))


@pytest.fixture
def files(settings):
    """The store with the declared pictures and one unused upload in it."""
    store = FileStore(settings.store)
    for key in [*KEYS.values(), upload_key("portrait", UPLOAD, ".png")]:
        store.put(key, key.encode())
    return store


@pytest.fixture
def approval(database, files):
    return furnish(database, files)


def furnish(database, files):
    """Return the service, with a declaration in its queue and three officers: ours, a colleague, a stranger."""
    service = Approval()
    service.database, service.files = database, files
    with database.begin() as session:
        open_review(session, SUBMITTED)
        for name, agency in (("ours", AGENCY.code), ("colleague", AGENCY.code), ("stranger", "07901")):
            add_session(session, add_officer(session, name, agency_code=agency), name, AT)
    return service


def photos(database):
    with database.begin() as session:
        dossier = models.get_review(session, NUMBER).dossier
    return dossier.photos if dossier else {}


def stored(files):
    return set(files.older("", utc_now() + timedelta(days=1)))


def refused(approval, files, *, token="ours", purpose="portrait", form=FORM):
    """Ask for what must be refused and must leave nothing behind; return the refusal."""
    before = stored(files), photos(approval.database), announced(approval.database)
    with pytest.raises((NotFound, Refused, Invalid, Unauthenticated)) as refusal:
        approval.replace_photo(token, NUMBER, purpose, form)
    assert (stored(files), photos(approval.database), announced(approval.database)) == before
    return refusal.value


def put(files, purpose, upload_id, suffix=".jpg"):
    files.put(upload_key(purpose, upload_id, suffix), b"another")
    return {"upload_id": upload_id}


def test_a_photo_is_replaced_by_a_copy_and_announced(approval, database, files):
    answer = approval.replace_photo("ours", NUMBER, "portrait", FORM)
    assert answer["number"] == NUMBER
    key = photos(database)["portrait"]
    assert photos(database) == KEYS | {"portrait": key}
    assert key.startswith("reviews/") and key.endswith(".png")
    assert files.get(key) == upload_key("portrait", UPLOAD, ".png").encode()
    (event,) = announced(database)
    assert event == PhotoReplaced(
        declaration_id=SUBMITTED.declaration_id, number=NUMBER, purpose="portrait", upload_id=UPLOAD, at=event.at
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_photo_keeps_its_format(approval, database, files, suffix):
    approval.replace_photo("ours", NUMBER, "id_front", put(files, "id_front", UPLOAD, suffix))
    assert photos(database)["id_front"].endswith(suffix)


def test_a_picture_that_an_officer_brought_is_deleted_with_its_replacement(approval, database, files):
    approval.replace_photo("ours", NUMBER, "portrait", FORM)
    first = photos(database)["portrait"]
    approval.replace_photo("ours", NUMBER, "portrait", put(files, "portrait", UPLOAD.replace("1", "2")))
    assert first not in stored(files)
    assert photos(database)["portrait"] in stored(files)


def test_a_declared_picture_is_left_to_registration(approval, files):
    approval.replace_photo("ours", NUMBER, "portrait", FORM)
    assert set(KEYS.values()) <= stored(files)


@pytest.mark.parametrize("purpose", ["id_front", "id_back", "birth_certificate", "nothing", "..", "", "portrait/.."])
def test_an_upload_of_another_purpose_is_not_found(approval, files, purpose):
    refusal = refused(approval, files, purpose=purpose)
    assert (type(refusal), refusal.code) == (NotFound, "upload_not_found")


def test_an_upload_that_does_not_exist_is_not_found(approval, files):
    refusal = refused(approval, files, form={"upload_id": UPLOAD.replace("1", "3")})
    assert (type(refusal), refusal.code) == (NotFound, "upload_not_found")


def test_an_upload_that_a_declaration_uses_is_not_found(approval, files):
    refusal = refused(approval, files, form={"upload_id": PHOTOS["portrait"]})
    assert (type(refusal), refusal.code) == (NotFound, "upload_not_found")


def test_an_upload_that_an_officer_used_is_not_found_again(approval, files):
    """Not even before registration has deleted it."""
    approval.replace_photo("ours", NUMBER, "portrait", FORM)
    refusal = refused(approval, files)
    assert (type(refusal), refusal.code) == (NotFound, "upload_not_found")


def test_a_photo_that_was_not_declared_cannot_be_replaced(approval, files):
    refusal = refused(
        approval, files, purpose="birth_certificate", form=put(files, "birth_certificate", UPLOAD.replace("1", "4"))
    )
    assert (type(refusal), refusal.code) == (NotFound, "no_such_photo")


def test_an_upload_that_was_refused_can_still_be_used(approval, database, files):
    with database.begin() as session:
        receive_declaration(session, "colleague", NUMBER, at=AT)
    assert refused(approval, files).code == "assigned_to_another"
    approval.replace_photo("colleague", NUMBER, "portrait", FORM)


def test_a_decided_review_keeps_its_photos(approval, files):
    approval.reject_declaration("ours", NUMBER, {"reason": "Ảnh mờ"})
    assert refused(approval, files).code == "already_decided"


def test_a_review_of_another_agency_is_not_found(approval, files):
    refusal = refused(approval, files, token="stranger")
    assert (type(refusal), refusal.code) == (NotFound, "not_found")


def test_nobody_replaces_a_photo_without_a_session(approval, files):
    assert refused(approval, files, token="nobody").code == "unauthenticated"


@pytest.mark.parametrize("given", [None, 1, "", "../../etc/passwd", UPLOAD.upper().replace("1", "A")])
def test_an_upload_is_named_by_its_id(approval, files, given):
    refusal = refused(approval, files, form={"upload_id": given})
    assert type(refusal) is Invalid
    assert [error.field for error in refusal.errors] == ["upload_id"]


def test_a_form_without_an_upload_is_refused(approval, files):
    assert refused(approval, files, form={}).errors == (FieldError("upload_id", "required"),)


def test_a_declaration_whose_upload_an_officer_used_first_is_opened_all_the_same(approval, database):
    """The officer was faster than the event; both have their copy, and the event must not fail for ever."""
    approval.replace_photo("ours", NUMBER, "portrait", FORM)
    keys = KEYS | {"portrait": upload_key("portrait", UPLOAD, ".png")}
    with database.begin() as session:
        open_review(session, declaration_submitted(declaration_id="other", number="2026-0000002", photos=keys))
    with database.begin() as session:
        assert models.get_review(session, "2026-0000002").dossier.photos == keys
        assert set(session.scalars(sa.select(models.used_uploads.c.upload_id))) == {*PHOTOS.values(), UPLOAD}


@pytest.fixture
def postgresql_approval(postgresql_settings, files):
    """The same service on PostgreSQL, where rows really lock."""
    with service_database("approval", postgresql_settings) as database:
        yield furnish(database, files)


def test_of_two_officers_with_one_upload_at_the_same_instant_one_uses_it(postgresql_approval, files):
    other = declaration_submitted(
        declaration_id="other", number="2026-0000002", photos=KEYS, at=AT, expires_at=SUBMITTED.expires_at
    )
    with postgresql_approval.database.begin() as session:
        open_review(session, other)

    def act(token, number):
        try:
            return postgresql_approval.replace_photo(token, number, "portrait", FORM)["number"]
        except NotFound as refusal:
            return refusal.code

    with ThreadPoolExecutor(2) as officers:
        outcomes = list(officers.map(act, ["ours", "colleague"], [NUMBER, other.number]))
    assert outcomes in ([NUMBER, "upload_not_found"], ["upload_not_found", other.number])
    assert len(announced(postgresql_approval.database)) == 1
    assert len([key for key in stored(files) if key.startswith("reviews/")]) == 1


# the end of the declaration


ABOUT = {"declaration_id": SUBMITTED.declaration_id, "number": NUMBER, "at": AT}
EXPIRED = DeclarationExpired(**ABOUT, contact=CONTACT, agency=AGENCY)


@pytest.mark.parametrize("event", [EXPIRED, DeclarationWithdrawn(**ABOUT)], ids=["expired", "withdrawn"])
def test_what_officers_brought_is_deleted_with_the_declaration(approval, database, files, event):
    approval.replace_photo("ours", NUMBER, "portrait", FORM)
    brought = photos(database)["portrait"]
    getattr(approval, f"on_{event.name}")(event)
    assert brought not in stored(files)
    assert photos(database) == {}


def test_an_approval_that_crosses_the_expiry_keeps_the_pictures_that_officers_brought(approval, database, files):
    approval.replace_photo("ours", NUMBER, "portrait", FORM)
    brought = photos(database)["portrait"]
    with database.begin() as session:
        session.execute(sa.update(models.reviews).values(status="approved"))
    approval.on_declaration_expired(EXPIRED)
    assert brought in stored(files)
    assert photos(database)["portrait"] == brought
