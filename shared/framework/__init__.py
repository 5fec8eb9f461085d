"""All we know about nameko: what a desk is made of. No rule and no handler imports this."""

from shared.framework.consumers import listen
from shared.framework.http import Answer, route
from shared.framework.providers import Client, Database, Files, GreenStore, Sealed, Setting, in_thread, in_time
from shared.framework.rpc import Remote, rpc
from shared.framework.service import Desk, Operations, configuration
from shared.framework.timers import every

__all__ = [
    "Answer",
    "Client",
    "Database",
    "Desk",
    "Files",
    "GreenStore",
    "Operations",
    "Remote",
    "Sealed",
    "Setting",
    "configuration",
    "every",
    "in_thread",
    "in_time",
    "listen",
    "route",
    "rpc",
]
