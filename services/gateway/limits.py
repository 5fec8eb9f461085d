"""Rate limits, counted by the limits package, in memory or in a store that gateways share."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from limits import RateLimitItem, parse
from limits.errors import ConfigurationError, StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from shared import logs, metrics
from shared.framework.providers import in_time
from shared.language.errors import TooMany
from shared.settings import Settings, SettingsError

REQUEST_LIMITS = ("reading", "uploading", "signing_in", "hooks")  # each a setting, LIMIT_READING and so on
STORE_SECONDS = 0.08  # a request waits no longer for the store
RETRY_SECONDS = 3.0  # a store that did not answer is left alone for so long

Result = TypeVar("Result")

log = logs.log(__name__)


class StoreSilent(Exception):
    """The store did not answer in time."""


class RateLimits:
    """Limits of requests by address; RATE_LIMITS=off lifts them for load and acceptance runs.

    While a shared store does not answer, this process counts by itself.
    What must hold whatever the setting is counted by the services themselves: declarations of a phone, passwords.
    """

    def __init__(self, settings: Settings) -> None:
        self._off = not settings.limits_addresses
        self._limits = {name: parse(getattr(settings, f"limit_{name}")) for name in REQUEST_LIMITS}
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = None if self._off else shared_limiter(settings)
        self._away = False
        self._retry_at = 0.0

    def count(self, name: str, who: str) -> None:
        """Count one request.

        Raises:
            TooMany: with the seconds until the next request is allowed.
        """
        if self._off:
            return
        act = partial(seconds_to_wait, self._limits[name], name, who)
        wait = self._ask_store(act)
        if wait is None:
            wait = act(self._own)
        if wait:
            metrics.TURNED_AWAY.labels("limit").inc()
            raise TooMany(retry_after=wait)

    def states(self) -> Mapping[str, str]:
        """Return how the shared store is, if there is one: ok, or degraded while this process counts by itself."""
        if self._shared is None:
            return {}
        self._ask_store(check)
        return {"rate_limit_store": "degraded" if self._away else "ok"}

    def _ask_store(self, act: Callable[[FixedWindowRateLimiter], Result]) -> Result | None:
        """Do something with the shared store; return None where there is none, or it is away."""
        if self._shared is None or time.monotonic() < self._retry_at:
            return None
        if self._away:
            self._retry_at = time.monotonic() + RETRY_SECONDS  # one request asks, the others do not wait with it
        try:
            result = in_time(STORE_SECONDS, StoreSilent(), act, self._shared)
        except (StorageError, StoreSilent, OSError) as error:
            self._note_lost(error)
            return None
        self._note_back()
        return result

    def _note_lost(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        metrics.RATE_LIMIT_STORE_AWAY.set(1)
        if not self._away:
            cause = error.storage_error if isinstance(error, StorageError) else error
            log.warning("rate_limit_store_lost", error=type(cause).__name__)
        self._away = True

    def _note_back(self) -> None:
        if not self._away:
            return
        self._away, self._retry_at = False, 0.0
        metrics.RATE_LIMIT_STORE_AWAY.set(0)
        log.info("rate_limit_store_back")


def shared_limiter(settings: Settings) -> FixedWindowRateLimiter | None:
    """Return the limiter that gateways share, or None where each counts in its own memory."""
    if settings.rate_limit_store.startswith("memory:"):
        return None
    try:
        return FixedWindowRateLimiter(storage_from_string(settings.rate_limit_store, wrap_exceptions=True))
    except ConfigurationError as error:
        raise SettingsError(f"RATE_LIMIT_STORE is not usable: {error}") from None


def seconds_to_wait(limit: RateLimitItem, name: str, who: str, limiter: FixedWindowRateLimiter) -> float:
    """Count one request; return the seconds until the next is allowed, or 0 where this one is."""
    if limiter.hit(limit, name, who):
        return 0
    return max(1.0, limiter.get_window_stats(limit, name, who).reset_time - time.time())


def check(limiter: FixedWindowRateLimiter) -> None:
    """Raise StoreSilent where the store does not answer."""
    if not limiter.storage.check():
        raise StoreSilent
