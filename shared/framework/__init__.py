"""All we know about nameko: what a desk is made of. No rule and no handler imports this."""

from shared.framework.calling import Remote, rpc
from shared.framework.desk import Desk, Operations, configuration
from shared.framework.listening import listen
from shared.framework.providers import Client, Crew, Database, Files, GreenStore, Sealed, Setting, in_thread, in_time
from shared.framework.serving import Answer, route
from shared.framework.timing import every

__all__ = [
    "Answer",
    "Client",
    "Crew",
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
