"""The in-process broker: what RabbitMQ keeps for us, it keeps too."""

from dataclasses import replace
from datetime import timedelta

import eventlet
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from shared.language.clock import utc_now
from shared.language.errors import Unavailable
from shared.language.events import AccountActivated, CardIssued
from shared.messaging import codec, topology
from shared.messaging.embedded import EventCarrier, deliveries, open_file
from shared.messaging.embedded import Listener as EmbeddedListener
from shared.messaging.embedded_dead_letters import EmbeddedDeadLetters
from shared.storage.database import Database, mapping
from shared.storage.outbox import announce
from tests.support.events import account_activated, card_issued

HANGS_AFTER = 60  # seconds
CARD = card_issued()


class Listener:
    """Hears events of a kind and answers as told: done, failed, or not at all; ``then`` follows the first."""

    def __init__(self, queue, kind=AccountActivated, *, fails=0, answers=True, then=lambda: None):
        self.queue, self.event, self.fails, self.answers, self.then = queue, kind, fails, answers, then
        self.heard = []
        self.headers = []
        self.after_each = lambda: None

    def handle(self, body, headers, done):
        self.heard.append(codec.decode(self.event.name, body))
        self.headers.append(headers)
        if self.answers:
            self.fails -= 1
            done(LookupError("a number: +84912345678") if self.fails >= 0 else None)
        if len(self.heard) == 1:
            self.then()
        self.after_each()


@pytest.fixture
def settings(settings):
    return replace(settings, retry_delays="0,0")


@pytest.fixture
def database(settings):
    """A database with nothing in it but what every service has."""
    database = Database(mapping().metadata, settings.database("cards"), settings)
    database.metadata.create_all(database.engine)
    yield database
    database.engine.dispose()


def announce_all(database, *events):
    with database.begin() as session:
        for event in events:
            announce(session, event)


def in_the_outbox(database):
    with database.begin() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(database.outbox))


def carry(settings, database, *listeners, deliveries):
    """Carry events until the listeners have got so many deliveries; return the carrier."""
    carrier = EventCarrier(settings)

    def enough():
        if sum(len(listener.heard) for listener in listeners) >= deliveries:
            carrier.shut_down()

    for listener in listeners:
        listener.heard, listener.after_each = [], enough
        carrier.listeners[listener.queue] = listener
    with eventlet.Timeout(HANGS_AFTER):
        carrier.run([database])
    return carrier


def test_a_retired_listener_hears_what_waited_for_it_and_nothing_new(settings, database):
    before = Listener("retired", answers=False)
    announce_all(database, account_activated())
    carry(settings, database, before, deliveries=1)
    announce_all(database, account_activated(account_id="new"))
    heard = []

    def handle(body, headers, done):
        heard.append(codec.decode("account_activated", body))
        done(None)

    carrier = EventCarrier(settings)
    carrier.listeners["retired"] = EmbeddedListener("retired", None, handle)
    for _ in range(3):
        carrier.carry_once([database])
    assert heard == [account_activated()]


def test_an_event_comes_to_every_listener_of_its_kind_and_to_no_other(settings, database):
    one, two, other = Listener("one"), Listener("two"), Listener("other", CardIssued)
    announce_all(database, account_activated(), CARD)
    carry(settings, database, one, two, other, deliveries=3)
    assert (one.heard, two.heard, other.heard) == ([account_activated()], [account_activated()], [CARD])


def test_what_was_carried_is_in_the_outbox_no_more(settings, database):
    announce_all(database, account_activated())
    assert in_the_outbox(database) == 1
    carry(settings, database, Listener("one"), deliveries=1)
    assert in_the_outbox(database) == 0


def test_events_come_in_the_order_they_were_announced(settings, database):
    announced = [account_activated(account_id=f"account-{i}") for i in range(5)]
    announce_all(database, *announced)
    listener = Listener("one")
    carry(settings, database, listener, deliveries=5)
    assert listener.heard == announced


def test_an_event_announced_in_a_transaction_that_failed_is_never_carried(settings, database):
    with pytest.raises(ZeroDivisionError), database.begin() as session:
        announce(session, account_activated(account_id="never"))
        raise ZeroDivisionError
    announce_all(database, account_activated())
    listener = Listener("one")
    carry(settings, database, listener, deliveries=1)
    assert listener.heard == [account_activated()]


def test_what_failed_comes_again(settings, database):
    announce_all(database, account_activated())
    listener = Listener("one", fails=2)
    carry(settings, database, listener, deliveries=3)
    assert listener.heard == [account_activated()] * 3
    assert [headers.get("x-attempt", 0) for headers in listener.headers] == [0, 1, 2]
    assert EmbeddedDeadLetters(settings).all() == []


def test_what_fails_in_every_attempt_rests_as_dead_with_its_error_and_no_person_s_data(settings, database):
    announce_all(database, account_activated())
    carry(settings, database, Listener("one", fails=3), deliveries=3)
    [dead] = EmbeddedDeadLetters(settings).all()
    assert (dead.queue, dead.headers["x-attempt"]) == ("one", 3)
    assert codec.decode("account_activated", dead.body) == account_activated()
    assert dead.headers["x-error"].startswith("LookupError")
    assert "+84912345678" not in dead.headers["x-error"]


def test_the_failure_of_one_listener_is_not_the_other_s(settings, database):
    announce_all(database, account_activated())
    well, ill = Listener("well"), Listener("ill", fails=3)
    carry(settings, database, well, ill, deliveries=4)
    assert (len(well.heard), len(ill.heard)) == (1, 3)
    assert [dead.queue for dead in EmbeddedDeadLetters(settings).all()] == ["ill"]


def test_a_dead_event_that_is_replayed_starts_its_attempts_afresh(settings, database):
    announce_all(database, account_activated())
    carry(settings, database, Listener("one", fails=3), deliveries=3)
    assert EmbeddedDeadLetters(settings).replay(lambda event: event.queue == "one") == 1
    assert EmbeddedDeadLetters(settings).all() == []
    healed = Listener("one", fails=2)
    carry(settings, database, healed, deliveries=3)
    assert healed.heard == [account_activated()] * 3
    assert EmbeddedDeadLetters(settings).all() == []


def test_a_dead_event_that_is_dropped_never_comes_back(settings, database):
    announce_all(database, account_activated())
    carry(settings, database, Listener("one", fails=3), deliveries=3)
    assert EmbeddedDeadLetters(settings).drop(lambda _: True) == 1
    assert EmbeddedDeadLetters(settings).all() == []
    announce_all(database, account_activated(account_id="account-2"))
    listener = Listener("one")
    carry(settings, database, listener, deliveries=1)
    assert listener.heard == [account_activated(account_id="account-2")]


def test_only_the_chosen_dead_events_are_replayed_or_dropped(settings, database):
    announce_all(database, account_activated())
    carry(settings, database, Listener("one", fails=3), Listener("two", fails=3), deliveries=6)
    dead = EmbeddedDeadLetters(settings)
    assert dead.replay(lambda event: event.queue == "elsewhere") == 0
    assert dead.drop(lambda event: event.queue == "two") == 1
    assert [event.queue for event in dead.all()] == ["one"]


def test_a_delivery_under_way_when_the_process_ended_is_made_again(settings, database):
    announce_all(database, account_activated())
    before = Listener("one", answers=False)
    carry(settings, database, before, deliveries=1)
    after = Listener("one")
    carry(settings, database, after, deliveries=1)
    assert after.heard == before.heard == [account_activated()]


def test_a_delivery_that_waits_for_its_attempt_waits_through_a_restart(settings, database):
    waiting = replace(settings, retry_delays="0,3600")
    announce_all(database, account_activated())
    carry(waiting, database, Listener("one", fails=2), deliveries=2)
    announce_all(database, account_activated(account_id="account-2"))
    listener = Listener("one")
    carry(waiting, database, listener, deliveries=1)
    assert listener.heard == [account_activated(account_id="account-2")]
    assert EmbeddedDeadLetters(settings).all() == []


def test_a_delivery_done_before_the_restart_does_not_come_again(settings, database):
    announce_all(database, account_activated())
    carry(settings, database, Listener("one"), deliveries=1)
    announce_all(database, account_activated(account_id="account-2"))
    listener = Listener("one")
    carry(settings, database, listener, deliveries=1)
    assert listener.heard == [account_activated(account_id="account-2")]


def test_an_event_announced_while_events_are_carried_is_carried_too(settings, database):
    first, second = account_activated(), account_activated(account_id="account-2")
    announce_all(database, first)
    listener = Listener("one", then=lambda: announce_all(database, second))
    carry(settings, database, listener, deliveries=2)
    assert listener.heard == [first, second]


def test_what_was_deleted_is_gone_from_the_files_once_their_logs_are_cleared(settings, database):
    def files_with(text):
        return {one.name for one in settings.folder.iterdir() if text in one.read_bytes()}

    announce_all(database, account_activated(account_id="account-to-forget"))
    carrier = carry(settings, database, Listener("one"), deliveries=1)
    assert {"broker.db-wal", "cards.db-wal"} <= files_with(b"account-to-forget")
    carrier.clear_away([database])
    assert files_with(b"account-to-forget") == set()


def test_dead_events_are_dropped_once_their_persons_must_be_forgotten(settings, database):
    announce_all(database, account_activated(account_id="old", at=utc_now() - timedelta(days=91)))
    announce_all(database, account_activated(account_id="new", at=utc_now() - timedelta(days=89)))
    carrier = carry(settings, database, Listener("one", fails=6), deliveries=6)
    assert len(EmbeddedDeadLetters(settings).all()) == 2
    with capture_logs() as lines:
        for _ in range(2):
            carrier.clear_away([database])
    (kept,) = EmbeddedDeadLetters(settings).all()
    assert codec.decode("account_activated", kept.body).account_id == "new"
    assert [(one["event"], one["events"]) for one in lines] == [("dead_events_erased", 1)]


class BusyOnce(Database):
    """A database that does not answer the first time."""

    was_asked = False

    def begin(self):
        if not self.was_asked:
            self.was_asked = True
            raise Unavailable("unavailable")
        return super().begin()


def test_a_database_that_does_not_answer_once_does_not_end_the_carrying(settings, database):
    announce_all(database, account_activated())
    busy, listener = BusyOnce(mapping().metadata, settings.database("cards"), settings), Listener("one")
    carry(settings, busy, listener, deliveries=1)
    busy.engine.dispose()
    assert busy.was_asked
    assert listener.heard == [account_activated()]


def test_what_a_file_of_the_first_version_holds_is_delivered(settings, database):
    old = sa.create_engine(f"sqlite:///{settings.folder / 'broker'}.db")
    with old.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TABLE letters (position INTEGER PRIMARY KEY, queue VARCHAR(120) NOT NULL,"
                " headers JSON NOT NULL, body TEXT NOT NULL, round INTEGER NOT NULL,"
                " due_at DATETIME NOT NULL, dead BOOLEAN NOT NULL)"
            )
        )
        connection.execute(sa.text("CREATE INDEX ix_letters_queue ON letters (queue)"))
        connection.execute(
            sa.text("INSERT INTO letters VALUES (1, 'one', '{}', :body, 1, '2026-08-03 02:00:00', 0)"),
            {"body": codec.encode(account_activated())},
        )
    old.dispose()
    listener = Listener("one")
    carry(settings, database, listener, deliveries=1)
    assert listener.heard == [account_activated()]


@pytest.mark.parametrize("written", ["2026-08-03T02:00:00", "yesterday", "", None, 5])
def test_a_dead_event_that_does_not_say_when_it_failed_is_counted_all_the_same(settings, written):
    """Whoever counts also sees to it that nobody is kept too long, and must not stop over somebody else's header."""
    file = open_file(settings)
    with file.begin() as session:
        row = {"queue": "one", "body": "", "dead": True, "due_at": utc_now()}
        session.execute(sa.insert(deliveries), row | {"headers": {topology.ID: "1", "x-failed-at": written}})
    assert EmbeddedDeadLetters(settings).counts() == {"one": (1, None)}
    file.engine.dispose()
