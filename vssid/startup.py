"""What services need before they start: their databases, the starter lists, the keys of the embedded system."""

import importlib
import importlib.util
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from services import SERVICES
from shared import logs
from shared.operations import States, wsgi_application
from shared.settings import Settings, cannot_listen

# which methods hear which events, for those who have to name the queues and load none of the services: `make docs`
LISTENERS = Path(__file__).with_name("listeners.json")

if TYPE_CHECKING:
    from shared.messaging.permissions import Permissions
    from shared.messaging.topology import Listener, QueueDeclaration

WRITTEN = ("*.db", "*.db-wal", "*.db-shm", "*.key", "vssid.log", "store", "outbox")  # under VAR_DIR, by this system

# the services with a database of their own, and with it an outbox
STATEFUL = tuple(name for name in SERVICES if importlib.util.find_spec(f"services.{name}.models"))


def migrate(settings: Settings) -> list[str]:
    """Bring every service's database up to date, the list of agencies with it, and declare the queues of events.

    Returns the services whose databases a newer version has migrated; their tables stay as they are.
    """
    # here, so that services and relay, which use the rest of this file, do not load alembic and other services
    from services.registration.commands import keep_starter_list
    from shared.storage import migrate as migrations
    from shared.storage.roles import check_roles

    check_roles(settings, STATEFUL)
    close_files(settings)
    newer = [
        service
        for service in STATEFUL
        if migrations.upgrade(service, importlib.import_module(f"services.{service}.models").metadata, settings)
    ]
    keep_starter_list()
    if not settings.embedded:
        from shared.messaging.declarations import declare_on_broker

        declare_on_broker(settings, event_queues(settings))
    return newer


def close_files(settings: Settings) -> None:
    """Take from others what they may read of an older run, which left files as open as its umask was."""
    for path in _written(settings.folder):
        with suppress(FileNotFoundError):  # deleted meanwhile
            found = path.lstat()
            wanted = 0o700 if stat.S_ISDIR(found.st_mode) else 0o600
            is_ours = found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode)
            if is_ours and stat.S_IMODE(found.st_mode) != wanted:
                path.chmod(wanted)


def _written(folder: Path) -> Iterator[Path]:
    for pattern in WRITTEN:
        for path in folder.glob(pattern):
            yield path
            yield from path.rglob("*")


def event_queues(settings: Settings) -> "list[QueueDeclaration]":
    """Return every queue that the events of all services need."""
    from shared.messaging import topology

    return topology.event_queues(settings, listeners())


def listener_queues(prefix: str) -> list[str]:
    """Return the names of the queues of all listeners."""
    from shared.messaging import topology

    return [topology.queue_name(prefix, one.service, one.method) for one in listeners()]


def listeners() -> "list[Listener]":
    """Return every event consumer of all services."""
    from shared.language.events import EVENTS
    from shared.messaging.topology import Listener

    rows = json.loads(LISTENERS.read_text("utf-8"))
    return [Listener(**{**row, "event": EVENTS[row["event"]]}) for row in rows]


def written(listener: "Listener") -> dict[str, Any]:
    """Return an event consumer as `LISTENERS` has it."""
    return {**vars(listener), "event": listener.event.name}


def broker_permissions(settings: Settings) -> "dict[str, Permissions]":
    """Return what each process may do on RabbitMQ."""
    from shared.messaging.permissions import permissions
    from vssid.documents.entrypoints import answering, calling

    return permissions(settings, listeners(), answering(), calling())


def service_class(name: str) -> Any:
    """Return the nameko class of a service."""
    return getattr(importlib.import_module(f"services.{name}.service"), name.capitalize())


def databases(runner: Any) -> list[Any]:
    """Return the databases that the services of a runner have opened: the embedded broker shares them."""
    containers = (runner.service_map[name] for name in STATEFUL)
    return [one.database for container in containers for one in container.dependencies if one.attr_name == "database"]


def with_keys(settings: Settings) -> Settings:
    """Return the settings with keys; those of the embedded system are made once and kept beside its data."""
    from shared.storage.seals import kept_key  # only the embedded system needs it

    return replace(
        settings,
        seal_key=settings.seal_key or kept_key(settings.folder / "seal.key"),
        link_key=settings.link_key or kept_key(settings.folder / "link.key"),
        officer_key=settings.officer_key or kept_key(settings.folder / "officer.key"),
        journal_key=settings.journal_key or kept_key(settings.folder / "journal.key"),
    )


def serve_operations(settings: Settings, states: States) -> None:
    """Answer operators for a process that is no service, in a thread of its own."""
    host, port = settings.http_host, settings.http_port
    try:
        server = make_server(host, port, wsgi_application(states), Threaded, Silent)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    threading.Thread(target=server.serve_forever, daemon=True, name="operations").start()


class Threaded(ThreadingMixIn, WSGIServer):
    """Counting the outboxes waits for a database that hangs; requests for health meanwhile are answered."""

    daemon_threads = True


class Silent(WSGIRequestHandler):
    """A probe every few seconds is not worth a line."""

    def log_message(self, *_: Any) -> None:
        logs.log(__name__).debug("operations_asked")
