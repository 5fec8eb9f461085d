"""What registration forgets of decided declarations, and when."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from services.registration import models
from services.registration.domain.declaration import Declaration
from services.registration.domain.upload import form_key
from services.registration.handlers.declaration import find_declaration
from services.registration.service import Registration
from shared.language.clock import utc_now
from shared.language.retention import Retention
from shared.language.values import DeclarationKind, Status
from shared.storage.files import FileStore
from tests.registration.rows import declaration, upload

NOW = utc_now()
KEPT = Retention(timedelta(days=90), {"child": timedelta(days=30)})


@pytest.fixture
def files(settings):
    return FileStore(settings.store)


@pytest.fixture
def registration(database, files):
    service = Registration()
    service.database, service.files, service.retention = database, files, KEPT
    return service


def keep(database, files, serial, *, status, days_ago, kind="register"):
    """Keep a declaration decided so many days ago, with one picture and its form; return their keys."""
    # of codes of their own: one pending registration of a code and a phone is allowed
    code = f"790000{serial:04d}"
    kept = declaration(f"declaration-{serial}", f"2026-{serial:07d}", kind=kind, insurance_code=code)
    kept.status, kept.decided_at = status, NOW - timedelta(days=days_ago)
    kept.reason = "Ảnh của Trần Thị Mẫu bị mờ" if status == Status.REJECTED else None
    picture = upload("portrait", f"upload-{serial}", declaration_id=kept.declaration_id)
    for key in (picture.key, form_key(kept.declaration_id)):
        files.put(key, b"file")
    with database.begin() as session:
        session.add_all([kept, picture])
    return {picture.key, form_key(kept.declaration_id)}


def everything(database):
    with database.begin() as session:
        return list(session.scalars(sa.select(Declaration).order_by(models.declarations.c.number)))


def personal(one):
    return [one.insurance_code, one.phone, one.applicant, one.reason]


def stored(files):
    return set(files.older("", utc_now() + timedelta(days=1)))


def test_decided_declarations_forget_their_person_and_files_when_their_kind_is_kept_no_longer(
    registration, database, files
):
    old = {
        1: {"status": Status.APPROVED, "days_ago": 91},
        2: {"status": Status.REJECTED, "days_ago": 91},
        3: {"status": Status.APPROVED, "days_ago": 31, "kind": "child"},
    }
    kept = {
        4: {"status": Status.APPROVED, "days_ago": 89},
        5: {"status": Status.REJECTED, "days_ago": 29, "kind": "child"},
        6: {"status": Status.PENDING, "days_ago": 365},
    }
    keys = {serial: keep(database, files, serial, **how) for serial, how in {**old, **kept}.items()}
    with capture_logs() as lines:
        for _ in range(2):
            registration.erase_decided()
    registration.clear_away()
    found = everything(database)
    assert [personal(one) for one in found[:3]] == [[None] * 4] * 3
    assert all(one.insurance_code and one.phone and one.applicant for one in found[3:])
    assert [one.status for one in found] == [how["status"] for how in {**old, **kept}.values()]
    assert stored(files) == set().union(*(keys[serial] for serial in kept))
    with database.begin() as session:
        used = models.uploads.c.declaration_id.is_not(None)
        uploads = set(session.scalars(sa.select(models.uploads.c.upload_id).where(used)))
    assert uploads == {f"upload-{serial}" for serial in kept}
    assert [(one["event"], one["kind"], one["declarations"], one["files"]) for one in lines] == [
        ("decided_data_erased", DeclarationKind.REGISTER, 2, 4),
        ("decided_data_erased", DeclarationKind.CHILD, 1, 2),
    ]


def test_who_asks_for_a_forgotten_declaration_still_learns_what_became_of_it(registration, database, files):
    keep(database, files, 1, status=Status.REJECTED, days_ago=91)
    registration.erase_decided()
    with database.begin() as session:
        found = find_declaration(session, number="2026-0000001", tracking_code=everything(database)[0].tracking_code)
    assert (found.status, found.reason, found.decided_at) == (Status.REJECTED, None, NOW - timedelta(days=91))


def test_more_than_a_batch_is_forgotten_at_once(registration, database, files, monkeypatch):
    monkeypatch.setattr("services.registration.handlers.declaration.BATCH_SIZE", 2)
    for serial in range(5):
        keep(database, files, serial, status=Status.APPROVED, days_ago=91)
    registration.erase_decided()
    assert [personal(one) for one in everything(database)] == [[None] * 4] * 5
