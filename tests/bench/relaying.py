"""Chapter e: how fast the relay empties an outbox, and how soon it carries a single event."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika

from shared.language.events import DeclarationSubmitted
from shared.language.values import new_id
from shared.messaging import codec, topology
from shared.settings import read
from tests.bench import ceilings
from tests.bench.bench import Bench
from tests.bench.rows import connected, copy
from tests.bench.system import MeasuredSystem, measured_system
from tests.bench.table import Figure, quantiles
from tests.support.events import AT, declaration_submitted
from tests.support.people import PHOTOS
from tests.support.waiting import until

EVENTS = 20_000
SINGLE = 200  # events carried one by one
PAUSE = 0.02  # seconds between two of them: the outbox is idle again
GIVES_UP_AFTER = 120.0
COLUMNS = ("id", "aggregatetype", "aggregateid", "type", "payload", "request_id", "created_at")


def event_body() -> str:
    """Return the body of a declaration's event."""
    return codec.encode(declaration_submitted(declaration_id=new_id(), photos=PHOTOS))


def outbox_row(body: str) -> tuple[Any, ...]:
    return new_id(), "registration", new_id(), DeclarationSubmitted.name, body, new_id(), AT.isoformat()


def measure(bench: Bench) -> None:
    """Drain a backlog and carry single events, into one quorum queue bound as a listener's is."""
    with (
        measured_system(bench.servers, bench.carriers, processes=("relay",)) as system,
        _queue(bench, system) as channel,
    ):
        ceiling = _publish_by_pika(bench, system, channel)
        _drain(bench, system, channel, ceiling)
        channel.queue_purge(queue_of(system))
        _carry_singly(bench, system, channel)


def exchange_of(system: MeasuredSystem) -> str:
    return topology.exchange_name(system.environment["BROKER_PREFIX"], "registration")


def queue_of(system: MeasuredSystem) -> str:
    return f"{system.environment['BROKER_PREFIX']}bench"


@contextmanager
def _queue(bench: Bench, system: MeasuredSystem) -> Iterator[Any]:
    """Declare the queue; yield a channel."""
    with pika.BlockingConnection(pika.URLParameters(bench.servers.amqp_url)) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange_of(system), "topic", durable=True)
        channel.queue_declare(queue_of(system), durable=True, arguments=topology.QUORUM)
        channel.queue_bind(queue_of(system), exchange_of(system), DeclarationSubmitted.name)
        yield channel


def _properties(row: tuple[Any, ...]) -> pika.BasicProperties:
    headers = topology.headers_of({**dict(zip(COLUMNS, row, strict=True)), "created_at": AT}, read({}))
    return pika.BasicProperties(
        content_type=codec.CONTENT_TYPE, delivery_mode=2, message_id=row[0], correlation_id=row[5], headers=headers
    )


def _publish_by_pika(bench: Bench, system: MeasuredSystem, channel: Any) -> float:
    """Return how many of the same messages a second pika publishes, confirmed in batches."""
    bench.say(f"{EVENTS:,} events by pika alone")
    row, bodies = outbox_row(event_body()), [event_body().encode()] * EVENTS
    publisher = ceilings.Publisher(
        bench.servers.amqp_url, exchange_of(system), DeclarationSubmitted.name, bodies, _properties(row)
    )
    rate = publisher.run()
    channel.queue_purge(queue_of(system))
    return rate


def _drain(bench: Bench, system: MeasuredSystem, channel: Any, ceiling: float) -> None:
    body, dsn = event_body(), system.dsn("registration")
    copy(dsn, "outbox", COLUMNS, (outbox_row(body) for _ in range(EVENTS)))
    began = time.monotonic()
    with connected(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("NOTIFY outbox")
    until(lambda: system.rows("registration", "SELECT 1 FROM outbox LIMIT 1") == [], "the drain", GIVES_UP_AFTER)
    took = time.monotonic() - began
    arrived = channel.queue_declare(queue_of(system), passive=True).method.message_count
    said = f"{EVENTS:,} by COPY, {arrived:,} arrived; ceiling: pika, the same messages confirmed by {ceilings.BATCH}"
    bench.add(Figure("e", "backlog drained", EVENTS / took, "/s", ceiling=ceiling, goal="≥ 5,000/s", remark=said))


def _carry_singly(bench: Bench, system: MeasuredSystem, channel: Any) -> None:
    """Announce events one by one to an idle relay, and time each from its commit to a consumer."""
    took, by_pika, body = [], [], event_body()
    waiting = channel.consume(queue_of(system), auto_ack=True, inactivity_timeout=5)
    with connected(system.dsn("registration")) as connection:
        cursor = connection.cursor()
        for _ in range(SINGLE):
            insert = f"INSERT INTO outbox ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
            cursor.execute(insert, outbox_row(body))
            cursor.execute("NOTIFY outbox")
            connection.commit()
            took.append(_until_heard(waiting, time.monotonic()))
            row = outbox_row(body)
            began = time.monotonic()
            channel.basic_publish(exchange_of(system), row[3], body.encode(), _properties(row))
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
