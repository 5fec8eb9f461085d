"""A desk's real database for a test, made by its migrations, and a look into its outbox."""

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
def desk_database(desk: str, settings: Settings) -> Iterator[Database]:
    """Migrate and open the database of a desk."""
    metadata = import_module(f"services.{desk}.models").metadata
    migrate.upgrade(desk, metadata, settings)
    database = Database(metadata, settings.database(desk), settings)
    yield database
    database.engine.dispose()


def announced(database: Database) -> list[Event]:
    """Return what lies in the outbox, in its order."""
    assert database.outbox is not None
    with database.begin() as session:
        rows = session.execute(sa.select(database.outbox).order_by(database.outbox.c.position)).all()
    return [codec.decode(row.type, row.payload) for row in rows]
