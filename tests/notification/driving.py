"""How tests drive the notification service: its timer, and its workers until they are idle."""

from datetime import timedelta

from shared.language.clock import utc_now
from tests.support.events import account_activated, declaration_acknowledged
from tests.support.waiting import until

PASSWORD = "ABCDE23456"


def send_until(service, enough):
    """Run the timer again and again until ``enough`` returns true."""
    until(lambda: enough() or send(service), "what the messages lead to", pause=0.02)


def send(service):
    """Run the timer once, and wait for what it started."""
    service.send_messages()
    service.workers.wait_idle()


def settled(rows, channel="sms"):
    """Return a function that says whether every message of a channel is settled."""
    return lambda: all(one.done_at is not None for one in rows(channel))


def submitted_now(**changes):
    """Return the event of a declaration submitted just now: of one whose time is over nobody is told."""
    now = utc_now()
    return declaration_acknowledged(at=now, expires_at=now + timedelta(days=10), **changes)


def account_activated_sealed(service, **changes):
    return account_activated(sealed_password=service.seal.close(PASSWORD), at=utc_now(), **changes)
