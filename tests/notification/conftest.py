"""The notification desk on its real database, with carriers that a test chooses."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from services.notification import clients, models
from services.notification.domain.message import Message
from services.notification.service import Notification
from shared.framework.providers import Crew
from shared.storage.files import FileStore
from shared.storage.seals import Seal
from tests.support.databases import desk_database
from tests.support.recorders import MailRecorder, TwilioRecorder


@pytest.fixture
def database(settings):
    with desk_database("notification", settings) as database:
        yield database


@pytest.fixture
def desk_with(settings, database):
    """Return a function that makes the desk with these settings, as nameko would."""
    made = []

    def make(**changes):
        chosen = replace(settings, **{"carrier_timeout": 1.0, "settle_after": 0.2, "retry_delays": "0.1,0.2"} | changes)
        desk = Notification()
        desk.database, desk.seal, desk.files = database, Seal(chosen.seal_key), FileStore(chosen.store)
        desk.sms, desk.mail, desk.crew = clients.sms_carriers(chosen), clients.mail_carriers(chosen), Crew(8)
        desk.public_url, desk.sms_accents, desk.delays = chosen.public, chosen.sms_accents, chosen.delays
        desk.carrier_timeout, desk.settle_after = chosen.carrier_timeout, chosen.settle_after
        made.append(desk)
        return desk

    yield make
    for desk in made:
        desk.crew.stop()


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
