"""The law that makes "at least once" harmless: every listener run twice leaves what one run leaves."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib import import_module

import pytest
import sqlalchemy as sa

from services.notification import clients
from services.registration.domain.declaration import Applicant, Declaration
from services.registration.domain.upload import Upload, form_key
from shared.framework.providers import Crew
from shared.language.clock import utc_now
from shared.language.events import CardIssued, DeclarationReceived, DeclarationReturned, PhotoReplaced
from shared.storage.files import FileStore
from shared.storage.seals import Seal
from tests.support import facts as people
from tests.support import notification_facts as facts
from tests.support.databases import desk_database
from vssid import documents
from vssid.startup import service_class

DECLARATION = facts.ABOUT["declaration_id"]
NUMBER = facts.ABOUT["number"]
LATER = people.AT + timedelta(hours=1)
PHOTO = "reviews/portrait.jpg"  # brought by an officer, so the approval desk's own

EVENTS = {
    "declaration_submitted": facts.declaration_submitted(photos={"portrait": PHOTO}, form_key=form_key(DECLARATION)),
    "declaration_received": DeclarationReceived(declaration_id=DECLARATION, number=NUMBER, version=1, at=LATER),
    "declaration_returned": DeclarationReturned(declaration_id=DECLARATION, number=NUMBER, version=2, at=LATER),
    "photo_replaced": PhotoReplaced(
        declaration_id=DECLARATION, number=NUMBER, purpose="portrait", upload_id="upload-2", at=LATER
    ),
    "declaration_approved": people.declaration_approved(),
    "declaration_rejected": facts.declaration_rejected(),
    "declaration_withdrawn": facts.declaration_withdrawn(),
    "declaration_expired": facts.declaration_expired(),
    "account_activated": people.account_activated(),
    "card_issued": CardIssued(
        card_id="card-1",
        account_id="account-1",
        declaration_id=DECLARATION,
        insurance_code=people.INSURANCE_CODE,
        card_number="GD4797900000017",
        serial=1,
        at=LATER,
    ),
}
# what a listener must have heard before, so that it has something to do
BEFORE = {
    ("registration", "declaration_returned"): ["declaration_received"],
    ("registration", "card_issued"): ["declaration_approved"],
    ("approval", "declaration_withdrawn"): ["declaration_submitted"],
    ("approval", "declaration_expired"): ["declaration_submitted"],
    ("notification", "declaration_withdrawn"): ["declaration_submitted"],
}
LISTENERS = [(desk, method, kind.name) for desk, method, kind in documents.listeners()]
every_listener = pytest.mark.parametrize(
    ("desk", "method", "name"), LISTENERS, ids=[f"{desk}.{method}" for desk, method, _ in LISTENERS]
)


@dataclass
class House:
    """A desk's service on its real database, as nameko would make it, and a look at everything it keeps."""

    service: object
    database: object
    store: FileStore
    files: list[str] = field(default_factory=list)

    def hear(self, event):
        getattr(self.service, f"on_{event.name}")(event)

    def contents(self):
        """Return every row of every table, as it lies there, and the keys of all files."""
        with self.database.engine.connect() as connection:
            rows = {
                table.name: sorted(map(repr, connection.execute(sa.select(table)).all()))
                for table in self.database.metadata.sorted_tables
            }
        return rows | {"files": sorted(self.store.older("", utc_now() + timedelta(days=1)))}


@pytest.fixture
def house_of(settings):
    """Return a function that opens a desk; its carriers and hands do nothing, so that nothing moves by itself."""
    opened = []

    def open_(desk):
        entered = desk_database(desk, settings)
        database = entered.__enter__()
        opened.append(entered)
        service = service_class(desk)()
        service.database, service.files, service.seal = database, FileStore(settings.store), Seal(settings.seal_key)
        service.files.put(PHOTO, b"picture")
        if desk == "notification":
            prepare_notification(service, settings)
        if desk == "registration":
            with database.begin() as session:
                session.add(declaration())
                session.add_all(uploads())
        return House(service, database, service.files)

    yield open_
    for one in opened:
        one.__exit__(None, None, None)


def prepare_notification(service, settings):
    service.sms, service.mail = clients.sms_carriers(settings), clients.mail_carriers(settings)
    service.public_url, service.sms_accents, service.delays = settings.public, settings.sms_accents, settings.delays
    service.carrier_timeout, service.settle_after = settings.carrier_timeout, settings.settle_after
    service.crew = Crew(1)
    service.crew.stop()


def declaration():
    return Declaration(
        declaration_id=DECLARATION,
        number=NUMBER,
        tracking_code="ABCDEFGH23",
        kind="register",
        agency=people.AGENCY,
        insurance_code=people.INSURANCE_CODE,
        applicant=Applicant(people.FULL_NAME, people.ID_DOCUMENT, people.ADDRESS, people.CONTACT, {"portrait": "u"}),
        submitted_at=people.AT,
        expires_at=people.AT + timedelta(days=10),
    )


def uploads():
    """One that the declaration uses, and one that nobody does."""
    return (
        Upload("upload-1", "portrait", "image/jpeg", 7, "uploads/portrait/upload-1.jpg", people.AT, DECLARATION),
        Upload("upload-2", "portrait", "image/jpeg", 7, "uploads/portrait/upload-2.jpg", people.AT),
    )


@every_listener
def test_a_listener_run_twice_leaves_what_one_run_leaves(house_of, desk, method, name):
    house = house_of(desk)
    for earlier in BEFORE.get((desk, name), ()):
        house.hear(EVENTS[earlier])
    untouched = house.contents()

    house.hear(EVENTS[name])
    once = house.contents()
    assert once != untouched, f"{method} did nothing, so this shows nothing: prepare it in BEFORE"

    house.hear(EVENTS[name])
    assert house.contents() == once


@every_listener
def test_a_listener_run_again_after_the_story_went_on_changes_nothing(house_of, desk, method, name):
    """An event may come a second time hours later, when its retry or replay is due."""
    house = house_of(desk)
    for earlier in BEFORE.get((desk, name), ()):
        house.hear(EVENTS[earlier])
    house.hear(EVENTS[name])
    for later in what_follows(desk, name):
        house.hear(EVENTS[later])
    settled = house.contents()
    house.hear(EVENTS[name])
    assert house.contents() == settled


def what_follows(desk, name):
    """Return what a desk hears after an event, in the order of the story."""
    story = {
        "declaration_submitted": ["declaration_withdrawn"],
        "declaration_received": ["declaration_returned", "declaration_approved"],
        "declaration_returned": ["declaration_approved"],
        "declaration_approved": ["card_issued"],
        "account_activated": ["declaration_withdrawn"],
        "declaration_rejected": ["declaration_withdrawn"],
    }
    heard = {event for where, _, event in LISTENERS if where == desk}
    return [one for one in story.get(name, ()) if one in heard]


def test_an_event_that_overtakes_another_is_put_right(house_of):
    """Given back before it was taken: the older event, heard last, changes nothing."""
    house = house_of("registration")
    house.hear(EVENTS["declaration_returned"])
    settled = house.contents()
    house.hear(EVENTS["declaration_received"])
    assert house.contents() == settled


def test_an_approval_of_another_event_opens_no_second_account(house_of):
    """Two approvals of one person under two event ids: the account is found by its insurance code."""
    house = house_of("registration")
    house.hear(EVENTS["declaration_approved"])
    once = house.contents()
    house.hear(replace(EVENTS["declaration_approved"], officer="another", at=LATER))
    assert house.contents()["accounts"] == once["accounts"]
    assert house.contents()["outbox"] == once["outbox"]


def test_every_listener_is_tried():
    assert {name for _, _, name in LISTENERS} == set(EVENTS)
    for desk in {desk for desk, _, _ in LISTENERS}:
        assert "outbox" in import_module(f"services.{desk}.models").metadata.tables
