"""The ceilings: the same durable work with psycopg2 and pika alone, and nothing else.

Two processes with four connections each: one Python process alone would be the limit on two cores.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import pika
import psycopg2

PROCESSES, CONNECTIONS = 2, 4
HEAD_START = 2.0  # seconds in which every process comes up
BATCH = 500  # messages between two waits for confirms
GIVES_UP_AFTER = 120.0  # seconds after which publishing is given up

Work = Callable[[dict[str, Any], Any], None]  # connections by service, and one job


@dataclass(frozen=True)
class Done:
    """What one process did, on the clock all processes share."""

    jobs: int
    began: float
    ended: float


def rate(work: Work, dsns: dict[str, str], jobs: Sequence[Any], seconds: float) -> float:
    """Return how many jobs a second all connections do together, for some seconds or until they run out."""
    start = time.monotonic() + HEAD_START
    parts = [(work, dsns, jobs[number::PROCESSES], start, seconds) for number in range(PROCESSES)]
    with get_context("spawn").Pool(PROCESSES) as pool:
        done = pool.starmap(_in_threads, parts)
    took = max(one.ended for one in done) - min(one.began for one in done)
    return sum(one.jobs for one in done) / took


def _in_threads(work: Work, dsns: dict[str, str], jobs: Sequence[Any], start: float, seconds: float) -> Done:
    waiting, lock = iter(jobs), threading.Lock()

    def work_on(connections: dict[str, Any]) -> int:
        done = 0
        while time.monotonic() < start + seconds:
            with lock:
                job = next(waiting, None)
            if job is None:
                break
            work(connections, job)
            done += 1
        return done

    opened = [{service: psycopg2.connect(dsn) for service, dsn in dsns.items()} for _ in range(CONNECTIONS)]
    try:
        time.sleep(max(0.0, start - time.monotonic()))
        began = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            done = sum(threads.map(work_on, opened))
        return Done(done, began, time.monotonic())
    finally:
        for connection in (one for each in opened for one in each.values()):
            connection.close()


# a declaration

AGENCY = """SELECT code, name, address FROM agencies
    WHERE code = %s AND opened_on <= now() AND (closed_on IS NULL OR closed_on > now())"""
OBSTACLE = """SELECT 1 FROM accounts WHERE insurance_code = %(code)s UNION ALL
    SELECT 1 FROM declarations WHERE status = 'pending' AND kind = 'register' AND insurance_code = %(code)s"""
TAKE_UPLOADS = """UPDATE uploads SET declaration_id = %s WHERE upload_id IN %s AND declaration_id IS NULL
    RETURNING purpose, key"""
DECLARATION = """INSERT INTO declarations (declaration_id, number, tracking_code, kind, agency, insurance_code,
    applicant, submitted_at, expires_at, status, handled_version, history)
    VALUES (%s, '2026-' || lpad(nextval('declaration_serial')::text, 7, '0'), 'ABCDEFGHJK', 'register', %s, %s,
    %s, now(), now() + interval '10 days', 'pending', 0, %s)"""
OUTBOX = """INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, request_id, created_at)
    VALUES (%s, 'registration', %s, 'declaration_submitted', %s, %s, now())"""


def submit(connections: dict[str, Any], form: dict[str, Any]) -> None:
    """Check and keep one declaration, its event and its three uploads in one transaction."""
    connection, declaration_id = connections["registration"], str(uuid.uuid4())
    with connection, connection.cursor() as cursor:
        cursor.execute(AGENCY, (form["agency_code"],))
        agency = dict(zip(("code", "name", "address"), cursor.fetchone(), strict=True))
        cursor.execute(OBSTACLE, {"code": form["insurance_code"]})
        assert cursor.fetchone() is None
        cursor.execute(TAKE_UPLOADS, (declaration_id, tuple(form["photos"].values())))
        applicant = json.dumps({**form, "photos": dict(cursor.fetchall())})
        history = json.dumps([{"at": "2026-01-01T00:00:00+00:00", "what": "submitted"}])
        row = (declaration_id, json.dumps(agency), form["insurance_code"], applicant, history)
        cursor.execute(DECLARATION, row)
        cursor.execute(OUTBOX, (str(uuid.uuid4()), declaration_id, applicant, declaration_id))
        cursor.execute("NOTIFY outbox")


def read(connections: dict[str, Any], number: str) -> None:
    """Read one declaration by its number."""
    connection = connections["registration"]
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM declarations WHERE number = %s", (number,))
        assert cursor.fetchone() is not None


# the whole way: the very rows the system left behind, once more into empty tables of the same make

COPIES = {
    "registration": ("declarations", "accounts", "outbox"),
    "approval": ("reviews", "outbox"),
    "notification": ("messages",),
    "cards": ("cards", "outbox"),
}
EVENT = """INSERT INTO copy_outbox (id, aggregatetype, aggregateid, type, payload, request_id, created_at)
    VALUES (gen_random_uuid(), 'service', %(id)s, 'event', repeat('x', 900), %(id)s, now())"""
NOTED = """UPDATE copy_declarations SET history = history, handled_version = handled_version + 1
    WHERE declaration_id = %(id)s"""
HANDLED = "UPDATE copy_reviews SET history = history, version = version + 1 WHERE declaration_id = %(id)s"


def _again(table: str, more: str = "") -> str:
    return f"INSERT INTO copy_{table} SELECT * FROM {table} WHERE declaration_id = %(id)s {more}"


def _told(occasion: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the commits of two messages: written as taken already, and each of them settled."""
    which = f"AND occasion LIKE '{occasion}%%'"
    sent = [
        f"UPDATE copy_messages SET state = 'sent', due_at = NULL"
        f" WHERE declaration_id = %(id)s {which} AND channel = '{channel}'"
        for channel in ("sms", "mail")
    ]
    return [("notification", (_again("messages", which),)), *(("notification", (one,)) for one in sent)]


COMMITS: list[tuple[str, tuple[str, ...]]] = [
    ("registration", (_again("declarations"), EVENT)),
    ("approval", (_again("reviews"),)),
    *_told("declaration_submitted"),
    ("approval", (HANDLED, EVENT)),
    ("registration", (NOTED,)),
    ("approval", (HANDLED, EVENT)),
    ("registration", (_again("accounts"), NOTED, EVENT)),
    *_told("account_activated"),
    ("cards", (_again("cards"), EVENT)),
    ("registration", (NOTED,)),
]


def make_copies(connections: dict[str, Any]) -> None:
    for service, tables in COPIES.items():
        with connections[service] as connection, connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"CREATE TABLE copy_{table} (LIKE {table} INCLUDING ALL)")


def go_the_way(connections: dict[str, Any], declaration_id: str) -> None:
    """Write all rows of one declaration, each of the system's commits a commit."""
    for service, statements in COMMITS:
        with connections[service] as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, {"id": declaration_id})


# messages


class Publisher:
    """Publishes messages in batches and waits for the confirms of each; pika's connection without threads."""

    def __init__(self, amqp_url: str, exchange: str, key: str, bodies: Iterable[bytes], properties: Any) -> None:
        self._exchange, self._key, self._bodies, self._properties = exchange, key, iter(bodies), properties
        self._unconfirmed: set[int] = set()
        self.done, self.seconds = 0, 0.0
        self._connection = pika.SelectConnection(
            pika.URLParameters(amqp_url),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_open_error_callback=lambda *_: self._connection.ioloop.stop(),
            on_close_callback=lambda *_: self._connection.ioloop.stop(),
        )

    def run(self) -> float:
        """Publish everything; return messages a second."""
        self._connection.ioloop.call_later(GIVES_UP_AFTER, self._connection.close)
        self._connection.ioloop.start()
        return self.done / self.seconds if self.seconds else 0.0

    def _opened(self, channel: Any) -> None:
        self._channel, self._began = channel, time.monotonic()
        channel.confirm_delivery(self._confirmed, callback=lambda _: self._publish())

    def _publish(self) -> None:
        for body in self._bodies:
            self._channel.basic_publish(self._exchange, self._key, body, self._properties, mandatory=True)
            self.done += 1
            self._unconfirmed.add(self.done)
            if len(self._unconfirmed) == BATCH:
                return
        if not self._unconfirmed:
            self.seconds = time.monotonic() - self._began
            self._connection.close()

    def _confirmed(self, frame: Any) -> None:
        tag, several = frame.method.delivery_tag, frame.method.multiple
        self._unconfirmed -= {one for one in self._unconfirmed if one <= tag} if several else {tag}
        if not self._unconfirmed:
            self._publish()
