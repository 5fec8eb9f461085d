"""Brings a service's database up to date, creating the database first where it is missing."""

import time
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from shared.settings import Settings
from shared.storage.database import checked
from shared.storage.roles import owned_by_its_service, role_of

HERE = Path(__file__).parent
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code where `lock_timeout` is over
LOCK_WAITS = (1.0, 2.0, *[5.0] * 24)  # seconds before each further try: two minutes


def configuration(service: str, url: str, metadata: sa.MetaData) -> Config:
    """Return Alembic's configuration for one service: our one env.py, the service's own versions."""
    config = Config()
    config.set_main_option("path_separator", "newline")  # a folder may have a space in its name
    config.set_main_option("script_location", str(HERE / "alembic"))
    config.set_main_option("version_locations", str(HERE.parents[1] / "services" / service / "migrations"))
    config.attributes["url"] = url
    config.attributes["metadata"] = metadata
    return config


def upgrade(service: str, metadata: sa.MetaData, settings: Settings) -> bool:
    """Create the service's database, and its role, if they are missing, and bring it to the newest revision.

    A database of the next version is left as it is, for this version runs on it: that is the way back. Returns whether
    it was one.
    """
    url = settings.database(service)
    if settings.database_url:
        create_database(checked(url))
    config = configuration(service, url, metadata)
    config.attributes["role"] = role_of(service, settings)
    with owned_by_its_service(service, settings):
        if is_newer := _is_newer(config):
            return is_newer
        _upgrade(config)
    return False


def _upgrade(config: Config) -> None:
    """Run the migrations; where somebody reads a table for long, wait in between and let others to the table."""
    for seconds in (*LOCK_WAITS, None):
        try:
            command.upgrade(config, "head")
            return
        except sa.exc.OperationalError as error:
            if seconds is None or getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
                raise
            time.sleep(seconds)


def _is_newer(config: Config) -> bool:
    """Say whether a newer version has migrated the database, to a revision of a higher number than ours."""
    newest = ScriptDirectory.from_config(config).get_current_head()
    assert newest is not None
    engine = sa.create_engine(config.attributes["url"])
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return current is not None and current > newest


def create_database(target: sa.URL) -> None:
    """Create a PostgreSQL database that does not exist yet; several may try at once."""
    engine = sa.create_engine(target.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        known = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.execute(known, {"name": target.database}).first() is None:
            try:
                connection.execute(sa.text(f"CREATE DATABASE \"{target.database}\" ENCODING 'UTF8' TEMPLATE template0"))
            except sa.exc.DBAPIError as error:
                if "already exists" not in str(error):
                    raise
    engine.dispose()
