"""`vssid` where a person must be forgotten within seconds instead of a day, so that a test can see it happen."""

import os
from datetime import timedelta

from services.notification.domain import retry
from shared.language import retention
from vssid import command

VARIABLE = "ERASED_WITHIN_SECONDS"


def main() -> None:
    """Shorten the times, before anything that uses them is loaded, and run the command."""
    seconds = float(os.environ[VARIABLE])
    retention.ERASED_WITHIN = timedelta(seconds=seconds)
    retention.ANNOUNCED_LIFETIME = timedelta(seconds=seconds / 2)
    retry.ENDED_LIFETIME = timedelta(seconds=seconds / 2)
    command.main()


if __name__ == "__main__":
    main()
