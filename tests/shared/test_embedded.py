"""The in-process broker: what RabbitMQ keeps for us, it keeps too."""

from dataclasses import replace

import eventlet
import pytest
import sqlalchemy as sa

from shared.language.errors import Unavailable
from shared.language.events import AccountActivated, CardIssued
from shared.messaging import codec
from shared.messaging.embedded import DeadLetters, Town
from shared.storage.database import Database, announce, mapping
from tests.support.facts import AT, account_activated

AT_MOST = 20  # seconds a test may take before it is called hung
CARD = CardIssued(
    card_id="card-1",
    account_id="account-1",
    declaration_id="declaration-1",
    insurance_code="7900000017",
    card_number="GD4797900000017",
    serial=1,
    at=AT,
)


class Listener:
    """Hears events of a kind and answers as told: done, failed, or not at all; ``then`` follows the first."""

    def __init__(self, queue, kind=AccountActivated, *, fails=0, answers=True, then=lambda: None):
        self.queue, self.kind, self.fails, self.answers, self.then = queue, kind, fails, answers, then
        self.heard = []
        self.headers = []
        self.after_each = lambda: None

    def hear(self, body, headers, done):
        self.heard.append(codec.unpack(self.kind.name, body))
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
def desk(settings):
    """A desk's database with nothing in it but what every desk has."""
    database = Database(mapping().metadata, settings.database("cards"), settings)
    database.metadata.create_all(database.engine)
    yield database
    database.engine.dispose()


def tell(desk, *events):
    with desk.begin() as session:
        for event in events:
            announce(session, event)


def in_the_outbox(desk):
    with desk.begin() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(desk.outbox))


def run_town(settings, desk, *listeners, letters):
    """Run a town until its listeners have heard so many letters."""
    town = Town(settings)
    town.carry_from("cards", desk)

    def enough():
        if sum(len(listener.heard) for listener in listeners) >= letters:
            town.stop()

    for listener in listeners:
        listener.heard, listener.after_each = [], enough
        town.subscribe(listener)
    with eventlet.Timeout(AT_MOST):
        town.run()
    return town


def test_an_event_comes_to_every_listener_of_its_kind_and_to_no_other(settings, desk):
    one, two, other = Listener("one"), Listener("two"), Listener("other", CardIssued)
    tell(desk, account_activated(), CARD)
    run_town(settings, desk, one, two, other, letters=3)
    assert (one.heard, two.heard, other.heard) == ([account_activated()], [account_activated()], [CARD])


def test_what_was_carried_is_in_the_outbox_no_more(settings, desk):
    tell(desk, account_activated())
    assert in_the_outbox(desk) == 1
    run_town(settings, desk, Listener("one"), letters=1)
    assert in_the_outbox(desk) == 0


def test_events_come_in_the_order_they_were_told(settings, desk):
    told = [account_activated(account_id=f"account-{i}") for i in range(5)]
    tell(desk, *told)
    listener = Listener("one")
    run_town(settings, desk, listener, letters=5)
    assert listener.heard == told


def test_an_event_told_in_a_transaction_that_failed_is_never_carried(settings, desk):
    with pytest.raises(ZeroDivisionError), desk.begin() as session:
        announce(session, account_activated(account_id="never"))
        raise ZeroDivisionError
    tell(desk, account_activated())
    listener = Listener("one")
    run_town(settings, desk, listener, letters=1)
    assert listener.heard == [account_activated()]


def test_what_failed_comes_again(settings, desk):
    tell(desk, account_activated())
    listener = Listener("one", fails=2)
    run_town(settings, desk, listener, letters=3)
    assert listener.heard == [account_activated()] * 3
    assert [headers.get("x-round", 0) for headers in listener.headers] == [0, 1, 2]
    assert DeadLetters(settings).all() == []


def test_what_fails_in_every_round_rests_as_dead_with_its_error_and_no_person_s_data(settings, desk):
    tell(desk, account_activated())
    run_town(settings, desk, Listener("one", fails=3), letters=3)
    [dead] = DeadLetters(settings).all()
    assert (dead["queue"], dead["headers"]["x-round"]) == ("one", 3)
    assert codec.unpack("account_activated", dead["body"]) == account_activated()
    assert dead["headers"]["x-error"].startswith("LookupError")
    assert "+84912345678" not in dead["headers"]["x-error"]


def test_the_failure_of_one_listener_is_not_the_other_s(settings, desk):
    tell(desk, account_activated())
    well, ill = Listener("well"), Listener("ill", fails=3)
    run_town(settings, desk, well, ill, letters=4)
    assert (len(well.heard), len(ill.heard)) == (1, 3)
    assert [dead["queue"] for dead in DeadLetters(settings).all()] == ["ill"]


def test_a_dead_letter_that_is_replayed_begins_its_rounds_anew(settings, desk):
    tell(desk, account_activated())
    run_town(settings, desk, Listener("one", fails=3), letters=3)
    assert DeadLetters(settings).replay(lambda letter: letter["queue"] == "one") == 1
    assert DeadLetters(settings).all() == []
    healed = Listener("one", fails=2)
    run_town(settings, desk, healed, letters=3)
    assert healed.heard == [account_activated()] * 3
    assert DeadLetters(settings).all() == []


def test_a_dead_letter_that_is_dropped_never_comes_back(settings, desk):
    tell(desk, account_activated())
    run_town(settings, desk, Listener("one", fails=3), letters=3)
    assert DeadLetters(settings).drop(lambda _: True) == 1
    assert DeadLetters(settings).all() == []
    tell(desk, account_activated(account_id="account-2"))
    listener = Listener("one")
    run_town(settings, desk, listener, letters=1)
    assert listener.heard == [account_activated(account_id="account-2")]


def test_only_the_chosen_dead_letters_are_replayed_or_dropped(settings, desk):
    tell(desk, account_activated())
    run_town(settings, desk, Listener("one", fails=3), Listener("two", fails=3), letters=6)
    dead = DeadLetters(settings)
    assert dead.replay(lambda letter: letter["queue"] == "elsewhere") == 0
    assert dead.drop(lambda letter: letter["queue"] == "two") == 1
    assert [letter["queue"] for letter in dead.all()] == ["one"]


def test_a_letter_in_hand_when_the_town_went_down_comes_again(settings, desk):
    tell(desk, account_activated())
    before = Listener("one", answers=False)
    run_town(settings, desk, before, letters=1)
    after = Listener("one")
    run_town(settings, desk, after, letters=1)
    assert after.heard == before.heard == [account_activated()]


def test_a_letter_that_waits_for_its_round_waits_through_a_restart(settings, desk):
    waiting = replace(settings, retry_delays="0,3600")
    tell(desk, account_activated())
    run_town(waiting, desk, Listener("one", fails=2), letters=2)
    tell(desk, account_activated(account_id="account-2"))
    listener = Listener("one")
    run_town(waiting, desk, listener, letters=1)
    assert listener.heard == [account_activated(account_id="account-2")]
    assert DeadLetters(settings).all() == []


def test_a_letter_done_before_the_restart_does_not_come_again(settings, desk):
    tell(desk, account_activated())
    run_town(settings, desk, Listener("one"), letters=1)
    tell(desk, account_activated(account_id="account-2"))
    listener = Listener("one")
    run_town(settings, desk, listener, letters=1)
    assert listener.heard == [account_activated(account_id="account-2")]


def test_an_event_told_while_the_town_runs_is_carried_too(settings, desk):
    first, second = account_activated(), account_activated(account_id="account-2")
    tell(desk, first)
    listener = Listener("one", then=lambda: tell(desk, second))
    run_town(settings, desk, listener, letters=2)
    assert listener.heard == [first, second]


def test_what_was_deleted_is_gone_from_the_files_once_their_logs_are_cleared(settings, desk):
    def files_with(text):
        return {one.name for one in settings.folder.iterdir() if text in one.read_bytes()}

    tell(desk, account_activated(account_id="account-to-forget"))
    town = run_town(settings, desk, Listener("one"), letters=1)
    with eventlet.Timeout(AT_MOST):
        while town._under_way["one"]:
            eventlet.sleep(0.01)
    assert {"broker.db-wal", "cards.db-wal"} <= files_with(b"account-to-forget")
    town.clear_logs()
    assert files_with(b"account-to-forget") == set()


def test_a_file_that_does_not_answer_for_a_round_does_not_end_the_carrying(settings, desk, monkeypatch):
    collect, tries = Town._collect, []

    def busy_once(town, database):
        tries.append(database)
        if len(tries) == 1:
            raise Unavailable("unavailable")
        collect(town, database)

    monkeypatch.setattr(Town, "_collect", busy_once)
    tell(desk, account_activated())
    listener = Listener("one")
    run_town(settings, desk, listener, letters=1)
    assert listener.heard == [account_activated()]
