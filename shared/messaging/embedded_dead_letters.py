"""Dead events of the embedded system: rows in its broker's file."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared.language.clock import utc_now
from shared.messaging import embedded, topology
from shared.messaging.dead_letters import Chosen, DeadEvent, failed_at
from shared.messaging.embedded import deliveries
from shared.settings import Settings


class EmbeddedDeadLetters:
    """The dead events in the embedded broker's file."""

    def __init__(self, settings: Settings) -> None:
        self._file = embedded.open_file(settings)

    def all(self) -> list[DeadEvent]:
        return [event for _, event in self._events()]

    def _events(self) -> list[tuple[int, DeadEvent]]:
        with self._file.begin() as session:
            rows = session.execute(sa.select(deliveries).where(deliveries.c.dead)).mappings().all()
        return [(row["position"], _dead_event(row)) for row in rows]

    def counts(self) -> dict[str, tuple[int, datetime | None]]:
        found: dict[str, tuple[int, datetime | None]] = {}
        for event in self.all():
            count, oldest = found.get(event.queue, (0, failed_at(event.headers)))
            found[event.queue] = count + 1, oldest
        return found

    def replay(self, chosen: Chosen) -> int:
        return self._change(chosen, sa.update(deliveries).values(dead=False, attempt=0, due_at=utc_now()))

    def drop(self, chosen: Chosen) -> int:
        return self._change(chosen, sa.delete(deliveries))

    def _change(self, chosen: Chosen, change: Any) -> int:
        positions = [position for position, event in self._events() if chosen(event)]
        with self._file.begin() as session:
            for position in positions:
                session.execute(change.where(deliveries.c.position == position, deliveries.c.dead))
        return len(positions)


def _dead_event(row: Any) -> DeadEvent:
    event_id = str(topology.attribute(row["headers"], topology.ID))
    return DeadEvent(event_id, row["queue"], row["headers"], row["body"])
