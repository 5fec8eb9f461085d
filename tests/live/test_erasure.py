"""A day after its end a declaration's person is in no store: databases, queues, files, or logs of anything."""

import json
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from shared.messaging import topology
from shared.messaging.declarations import blocking_channel
from tests.support import shortened
from tests.support.running import PROCESSES, running_system
from tests.support.waiting import at_once, until
from vssid import smoke
from vssid.people import declaration_of
from vssid.smoke import AGENCY
from vssid.startup import STATEFUL, event_queues
from vssid.walk import Walk

SEED = 20241113
SECONDS = 45  # that a declaration lives
SERVER_LOGS = "/var/log/postgresql"  # of Debian; another server keeps them where only its operator sees them
BROKEN = {"approval": "reviews", "notification": "messages"}  # a service and a table without which its events fail


@pytest.fixture
def system(servers, tmp_path):
    lives = {"DECLARATION_DAYS": str(SECONDS / 86_400), shortened.VARIABLE: "6", "RETRY_DELAYS": "0.2,0.4"}
    with running_system(servers, tmp_path, (), program=shortened.__name__, **lives) as system:
        for service in STATEFUL:
            tell_server_not_to_log_statements(system, service)
        for name in PROCESSES:
            system.start(name)
        for name in PROCESSES:
            system.until_ready(name)
        yield system


def tell_server_not_to_log_statements(system, service):
    """Set for one database what docker-compose.yml sets for its server."""
    for setting, value in (("log_min_error_statement", "panic"), ("log_error_verbosity", "terse")):
        name = urlsplit(system.dsn(service)).path.removeprefix("/")
        system.rows(service, f'ALTER DATABASE "{name}" SET {setting} = {value}')


def spellings(person):
    """Return what tells who somebody is, also as JSON may spell it."""
    told = (person.full_name, person.insurance_code, person.id_number, person.phone.removeprefix("+84"), person.email)
    return {spelling for one in told for spelling in (one, json.dumps(one)[1:-1])}


class Stores:
    """Everything in which something of a declaration may lie."""

    def __init__(self, system):
        self._system = system
        self._read = {log: log.stat().st_size for log in Path(SERVER_LOGS).glob("*.log")}

    def with_any_of(self, needles):
        """Return the names of the stores that hold one of the needles."""
        found = [*self._tables(), *self._queues(), *self._files()]
        return {name for name, content in found if any(needle.encode() in content for needle in needles)}

    def _tables(self):
        for service in STATEFUL:
            tables = self._system.rows(service, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in tables:
                for row in self._system.rows(service, f'SELECT * FROM "{table}"'):
                    yield f"{service}.{table}", " ".join(str(value) for value in row).encode()

    def _queues(self):
        """Look at what lies in each queue; what is not acknowledged goes back when the channel closes."""
        with blocking_channel(self._system.settings) as channel:
            for queue in event_queues(self._system.settings):
                for _ in range(channel.queue_declare(queue.name, passive=True).method.message_count):
                    _, properties, body = channel.basic_get(queue.name)
                    if body is not None:
                        prefix = self._system.settings.broker_prefix
                        yield queue.name.removeprefix(prefix), body + str(properties).encode()

    def _files(self):
        for file in self._system.folder.rglob("*"):
            if file.is_file():
                yield file.name, file.read_bytes()
        for log, size in self._read.items():
            with log.open("rb") as lines:
                lines.seek(size)
                yield log.name, lines.read()


@contextmanager
def broken(system):
    """Have the events of approval and notification fail."""
    for service, table in BROKEN.items():
        system.rows(service, f"ALTER TABLE {table} RENAME TO {table}_away")
    try:
        yield
    finally:
        for service, table in BROKEN.items():
            system.rows(service, f"ALTER TABLE {table}_away RENAME TO {table}")


def submit_twice_at_once(system, person):
    """Send a declaration from two sides at the same instant; return the one that was accepted."""
    walk = Walk(system.url)
    bodies = [
        declaration_of(
            person, AGENCY, {purpose: walk.upload(purpose) for purpose in ("portrait", "id_front", "id_back")}
        )
        for _ in range(2)
    ]
    answers = at_once(*(lambda body=body: walk.send("POST", "/declarations", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    return next(answer.json() for answer in answers if answer.status_code == 201)


def statuses(system):
    return dict(system.rows("registration", "SELECT number, status FROM declarations"))


def dead_queues(system):
    return sorted(line.split()[0].removeprefix(system.settings.broker_prefix) for line in system.dead())


def test_a_day_after_its_end_no_store_holds_the_person_of_a_declaration(system):
    told, late, gone = people = smoke.people(SEED, 3)
    needles, stores = set().union(*map(spellings, people)), Stores(system)
    declared = {told: submit_twice_at_once(system, told)}
    until(lambda: {sms.to for sms in system.texts.messages()} == {told.phone}, "the first is told")
    system.texts.stop()
    with broken(system):
        declared |= {person: Walk(system.url).submit(person, AGENCY) for person in (late, gone)}
        failed = ["approval.on_declaration_submitted", "notification.on_declaration_acknowledged"]
        until(lambda: dead_queues(system) == sorted(2 * failed), "their events are dead")
    assert stores.with_any_of(needles) >= {
        *("registration.declarations", "approval.reviews"),
        *(topology.dead_name(queue) for queue in failed),
    }
    code = {"tracking_code": declared[gone]["tracking_code"]}
    withdrawn = f"{system.url}/api/v1/declarations/{declared[gone]['number']}"
    assert requests.delete(withdrawn, params=code, timeout=30).status_code == 204
    until(lambda: system.count("approval", "reviews", f"number = '{declared[gone]['number']}'"), "approval knows")
    assert (
        system.command("dead", "replay", "--queue", system.settings.broker_prefix + failed[0]) == "2 events put back\n"
    )

    ends = {
        declared[told]["number"]: "expired",
        declared[late]["number"]: "expired",
        declared[gone]["number"]: "withdrawn",
    }
    until(lambda: statuses(system) == ends, "each has ended", SECONDS + 60)
    until(lambda: system.count("notification", "messages", "state = 'failed'") >= 2, "nobody could be told by SMS")
    # the relay looks when it starts, and then every hour
    until(lambda: sweep(system) and dead_queues(system) == [], "no event is dead", 60, pause=1)
    assert stores.with_any_of(needles) == set()
    assert dict(system.rows("approval", "SELECT number, status FROM reviews")) == ends
    assert {status for (status,) in system.rows("approval", "SELECT full_name FROM reviews")} == {None}
    assert {masked for (masked,) in system.rows("notification", "SELECT masked FROM messages")} == {""}
    # what the refused one of the two had sent; a picture that nobody uses is deleted after 24 hours
    unused = {key for (key,) in system.rows("registration", "SELECT key FROM uploads WHERE declaration_id IS NULL")}
    store = Path(system.environment["VAR_DIR"]) / "store"
    assert {str(file.relative_to(store)) for file in store.rglob("*") if file.suffix in (".jpg", ".pdf")} == unused


def sweep(system):
    system.restart("relay")
    system.until_ready("relay")
    return True
