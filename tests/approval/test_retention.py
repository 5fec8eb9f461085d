"""What approval forgets: reviews whose declaration ended, however the events arrive, and decided ones in time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from services.approval import models
from services.approval.domain.review import UNNAMED_LIFETIME, Review, own_picture_key
from services.approval.handlers.review import close_review, open_review
from services.approval.service import Approval
from shared.language.clock import utc_now
from shared.language.retention import Retention
from shared.language.values import Status
from shared.storage.files import FileStore
from tests.support.databases import announced, service_database
from tests.support.events import declaration_expired, declaration_submitted, declaration_withdrawn

RACES = 30
NOW = utc_now()
KEPT = Retention(timedelta(days=90), {"child": timedelta(days=30)})
ENDINGS = pytest.mark.parametrize("ending", [declaration_expired, declaration_withdrawn], ids=["expired", "withdrawn"])


def everything(database):
    with database.begin() as session:
        return list(session.scalars(sa.select(Review).order_by(models.reviews.c.number)))


def personal(review):
    return [getattr(review, name) for name in ("insurance_code", "full_name", "name_key", "dossier", "reason")]


@ENDINGS
def test_a_declaration_that_arrives_after_its_end_opens_nothing_however_late(database, ending):
    for _ in range(2):
        database.run(close_review, ending())
        database.run(open_review, declaration_submitted())
    (review,) = everything(database)
    assert (review.status, review.agency_code, personal(review)) == (ending().name.split("_")[1], "", [None] * 5)
    assert announced(database) == []


@ENDINGS
def test_a_declaration_and_its_end_that_arrive_at_once_leave_an_ended_review(postgresql_settings, ending):
    with service_database("approval", postgresql_settings) as database, ThreadPoolExecutor(2) as consumers:
        for count in range(RACES):
            ids = {"declaration_id": f"declaration-{count}", "number": f"2026-{count:07d}"}
            both = [
                consumers.submit(database.run, open_review, declaration_submitted(**ids)),
                consumers.submit(database.run, close_review, ending(**ids)),
            ]
            for one in both:
                one.result()
        found = everything(database)
        assert len(found) == RACES
        assert {one.status for one in found} == {ending().name.split("_")[1]}
        assert [personal(one) for one in found] == [[None] * 5] * RACES


# decided ones


@pytest.fixture
def files(settings):
    return FileStore(settings.store)


@pytest.fixture
def approval(database, files):
    service = Approval()
    service.database, service.files, service.retention = database, files, KEPT
    return service


def keep(database, files, number, *, status, days_ago, kind="register"):
    """Keep a review decided so many days ago, with a picture that an officer brought; return its key."""
    key = own_picture_key(number, "picture", ".jpg")
    files.put(key, b"picture")
    event = declaration_submitted(declaration_id=number, number=number, kind=kind, photos={"portrait": key})
    decided = {"status": status, "decided_at": NOW - timedelta(days=days_ago), "reason": "Ảnh của Trần Thị Mẫu bị mờ"}
    with database.begin() as session:
        open_review(session, event)
        session.flush()
        session.execute(sa.update(models.reviews).where(models.reviews.c.number == number).values(decided))
    return key


def stored(files):
    return set(files.older("reviews", utc_now() + timedelta(days=1)))


def test_decided_reviews_forget_their_person_and_pictures_when_their_kind_is_kept_no_longer(approval, database, files):
    old = {
        "1": {"status": Status.APPROVED, "days_ago": 91},
        "2": {"status": Status.REJECTED, "days_ago": 91},
        "3": {"status": Status.APPROVED, "days_ago": 31, "kind": "child"},
    }
    kept = {
        "4": {"status": Status.APPROVED, "days_ago": 89},
        "5": {"status": Status.REJECTED, "days_ago": 29, "kind": "child"},
        "6": {"status": Status.PENDING, "days_ago": 365},
    }
    keys = {number: keep(database, files, number, **how) for number, how in {**old, **kept}.items()}
    approval.erase_decided()
    assert {one.number: personal(one) for one in everything(database) if one.number in old} == dict.fromkeys(
        old, [None] * 5
    )
    assert all(one.full_name and one.dossier for one in everything(database) if one.number in kept)
    assert {one.number: one.status for one in everything(database)} == {
        number: how["status"] for number, how in {**old, **kept}.items()
    }
    assert stored(files) == {keys[number] for number in kept}


def test_what_was_deleted_is_reported_once(approval, database, files):
    for number in ("1", "2"):
        keep(database, files, number, status=Status.APPROVED, days_ago=91)
    keep(database, files, "3", status=Status.APPROVED, days_ago=31, kind="child")
    with capture_logs() as lines:
        for _ in range(2):
            approval.erase_decided()
    assert [(one["event"], one["kind"], one["declarations"], one["files"]) for one in lines] == [
        ("decided_data_erased", "register", 2, 2),
        ("decided_data_erased", "child", 1, 1),
    ]


def test_more_than_a_batch_is_forgotten_at_once(approval, database, files, monkeypatch):
    monkeypatch.setattr("services.approval.handlers.review.BATCH_SIZE", 2)
    for number in range(5):
        keep(database, files, str(number), status=Status.APPROVED, days_ago=91)
    approval.erase_decided()
    assert [personal(one) for one in everything(database)] == [[None] * 5] * 5
    assert stored(files) == set()


def test_pictures_that_no_review_names_are_deleted_and_older_keys_stay(approval, database, files, monkeypatch):
    named = keep(database, files, "1", status=Status.PENDING, days_ago=0)
    strays = {own_picture_key("1", "stray", ".png"), own_picture_key("unknown", "stray", ".png")}
    older = "reviews/picture-of-an-older-version.jpg"
    for key in {*strays, older}:
        files.put(key, b"picture")
    approval.sweep()
    assert stored(files) == {named, older, *strays}
    monkeypatch.setattr("services.approval.service.utc_now", lambda: utc_now() + UNNAMED_LIFETIME)
    approval.sweep()
    assert stored(files) == {named, older}
