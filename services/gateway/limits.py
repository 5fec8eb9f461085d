"""Rate limits, counted by the limits package, in memory or in a store that gateways share."""

import time

from limits import parse
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from shared import metrics
from shared.language.errors import TooMany
from shared.settings import Settings, SettingsError

REQUEST_LIMITS = ("reading", "uploading", "signing_in", "hooks")  # each a setting, LIMIT_READING and so on


class RateLimits:
    """Limits of requests by address; RATE_LIMITS=off lifts them for load and acceptance runs.

    What must hold whatever the setting is counted by the services themselves: declarations of a phone, passwords.
    """

    def __init__(self, settings: Settings) -> None:
        self._off = not settings.limits_addresses
        try:
            self._limiter = FixedWindowRateLimiter(storage_from_string(settings.rate_limit_store))
        except ConfigurationError as error:
            raise SettingsError(f"RATE_LIMIT_STORE is not usable: {error}") from None
        self._limits = {name: parse(getattr(settings, f"limit_{name}")) for name in REQUEST_LIMITS}

    def count(self, name: str, who: str) -> None:
        """Count one request.

        Raises:
            TooMany: with the seconds until the next request is allowed.
        """
        if self._off or self._limiter.hit(self._limits[name], name, who):
            return
        metrics.TURNED_AWAY.labels("limit").inc()
        reset = self._limiter.get_window_stats(self._limits[name], name, who).reset_time
        raise TooMany(retry_after=max(1.0, reset - time.time()))
