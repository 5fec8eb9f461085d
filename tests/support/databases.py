"""A service's real database for a test, made by its migrations, and a look into its outbox."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import sqlalchemy as sa

from shared.language.events import Event
from shared.messaging import codec
from shared.settings import Settings
from shared.storage import migrate
from shared.storage.database import Database


@contextmanager
def service_database(service: str, settings: Settings) -> Iterator[Database]:
    """Migrate and open the database of a service."""
    metadata = import_module(f"services.{service}.models").metadata
    migrate.upgrade(service, metadata, settings)
    database = Database(metadata, settings.database(service), settings)
    yield database
    database.engine.dispose()


def announced(database: Database) -> list[Event]:
    """Return the events in the outbox, in the order in which they were announced."""
    assert database.outbox is not None
    with database.begin() as session:
        rows = session.execute(sa.select(database.outbox).order_by(database.outbox.c.position)).all()
    return [codec.decode(row.type, row.payload) for row in rows]
