"""Every service's migrations make the tables that its models describe, and are numbered one after the other."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from shared.storage import migrate
from vssid.startup import STATEFUL

SERVICES = Path(import_module("services").__file__).parent
NUMBERED = re.compile(r"(\d{4})_[a-z_]+\.py")
UPGRADE = (
    "from services.cards import models; from shared.storage import migrate; from shared import settings;"
    "migrate.upgrade('cards', models.metadata, settings.read())"
)

every_service = pytest.mark.parametrize("service", STATEFUL)


@pytest.fixture(params=["settings", "postgresql_settings"], ids=["sqlite", "postgresql"])
def either(request):
    """Settings that name SQLite, then settings that name PostgreSQL."""
    return request.getfixturevalue(request.param)


def metadata_of(service):
    return import_module(f"services.{service}.models").metadata


def migrated(service, settings):
    migrate.upgrade(service, metadata_of(service), settings)
    return sa.create_engine(settings.database(service))


def described(service, settings):
    """The same service's tables made from its models, in a database beside."""
    engine = sa.create_engine(settings.database("described"))
    if settings.database_url:
        migrate.create_database(sa.make_url(settings.database("described")))
    metadata_of(service).create_all(engine)
    return engine


def shape(engine):
    """Return everything a database says about its tables, the partial indexes' conditions included."""
    inspector = sa.inspect(engine)
    tables = set(inspector.get_table_names()) - {"alembic_version"}
    found = {table: table_shape(inspector, table, engine.dialect) for table in tables}
    engine.dispose()
    return found


def table_shape(inspector, table, dialect):
    """Indexes of kinds that SQLite does not know (gin) stand in migrations alone and are left out."""
    return {
        "columns": {
            column["name"]: (column["type"].compile(dialect), column["nullable"], column["default"])
            for column in inspector.get_columns(table)
        },
        "primary key": inspector.get_pk_constraint(table),
        "unique": by_name(inspector.get_unique_constraints(table)),
        "indexes": {
            index["name"]: (index["column_names"], index["unique"], conditions(index))
            for index in inspector.get_indexes(table)
            if index.get("dialect_options", {}).get("postgresql_using", "btree") == "btree"
        },
        "foreign keys": by_name(inspector.get_foreign_keys(table)),
        "checks": by_name(inspector.get_check_constraints(table)),
    }


def by_name(things):
    return {thing["name"]: thing for thing in things}


def conditions(index):
    return {name: str(value) for name, value in index.get("dialect_options", {}).items() if name.endswith("_where")}


@every_service
def test_the_migrations_make_the_tables_that_the_models_describe(service, either):
    assert shape(migrated(service, either)) == shape(described(service, either))


@every_service
def test_the_migrations_can_be_undone(service, either):
    engine = migrated(service, either)
    command.downgrade(migrate.configuration(service, either.database(service), metadata_of(service)), "base")
    assert shape(engine) == {}


@every_service
def test_migration_files_are_numbered_in_the_order_they_run(service):
    files = sorted(path.name for path in (SERVICES / service / "migrations").glob("*.py"))
    numbers = [NUMBERED.fullmatch(name)[1] for name in files if NUMBERED.fullmatch(name)]
    assert numbers == [f"{count:04d}" for count in range(1, len(files) + 1)], files
    script = ScriptDirectory.from_config(migrate.configuration(service, "", metadata_of(service)))
    assert [one.revision for one in script.walk_revisions()] == numbers[::-1]


def test_several_may_migrate_at_once(postgresql_settings):
    environment = {**os.environ, "DATABASE_URL": postgresql_settings.database_url}
    runners = [
        subprocess.Popen([sys.executable, "-c", UPGRADE], env=environment, stderr=subprocess.PIPE, cwd=SERVICES.parent)
        for _ in range(3)
    ]
    errors = [runner.communicate(timeout=60)[1].decode() for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0, 0], errors


@every_service
def test_a_position_of_the_outbox_is_given_once(service, settings):
    """Whoever deletes what was carried names positions: a new row must not have that of an old one."""
    outbox = metadata_of(service).tables["outbox"]
    row = {column.name: "x" for column in outbox.c if column.name not in ("position", "created_at")}
    row |= {"created_at": datetime(2026, 8, 3, tzinfo=UTC)}
    engine, given = migrated(service, settings), []
    for _ in range(3):
        with engine.begin() as connection:
            given.append(connection.execute(sa.insert(outbox).returning(outbox.c.position), row).scalar_one())
            connection.execute(sa.delete(outbox))
    engine.dispose()
    assert given == [1, 2, 3]
