"""Listening to events: a method is run for each, at least once; the broker retries what fails and parks it at last."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from nameko.extensions import Entrypoint

from shared import logs, metrics
from shared.framework.broker import BrokerExtension, Settle
from shared.language.errors import Unavailable, reason_of
from shared.language.events import Event
from shared.messaging import codec, topology

log = logs.log(__name__)
Kind = TypeVar("Kind", bound=Event)
Self = TypeVar("Self")


class EventConsumer(Entrypoint):
    """Runs a method for each event of a kind; the method is called ``on_<event>``, which names its queue.

    A retired one hears what its queue got from older versions, and nothing new: what is announced now carries more
    than its service needs.
    """

    access = BrokerExtension()

    def __init__(self, event: type[Event], *, is_retired: bool = False) -> None:
        self.event, self.is_retired = event, is_retired
        super().__init__()

    def setup(self) -> None:
        prefix = self.container.config["SETTINGS"].broker_prefix
        self.queue = topology.queue_name(prefix, self.container.service_name, self.method_name)
        self.access.broker.subscribe(self.queue, None if self.is_retired else self.event, self.handle)

    def stop(self) -> None:
        self.access.broker.drain()

    def handle(self, body: Any, headers: Mapping[str, Any], settle: Settle) -> None:
        """Run the method with the event in ``body``; ``settle`` gets the error, or None."""
        try:
            event = codec.decode(self.event.name, body)
        except Exception as error:
            summary = topology.error_summary(error)
            log.error(
                "event_unreadable", queue=self.queue, event_id=topology.attribute(headers, topology.ID), error=summary
            )
            metrics.EVENTS.labels(self.queue, "unreadable").inc()
            settle(error)
            return
        context = {
            "request_id": topology.attribute(headers, topology.REQUEST_ID),
            "event_id": topology.attribute(headers, topology.ID),
        }
        finish = _finisher(self.queue, headers, settle)
        self.container.spawn_worker(self, (event,), {}, context_data=context, handle_result=finish)


def _finisher(queue: str, headers: Mapping[str, Any], settle: Settle) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    def finish(worker: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
        error = exc_info[1] if exc_info else None
        event_id = topology.attribute(headers, topology.ID)
        if isinstance(error, Unavailable):
            dependency = error.details.get("dependency")
            log.warning("event_waits", queue=queue, event_id=event_id, dependency=dependency, reason=reason_of(error))
        elif error is not None:
            log.error("event_failed", queue=queue, event_id=event_id, exc_info=exc_info)
        metrics.EVENTS.labels(queue, "failed" if error else "done").inc()
        settle(error)
        return result, exc_info

    return finish


def listen(
    event: type[Kind], *, is_retired: bool = False
) -> Callable[[Callable[[Self, Kind], None]], Callable[[Self, Kind], None]]:
    """Run a method for each event of a kind."""
    return cast(Any, EventConsumer.decorator(event, is_retired=is_retired))
