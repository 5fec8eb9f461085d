"""Timers: several instances may run the same one; they share the work by locking the rows they take."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import eventlet
from nameko.timer import Timer

from shared import logs
from shared.language.errors import Unavailable, reason_of

log = logs.log(__name__)
Method = TypeVar("Method", bound=Callable[..., Any])


class Every(Timer):
    """Runs a method again and again, ``timer_seconds`` of the settings apart, or the seconds given."""

    def __init__(self, seconds: float | None = None) -> None:
        super().__init__(interval=0, eager=True)
        self.seconds = seconds

    def setup(self) -> None:
        self.interval = self.seconds or self.container.config["SETTINGS"].timer_seconds

    def _run(self) -> None:
        # nameko's own loop goes by the wall clock: put forward, that makes it race; put back, it stands still
        while True:
            self.handle_timer_tick()
            self.worker_complete.wait()
            self.worker_complete.reset()
            with eventlet.Timeout(self.interval, False):
                self.should_stop.wait()
                return

    def handle_result(self, worker_ctx: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
        error = exc_info[1] if exc_info else None
        if isinstance(error, Unavailable):
            dependency = error.details.get("dependency")
            log.warning("timer_waits", timer=self.method_name, dependency=dependency, reason=reason_of(error))
        elif error is not None:
            log.error("timer_failed", timer=self.method_name, exc_info=exc_info)
        super().handle_result(worker_ctx, result, exc_info)
        return result, exc_info


def every(seconds: float | None = None) -> Callable[[Method], Method]:
    """Run a method again and again, ``seconds`` apart, or as far as the settings say."""
    return cast(Any, Every.decorator(seconds))
