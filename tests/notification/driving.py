"""How tests drive the notification service: its timer, and its workers until they are idle."""

import time

from shared.language.clock import utc_now
from tests.support.facts import account_activated

PASSWORD = "ABCDE23456"


def send_until(service, enough, seconds=10.0):
    """Run the timer again and again until ``enough`` returns true."""
    until = time.monotonic() + seconds
    while not enough():
        assert time.monotonic() < until, "it never was enough"
        service.send_messages()
        service.workers.wait_idle()
        time.sleep(0.02)


def settled(rows, channel="sms"):
    """Return a function that says whether every message of a channel is settled."""
    return lambda: all(one.done_at is not None for one in rows(channel))


def account_activated_sealed(service, **changes):
    return account_activated(sealed_password=service.seal.close(PASSWORD), at=utc_now(), **changes)
