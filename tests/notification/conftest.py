"""The notification service on its real database, with carriers that a test chooses."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from services.notification import clients, models
from services.notification.domain.message import Message
from services.notification.service import Notification, message_budget
from shared.framework.workers import WorkerPool
from shared.storage.files import FileStore
from shared.storage.seals import Seal
from tests.support.databases import service_database
from tests.support.recorders import MailRecorder, TwilioRecorder


@pytest.fixture
def database(settings):
    with service_database("notification", settings) as database:
        yield database


@pytest.fixture
def service_with(settings, database):
    """Return a function that makes the service with these settings, as nameko would."""
    made = []

    def make(**changes):
        chosen = replace(settings, **{"carrier_timeout": 1.0, "settle_after": 0.2, "retry_delays": "0.1,0.2"} | changes)
        service = Notification()
        service.database, service.seal, service.files = database, Seal(chosen.seal_key), FileStore(chosen.store)
        service.sms, service.mail = clients.sms_carriers(chosen), clients.mail_carriers(chosen)
        service.workers = WorkerPool(8)
        service.public_url, service.sms_accents, service.delays = chosen.public, chosen.sms_accents, chosen.delays
        service.budget = message_budget(chosen)
        service.message_days = chosen.message_days
        service.carrier_timeout, service.settle_after = chosen.carrier_timeout, chosen.settle_after
        made.append(service)
        return service

    yield make
    for service in made:
        service.workers.stop()


@pytest.fixture
def mail_server():
    with MailRecorder() as recorder:
        yield recorder


@pytest.fixture
def twilio():
    with TwilioRecorder() as recorder:
        yield recorder


@pytest.fixture
def rows(database):
    def read(channel="sms") -> list[Message]:
        with database.begin() as session:
            return list(session.scalars(sa.select(Message).where(models.messages.c.channel == channel)))

    return read
