"""Chapter e: how fast the relay empties an outbox, and how soon it carries a single event."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pika

from shared.language.events import DeclarationSubmitted
from shared.messaging import codec, topology
from shared.storage.database import new_id
from tests.bench import by_hand
from tests.bench.bench import Bench
from tests.bench.house import House, house
from tests.bench.processes import until
from tests.bench.rows import connected, copy
from tests.bench.table import Figure, quantiles
from tests.support.facts import ADDRESS, AGENCY, CONTACT, ID_DOCUMENT, INSURANCE_CODE, PHOTOS

EVENTS = 20_000
SINGLE = 200  # events carried one by one
PAUSE = 0.02  # seconds between two of them: the outbox is idle again
PATIENCE = 120.0
COLUMNS = ("id", "aggregatetype", "aggregateid", "type", "payload", "request_id", "created_at")
AT = datetime(2026, 8, 3, 2, 0, tzinfo=UTC)


def event() -> str:
    """Return the body of a declaration's event."""
    return codec.encode(
        DeclarationSubmitted(
            declaration_id=new_id(),
            number="2026-0000001",
            tracking_code="ABCDEFGHJK",
            kind="register",
            insurance_code=INSURANCE_CODE,
            full_name="Trần Thị Mẫu",
            id_document=ID_DOCUMENT,
            address=ADDRESS,
            contact=CONTACT,
            agency=AGENCY,
            photos=PHOTOS,
            expires_at=AT,
            at=AT,
        )
    )


def outbox_row(body: str) -> tuple[Any, ...]:
    return new_id(), "registration", new_id(), DeclarationSubmitted.name, body, new_id(), AT.isoformat()


def measure(bench: Bench) -> None:
    """Drain a backlog and carry single events, into one quorum queue bound as a listener's is."""
    with house(bench.servers, bench.carriers, processes=("relay",)) as here, _queue(bench, here) as channel:
        ceiling = _publish_by_hand(bench, here, channel)
        _drain(bench, here, channel, ceiling)
        channel.queue_purge(queue_of(here))
        _carry_singly(bench, here, channel)


def exchange_of(here: House) -> str:
    return topology.exchange_name(here.environment["BROKER_PREFIX"], "registration")


def queue_of(here: House) -> str:
    return f"{here.environment['BROKER_PREFIX']}bench"


@contextmanager
def _queue(bench: Bench, here: House) -> Iterator[Any]:
    """Declare the queue; yield a channel."""
    with pika.BlockingConnection(pika.URLParameters(bench.servers.amqp_url)) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange_of(here), "topic", durable=True)
        channel.queue_declare(queue_of(here), durable=True, arguments=topology.QUORUM)
        channel.queue_bind(queue_of(here), exchange_of(here), DeclarationSubmitted.name)
        yield channel


def _properties(row: tuple[Any, ...]) -> pika.BasicProperties:
    headers = topology.headers_of({**dict(zip(COLUMNS, row, strict=True)), "created_at": AT})
    return pika.BasicProperties(content_type=codec.CONTENT_TYPE, delivery_mode=2, message_id=row[0], headers=headers)


def _publish_by_hand(bench: Bench, here: House, channel: Any) -> float:
    """Return how many of the same messages a second pika publishes, confirmed in batches."""
    bench.say(f"{EVENTS:,} events by hand")
    row, bodies = outbox_row(event()), [event().encode()] * EVENTS
    publisher = by_hand.Publisher(
        bench.servers.amqp_url, exchange_of(here), DeclarationSubmitted.name, bodies, _properties(row)
    )
    rate = publisher.run()
    channel.queue_purge(queue_of(here))
    return rate


def _drain(bench: Bench, here: House, channel: Any, ceiling: float) -> None:
    body, dsn = event(), here.dsn("registration")
    copy(dsn, "outbox", COLUMNS, (outbox_row(body) for _ in range(EVENTS)))
    began = time.monotonic()
    with connected(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("NOTIFY outbox")
    until(lambda: here.rows("registration", "SELECT 1 FROM outbox LIMIT 1") == [], "the drain", PATIENCE)
    took = time.monotonic() - began
    arrived = channel.queue_declare(queue_of(here), passive=True).method.message_count
    said = f"{EVENTS:,} by COPY, {arrived:,} arrived; ceiling: pika, the same messages confirmed by {by_hand.BATCH}"
    bench.add(Figure("e", "backlog drained", EVENTS / took, "/s", ceiling=ceiling, goal="≥ 5,000/s", remark=said))


def _carry_singly(bench: Bench, here: House, channel: Any) -> None:
    """Announce events one by one to an idle relay, and time each from its commit to a consumer."""
    took, by_pika, body = [], [], event()
    waiting = channel.consume(queue_of(here), auto_ack=True, inactivity_timeout=5)
    with connected(here.dsn("registration")) as connection:
        cursor = connection.cursor()
        for _ in range(SINGLE):
            insert = f"INSERT INTO outbox ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
            cursor.execute(insert, outbox_row(body))
            cursor.execute("NOTIFY outbox")
            connection.commit()
            took.append(_until_heard(waiting, time.monotonic()))
            row = outbox_row(body)
            began = time.monotonic()
            channel.basic_publish(exchange_of(here), row[3], body.encode(), _properties(row))
            by_pika.append(_until_heard(waiting, began))
            time.sleep(PAUSE)
    median, alone = quantiles(took), quantiles(by_pika)
    said = f"{SINGLE} single events; pika alone: {(alone[0] or 0) * 1000:.1f} ms at the median"
    bench.add(Figure("e", "commit → broker, idle", None, "", *median, goal="p50 < 20 ms", remark=said))


def _until_heard(waiting: Any, began: float) -> float:
    method, _, _ = next(waiting)
    if method is None:
        raise TimeoutError("an event was not carried within 5 s")
    return time.monotonic() - began
