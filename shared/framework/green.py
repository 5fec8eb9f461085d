"""Makes the standard library green. `patch` comes before anything else is imported."""

import os
import warnings

# Read when eventlet is imported. Its own resolver takes 19 MB and reads the system's files in its own way:
# the system's resolver runs in a real thread instead. Twenty threads of pictures would take gigabytes.
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
os.environ.setdefault("EVENTLET_THREADPOOL_SIZE", "6")
warnings.filterwarnings("ignore", message="(?s).*Eventlet is deprecated.*")

import eventlet
import eventlet.green.socket
from eventlet import patcher, tpool

_resolve = patcher.original("socket").getaddrinfo


def getaddrinfo(*arguments: object, **named: object) -> object:
    """Look a host up in a real thread: a slow name server holds up nobody else."""
    return tpool.execute(_resolve, *arguments, **named)


def patch() -> None:
    """Replace what blocks in the standard library and psycopg2 by what waits for green threads."""
    eventlet.green.socket.getaddrinfo = getaddrinfo
    eventlet.monkey_patch()
