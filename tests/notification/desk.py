"""How tests work the notification desk: its timer by hand, its hands until they rest."""

import time

from shared.language.clock import utc_now
from tests.support.facts import account_activated

PASSWORD = "ABCDE23456"


def rounds(desk, enough, seconds=10.0):
    """Let the timer look again and again until it is enough."""
    until = time.monotonic() + seconds
    while not enough():
        assert time.monotonic() < until, "it never was enough"
        desk.send_messages()
        for pool in desk.crew._pools.values():
            pool.waitall()
        time.sleep(0.02)


def over(rows, channel="sms"):
    return lambda: all(one.done_at is not None for one in rows(channel))


def quiet(desk):
    for pool in desk.crew._pools.values():
        pool.waitall()


def sealed(desk, **changes):
    return account_activated(sealed_password=desk.seal.close(PASSWORD), at=utc_now(), **changes)
