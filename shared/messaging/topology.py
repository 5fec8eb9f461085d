"""How an event looks on the wire, and which exchanges and queues there are.

CloudEvents 1.0 in binary mode, in the binding for RabbitMQ: attributes travel as headers, the body is the event's
JSON (https://github.com/knative-extensions/eventing-rabbitmq/blob/main/cloudevents-protocol-spec/spec.md). One
exchange a speaker (nameko's convention, so that any nameko service can listen too); the routing key is the
event's wire name. A failed event waits in a queue for the delay of its attempt, and comes back to the queue that
its routing key names; after the last attempt it rests in ``<queue>.dead`` with its error. Both ways lead over
exchanges of the service's own, to which only its own queues are bound: what a service may publish there reaches
nobody else, whatever routing key or CC header it writes.
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

ID, TYPE, TIME, REQUEST_ID = "ce-id", "ce-type", "ce-time", "ce-requestid"
# as version 0.1 wrote them: read for one release
OLD_ATTRIBUTES = {name: f"cloudEvents:{name[3:]}" for name in (ID, TYPE, TIME, REQUEST_ID)}
TYPES = "vn.gov.baohiemxahoi.vssid."  # an event's type is its wire name behind this
ATTEMPT, ERROR, FAILED_AT = "x-attempt", "x-error", "x-failed-at"
OLD_ATTEMPT = "x-round"  # written by version 0.1: read for one release
QUORUM = {"x-queue-type": "quorum"}
# a dead-lettered message is handed on with confirms, so that a broker that dies in between loses none
AT_LEAST_ONCE = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
# of the exchanges that every broker has: calls and replies each need one to themselves, so that who may call may not
# reply, and neither may publish to the default exchange, which reaches every queue there is
CALLS, REPLIES = "amq.topic", "amq.direct"
DELIVERY_LIMIT = 20  # deliveries without an answer after which a message is parked: it kills its process


@dataclass(frozen=True)
class Listener:
    """A method of a service and the event it hears; a retired one gets only what lies in its queue from before."""

    service: str
    method: str
    event: type[Event]
    is_retired: bool = False


@dataclass(frozen=True)
class Binding:
    """How messages of a durable exchange get into a queue."""

    exchange: str
    exchange_type: str
    routing_key: str = ""


@dataclass(frozen=True)
class QueueDeclaration:
    """A durable queue of a service, where its messages come from, and where they came from before this version."""

    service: str
    name: str
    arguments: dict[str, Any]
    bindings: tuple[Binding, ...]
    former_bindings: tuple[Binding, ...] = ()


def exchange_name(prefix: str, speaker: str) -> str:
    return f"{prefix}{speaker}.events"


def queue_name(prefix: str, service: str, method: str) -> str:
    return f"{prefix}{service}.{method}"


def call_queue_name(prefix: str, service: str) -> str:
    """Return the queue of calls to a service; it is bound to `CALLS` by its own name."""
    return f"{prefix}rpc.{service}"


def reply_queue_name(prefix: str, caller: str) -> str:
    """Return the queue of a caller's replies; it is bound to `REPLIES` by its own name, which nobody can guess."""
    return f"{prefix}rpc.replies.{caller}"


def dead_name(queue: str) -> str:
    return f"{queue}.dead"


def retries_name(prefix: str, service: str) -> str:
    """Return the exchange from which a service's own queues get what failed there."""
    return f"{prefix}{service}.retries"


def waiting_name(prefix: str, service: str, delay: float) -> str:
    """Return the name of a waiting queue, and of the exchange before it."""
    return f"{prefix}{service}.waiting.{int(delay * 1000)}ms"


def event_queues(settings: Settings, listeners: Iterable[Listener]) -> list[QueueDeclaration]:
    """Return every queue that events need."""
    prefix, listening = settings.broker_prefix, list(listeners)
    found = [
        _waiting_queue(prefix, service, delay)
        for service in dict.fromkeys(one.service for one in listening)
        for delay in settings.delays
    ]
    for one in listening:
        found += _listener_queues(prefix, one)
    return found


def volume_name(prefix: str, service: str) -> str:
    """Return the exchange by which the relay of an outbox knows a broker again; nothing is published to it."""
    return f"{prefix}relay.{service}"


def with_dead_queue(queues: Iterable[QueueDeclaration]) -> list[str]:
    """Return the names of the listeners' queues among these."""
    names = [queue.name for queue in queues]
    return [name for name in names if dead_name(name) in names]


def _waiting_queue(prefix: str, service: str, delay: float) -> QueueDeclaration:
    name = waiting_name(prefix, service, delay)
    expiry = {"x-message-ttl": int(delay * 1000), "x-dead-letter-exchange": retries_name(prefix, service)}
    return QueueDeclaration(service, name, {**QUORUM, **expiry, **AT_LEAST_ONCE}, (Binding(name, "fanout"),))


def _listener_queues(prefix: str, listener: Listener) -> list[QueueDeclaration]:
    """Return a listener's dead queue, and its queue, bound to the speaker's exchange."""
    service, queue = listener.service, queue_name(prefix, listener.service, listener.method)
    dead, retries = dead_name(queue), retries_name(prefix, service)
    parked = {"x-delivery-limit": DELIVERY_LIMIT, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    announced = (Binding(exchange_name(prefix, listener.event.speaker), "topic", listener.event.name),)
    again = (Binding(retries, "direct", queue),)
    return [
        # not a quorum queue: RabbitMQ 4 drops a message of those after twenty deliveries, and each look is one
        QueueDeclaration(service, dead, {"x-queue-type": "classic"}, (Binding(retries, "direct", dead),)),
        QueueDeclaration(
            service,
            queue,
            {**QUORUM, **parked, **AT_LEAST_ONCE},
            again if listener.is_retired else announced + again,
            former_bindings=announced if listener.is_retired else (),
        ),
    ]


def headers_of(row: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    """Return the CloudEvents attributes of an outbox row; the source is a service of this deployment."""
    return {
        "ce-specversion": "1.0",
        ID: row["id"],
        TYPE: TYPES + row["type"],
        "ce-source": f"{settings.public}/{row['aggregatetype']}",
        "ce-subject": row["aggregateid"],
        TIME: row["created_at"].isoformat(),
        REQUEST_ID: row["request_id"],
    }


def attribute(headers: Mapping[str, Any], name: str) -> Any:
    """Return a CloudEvents attribute of a message, None where it has none: it may be somebody else's."""
    return headers.get(name, headers.get(OLD_ATTRIBUTES[name]))


def event_name(headers: Mapping[str, Any]) -> str:
    """Return an event's wire name as its type has it, with or without the prefix."""
    return str(attribute(headers, TYPE) or "?").removeprefix(TYPES)


def without_broker_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers without what brokers and failures added on the way (x-death and its like)."""
    return {name: value for name, value in headers.items() if not name.startswith("x-")}


def attempt_of(headers: Mapping[str, Any]) -> int:
    """Return how many attempts at this message have failed; what is no number counts as none."""
    try:
        return max(0, int(headers.get(ATTEMPT, headers.get(OLD_ATTEMPT, 0))))
    except (TypeError, ValueError):  # somebody else wrote it
        return 0


def error_summary(error: BaseException) -> str:
    """Return what failed and where, without values: the text of a foreign error may quote a person's data."""
    what = f"{type(error).__name__}: {error}" if isinstance(error, Problem) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return (what + where)[:500]


def failure_headers(attempt: int, error: BaseException, at: datetime) -> dict[str, Any]:
    """Return what a failed message carries: its attempts so far, the error, and when it failed."""
    return {ATTEMPT: attempt, ERROR: error_summary(error), FAILED_AT: at.isoformat()}


def retry_target(settings: Settings, service: str, queue: str, attempt: int) -> tuple[str, str]:
    """Return exchange and routing key for a message whose attempts so far (this one not counted) are ``attempt``."""
    prefix = settings.broker_prefix
    if attempt < len(settings.delays):
        return waiting_name(prefix, service, settings.delays[attempt]), queue
    return retries_name(prefix, service), dead_name(queue)
