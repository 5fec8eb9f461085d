"""How an event looks on the wire: CloudEvents 1.0 in binary mode over AMQP, and the names of queues.

Attributes travel as headers, the body is the event's JSON. One exchange a speaker (nameko's convention, so
that any nameko service can listen too), the routing key is the event's wire name.
"""

import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.language.errors import Problem
from shared.settings import Settings

NO_TIME = datetime(2020, 11, 16, tzinfo=UTC)  # where only the names of the attributes are wanted
ID = "cloudEvents:id"
REQUEST_ID = "cloudEvents:requestid"
QUORUM = {"x-queue-type": "quorum"}
# a dead-lettered message is handed on with confirms, so that a broker that dies in between loses none
SAFELY = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


def exchange_name(prefix: str, speaker: str) -> str:
    return f"{prefix}{speaker}.events"


def queue_name(prefix: str, desk: str, method: str) -> str:
    return f"{prefix}{desk}.{method}"


def dead_name(queue: str) -> str:
    return f"{queue}.dead"


def waiting_name(prefix: str, delay: float) -> str:
    return f"{prefix}waiting.{int(delay * 1000)}ms"


def headers_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the CloudEvents attributes of an outbox row."""
    return {
        "cloudEvents:specversion": "1.0",
        ID: row["id"],
        "cloudEvents:type": row["type"],
        "cloudEvents:source": f"/{row['aggregatetype']}",
        "cloudEvents:subject": row["aggregateid"],
        "cloudEvents:time": row["created_at"].isoformat(),
        REQUEST_ID: row["request_id"],
    }


def plain(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers without what brokers add on the way (x-death and its like)."""
    return {name: value for name, value in headers.items() if not name.startswith("x-")}


def described(error: BaseException) -> str:
    """Return what failed and where, without values: the text of a foreign error may quote a person's data."""
    what = f"{type(error).__name__}: {error}" if isinstance(error, Problem) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return (what + where)[:500]


def failure_headers(round_: int, error: BaseException, at: datetime) -> dict[str, Any]:
    """Return what a failed message carries: its round, the error, and when it failed."""
    return {
        "x-round": round_,
        "x-error": described(error),
        "x-failed-at": at.isoformat(),
    }


def next_stop(
    settings: Settings, queue: str, round_: int, error: BaseException, at: datetime
) -> tuple[str, str, dict[str, Any]]:
    """Say where a message goes that failed in this round: exchange, routing key, and headers to add."""
    more = failure_headers(round_ + 1, error, at)
    if round_ < len(settings.delays):
        return waiting_name(settings.broker_prefix, settings.delays[round_]), queue, more
    return "", dead_name(queue), more
