"""The law that makes "at least once" harmless: every listener run twice leaves what one run leaves."""

from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import timedelta
from importlib import import_module

import pytest
import sqlalchemy as sa

from services.approval.schemas.review import RejectionForm
from services.notification import clients
from services.notification.service import message_budget
from services.registration import models
from services.registration.domain.declaration import Applicant, Declaration
from services.registration.domain.upload import Upload, form_key
from services.registration.schemas.address import AddressForm
from services.registration.schemas.declaration import DeclarationForm
from shared.forms import LONGEST_EMAIL, made
from shared.framework.isolated import IsolatedWork
from shared.framework.workers import WorkerPool
from shared.language.clock import utc_now
from shared.language.events import PhotoReplaced
from shared.storage.files import FileStore
from shared.storage.seals import Seal
from tests.support import events, people
from tests.support.databases import service_database
from vssid import documents
from vssid.startup import service_class

DECLARATION = events.DECLARATION["declaration_id"]
NUMBER = events.DECLARATION["number"]
LATER = events.AT + timedelta(hours=1)
DEADLINE = utc_now() + timedelta(days=10)  # of what is over nobody is told
PHOTO = "reviews/portrait.jpg"  # brought by an officer, so the approval service's own

EVENTS = {
    "declaration_submitted": events.declaration_submitted(
        photos={"portrait": PHOTO}, form_key=form_key(DECLARATION), expires_at=DEADLINE
    ),
    "declaration_acknowledged": events.declaration_acknowledged(expires_at=DEADLINE),
    "registration_repeated": events.registration_repeated(),
    "reminder_requested": events.reminder_requested(at=LATER, expires_at=DEADLINE),
    "declaration_received": events.declaration_received(at=LATER),
    "declaration_returned": events.declaration_returned(at=LATER),
    "photo_replaced": PhotoReplaced(
        declaration_id=DECLARATION, number=NUMBER, purpose="portrait", upload_id="upload-2", at=LATER
    ),
    "declaration_approved": events.declaration_approved(),
    "declaration_rejected": events.declaration_rejected(),
    "declaration_withdrawn": events.declaration_withdrawn(),
    "declaration_expired": events.declaration_expired(at=utc_now()),
    "account_activated": events.account_activated(**events.BORN),
    "first_password_undelivered": events.first_password_undelivered(at=LATER),
    "first_password_requested": events.first_password_requested(at=LATER),
    "first_password_renewed": events.first_password_renewed(),
    "card_requested": events.card_requested(),
    "card_issued": events.card_issued(at=LATER),
}
# what a listener must have heard before, so that it has something to do
BEFORE = {
    ("registration", "declaration_returned"): ["declaration_received"],
    ("registration", "card_issued"): ["declaration_approved"],
    ("registration", "first_password_requested"): ["declaration_approved"],
    ("approval", "first_password_undelivered"): ["declaration_submitted"],
    ("approval", "declaration_withdrawn"): ["declaration_submitted"],
    ("approval", "declaration_expired"): ["declaration_submitted"],
    ("notification", "declaration_withdrawn"): ["declaration_acknowledged"],
}
ENDS = ("declaration_rejected", "declaration_withdrawn", "declaration_expired")
LISTENERS = [(one.service, one.method, one.event.name) for one in documents.listeners()]
every_listener = pytest.mark.parametrize(
    ("service", "method", "name"), LISTENERS, ids=[f"{service}.{method}" for service, method, _ in LISTENERS]
)


@dataclass
class ServiceUnderTest:
    """A service's service on its real database, as nameko would make it, and a look at everything it keeps."""

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
def tested_service(settings):
    """Return a function that opens a service; its carriers and workers do nothing, so that nothing moves by itself."""
    opened = []

    def open_(name, settings=settings):
        entered = service_database(name, settings)
        database = entered.__enter__()
        opened.append(entered)
        service = service_class(name)()
        service.database, service.files, service.seal = database, FileStore(settings.store), Seal(settings.seal_key)
        service.files.put(PHOTO, b"picture")
        if name == "notification":
            prepare_notification(service, settings)
        if name == "registration":
            service.isolated = IsolatedWork(processes=1, waiting=0)
            with database.begin() as session:
                session.add(declaration())
                session.add_all(uploads())
        return ServiceUnderTest(service, database, service.files)

    yield open_
    for one in opened:
        one.__exit__(None, None, None)


def prepare_notification(service, settings):
    service.sms, service.mail = clients.sms_carriers(settings), clients.mail_carriers(settings)
    service.public_url, service.sms_accents, service.delays = settings.public, settings.sms_accents, settings.delays
    service.carrier_timeout, service.settle_after = settings.carrier_timeout, settings.settle_after
    service.budget = message_budget(settings)
    service.workers = WorkerPool(1)
    service.workers.stop()


def declaration():
    return Declaration(
        declaration_id=DECLARATION,
        number=NUMBER,
        tracking_code="ABCDEFGH23",
        kind="register",
        agency=people.AGENCY,
        insurance_code=people.INSURANCE_CODE,
        phone=people.CONTACT.phone,
        applicant=Applicant(people.FULL_NAME, people.ID_DOCUMENT, people.ADDRESS, people.CONTACT, {"portrait": "u"}),
        submitted_at=events.AT,
        expires_at=events.AT + timedelta(days=10),
    )


def uploads():
    """One that the declaration uses, and one that nobody does."""
    return (
        Upload("upload-1", "portrait", "image/jpeg", 7, "uploads/portrait/upload-1.jpg", events.AT, DECLARATION),
        Upload("upload-2", "portrait", "image/jpeg", 7, "uploads/portrait/upload-2.jpg", events.AT),
    )


@every_listener
def test_a_listener_run_twice_leaves_what_one_run_leaves(tested_service, service, method, name):
    tested = tested_service(service)
    for earlier in BEFORE.get((service, name), ()):
        tested.hear(EVENTS[earlier])
    untouched = tested.contents()

    tested.hear(EVENTS[name])
    once = tested.contents()
    assert once != untouched, f"{method} did nothing, so this shows nothing: prepare it in BEFORE"

    tested.hear(EVENTS[name])
    assert tested.contents() == once


@every_listener
def test_a_listener_run_again_after_the_story_went_on_changes_nothing(tested_service, service, method, name):
    """An event may come a second time hours later, when its retry or replay is due."""
    tested = tested_service(service)
    for earlier in BEFORE.get((service, name), ()):
        tested.hear(EVENTS[earlier])
    tested.hear(EVENTS[name])
    for later in what_follows(service, name):
        tested.hear(EVENTS[later])
    settled = tested.contents()
    tested.hear(EVENTS[name])
    assert tested.contents() == settled


def what_follows(service, name):
    """Return what a service hears after an event, in the order of the story."""
    story = {
        "declaration_submitted": ["declaration_withdrawn"],
        "declaration_acknowledged": ["declaration_submitted", "declaration_withdrawn"],
        "registration_repeated": ["declaration_withdrawn"],
        "reminder_requested": ["declaration_withdrawn"],
        "declaration_received": ["declaration_returned", "declaration_approved"],
        "declaration_returned": ["declaration_approved"],
        "declaration_approved": ["card_issued"],
        "account_activated": ["declaration_withdrawn"],
        "first_password_undelivered": ["declaration_withdrawn"],
        "first_password_requested": ["card_issued"],
        "first_password_renewed": ["declaration_withdrawn"],
        "card_requested": ["account_activated"],
        "declaration_rejected": ["declaration_withdrawn"],
    }
    heard = {event for where, _, event in LISTENERS if where == service}
    return [one for one in story.get(name, ()) if one in heard]


def test_an_event_that_overtakes_another_is_put_right(tested_service):
    """Given back before it was taken: the older event, heard last, changes nothing."""
    tested = tested_service("registration")
    tested.hear(EVENTS["declaration_returned"])
    settled = tested.contents()
    tested.hear(EVENTS["declaration_received"])
    assert tested.contents() == settled


def test_an_approval_of_another_event_opens_no_second_account(tested_service):
    """Two approvals of one person under two event ids: the account is found by its insurance code."""
    tested = tested_service("registration")
    tested.hear(EVENTS["declaration_approved"])
    once = tested.contents()
    tested.hear(replace(EVENTS["declaration_approved"], at=LATER))
    assert tested.contents()["accounts"] == once["accounts"]
    assert tested.contents()["outbox"] == once["outbox"]


def widest(value, name=""):
    """Return an event, or a part of one, with every text as long as it is accepted."""
    if is_dataclass(value):
        return replace(value, **{one.name: widest(getattr(value, one.name), one.name) for one in fields(value)})
    return LONGEST.get((type(value), name), value)


def longest(form, name):
    return made(form).fields[name].longest


LONGEST = {
    (str, "full_name"): "ß" * longest(DeclarationForm, "full_name"),
    (str, "street"): "ở" * longest(AddressForm, "street"),
    (str, "district"): "ở" * longest(AddressForm, "district"),
    (type(None), "district"): "ở" * longest(AddressForm, "district"),
    (str, "email"): f"{'a' * (LONGEST_EMAIL - 8)}@vidu.vn",
    (str, "reason"): "ở" * longest(RejectionForm, "reason"),
    (str, "name"): "Ở" * models.agencies.c.name.type.length,
    (str, "address"): "Ở" * models.agencies.c.address.type.length,
}


@pytest.mark.parametrize("service", sorted({service for service, _, _ in LISTENERS}))
def test_every_service_can_keep_the_widest_event_that_another_announces(tested_service, postgresql_settings, service):
    """What one service accepts and the next cannot store never reaches who must see it; SQLite would store it."""
    tested = tested_service(service, postgresql_settings)
    before = tested.contents()
    for name in EVENTS:
        if (service, f"on_{name}", name) in LISTENERS and name not in ENDS:
            tested.hear(widest(EVENTS[name]))
    assert tested.contents() != before
    for name in ENDS:
        if (service, f"on_{name}", name) in LISTENERS:
            tested.hear(widest(EVENTS[name]))


def test_every_listener_is_tried():
    assert {name for _, _, name in LISTENERS} == set(EVENTS)
    for service in {service for service, _, _ in LISTENERS}:
        assert "outbox" in import_module(f"services.{service}.models").metadata.tables
