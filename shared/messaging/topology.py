"""How an event looks on the wire, and which exchanges and queues there are.

CloudEvents 1.0 in binary mode over AMQP: attributes travel as headers, the body is the event's JSON. One
exchange a speaker (nameko's convention, so that any nameko service can listen too); the routing key is the
event's wire name. A failed event waits in a queue for the delay of its attempt, and comes back to the queue that
its routing key names; after the last attempt it rests in ``<queue>.dead`` with its error.
"""

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.language.errors import Problem
from shared.language.events import Event
from shared.settings import Settings

ID = "cloudEvents:id"
TYPE = "cloudEvents:type"
REQUEST_ID = "cloudEvents:requestid"
TIME = "cloudEvents:time"
ATTEMPT, ERROR, FAILED_AT = "x-attempt", "x-error", "x-failed-at"
OLD_ATTEMPT = "x-round"  # written by version 0.1: read for one release
QUORUM = {"x-queue-type": "quorum"}
# a dead-lettered message is handed on with confirms, so that a broker that dies in between loses none
AT_LEAST_ONCE = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
DELIVERY_LIMIT = 20  # deliveries without an answer after which a message is parked: it kills its process


@dataclass(frozen=True)
class QueueDeclaration:
    """A durable queue; ``exchange`` is the one it is bound to, if any."""

    name: str
    arguments: dict[str, Any]
    exchange: str = ""
    exchange_type: str = "topic"
    routing_key: str = ""


def exchange_name(prefix: str, speaker: str) -> str:
    return f"{prefix}{speaker}.events"


def queue_name(prefix: str, service: str, method: str) -> str:
    return f"{prefix}{service}.{method}"


def call_queue_name(prefix: str, service: str) -> str:
    return f"{prefix}rpc.{service}"


def dead_name(queue: str) -> str:
    return f"{queue}.dead"


def waiting_name(prefix: str, delay: float) -> str:
    return f"{prefix}waiting.{int(delay * 1000)}ms"


def event_queues(settings: Settings, listeners: Iterable[tuple[str, str, type[Event]]]) -> list[QueueDeclaration]:
    """Return every queue that events need; ``listeners`` are (service, method, event)."""
    prefix, found = settings.broker_prefix, waiting_queues(settings.broker_prefix, settings.delays)
    for service, method, event in listeners:
        found += listener_queues(prefix, queue_name(prefix, service, method), event)
    return found


def with_dead_queue(queues: Iterable[QueueDeclaration]) -> list[str]:
    """Return the names of the listeners' queues among these."""
    names = [queue.name for queue in queues]
    return [name for name in names if dead_name(name) in names]


def waiting_queues(prefix: str, delays: tuple[float, ...]) -> list[QueueDeclaration]:
    """Return the queues in which failed events wait, one a delay, shared by all listeners."""
    return [_waiting_queue(waiting_name(prefix, delay), delay) for delay in delays]


def _waiting_queue(name: str, delay: float) -> QueueDeclaration:
    expiry = {"x-message-ttl": int(delay * 1000), "x-dead-letter-exchange": ""}
    return QueueDeclaration(name, {**QUORUM, **expiry, **AT_LEAST_ONCE}, exchange=name, exchange_type="fanout")


def listener_queues(prefix: str, queue: str, event: type[Event]) -> list[QueueDeclaration]:
    """Return a listener's dead queue, and its queue, bound to the speaker's exchange."""
    dead = dead_name(queue)
    parked = {"x-delivery-limit": DELIVERY_LIMIT, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    return [
        # not a quorum queue: RabbitMQ 4 drops a message of those after twenty deliveries, and each look is one
        QueueDeclaration(dead, {"x-queue-type": "classic"}),
        QueueDeclaration(
            queue,
            {**QUORUM, **parked, **AT_LEAST_ONCE},
            exchange=exchange_name(prefix, event.speaker),
            routing_key=event.name,
        ),
    ]


def headers_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the CloudEvents attributes of an outbox row."""
    return {
        "cloudEvents:specversion": "1.0",
        ID: row["id"],
        TYPE: row["type"],
        "cloudEvents:source": f"/{row['aggregatetype']}",
        "cloudEvents:subject": row["aggregateid"],
        TIME: row["created_at"].isoformat(),
        REQUEST_ID: row["request_id"],
    }


def without_broker_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers without what brokers and failures added on the way (x-death and its like)."""
    return {name: value for name, value in headers.items() if not name.startswith("x-")}


def time_of(headers: Mapping[str, Any]) -> str | None:
    """Return when a message was announced, or at least when it failed, as an ISO time."""
    return headers.get(TIME) or headers.get(FAILED_AT)


def attempt_of(headers: Mapping[str, Any]) -> int:
    """Return how many attempts at this message have failed."""
    return int(headers.get(ATTEMPT, headers.get(OLD_ATTEMPT, 0)))


def error_summary(error: BaseException) -> str:
    """Return what failed and where, without values: the text of a foreign error may quote a person's data."""
    what = f"{type(error).__name__}: {error}" if isinstance(error, Problem) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return (what + where)[:500]


def failure_headers(attempt: int, error: BaseException, at: datetime) -> dict[str, Any]:
    """Return what a failed message carries: its attempts so far, the error, and when it failed."""
    return {ATTEMPT: attempt, ERROR: error_summary(error), FAILED_AT: at.isoformat()}


def retry_target(settings: Settings, queue: str, attempt: int) -> tuple[str, str]:
    """Return exchange and routing key for a message whose attempts so far (this one not counted) are ``attempt``."""
    if attempt < len(settings.delays):
        return waiting_name(settings.broker_prefix, settings.delays[attempt]), queue
    return "", dead_name(queue)
