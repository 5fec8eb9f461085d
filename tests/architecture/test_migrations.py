"""Every service's migrations make the tables that its models describe, and are numbered one after the other."""

import ast
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
from tests.architecture.sources import calls
from tests.support import released
from tests.support.waiting import until
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


# Expand, then contract: while an upgrade is under way, and after it is undone, the release before runs on these tables.
# What it needs goes in a migration with `contracts = "X.Y.Z"`, the newest release that no longer needs it.
TAKING = ("drop_table", "drop_column", "rename_table", "drop_constraint")
REFUSING = ("create_unique_constraint", "create_check_constraint", "create_foreign_key", "create_exclude_constraint")

RENAMING = {"new_column_name", "type_"}


def keeps_the_release_before(tree):
    """Yield what in a migration the release before, or a table with many rows, cannot bear."""
    created = {one.args[0].value for name, one in calls(tree) if name == "op.create_table"}
    contracts = [node.value.value for node in tree.body if isinstance(node, ast.Assign) and is_named(node, "contracts")]
    if is_half_in_a_transaction(upgrade_of(tree)):
        yield "autocommit_block: what stands beside it is committed before the revision is, and cannot be run again"
    for name, call in calls(upgrade_of(tree)):
        called = name.removeprefix("op.")
        given = {keyword.arg: getattr(keyword.value, "value", None) for keyword in call.keywords}
        if called in TAKING and contracts != [released.RELEASE]:
            yield f"{called}: the release before needs it"
        elif called in REFUSING and not created & {getattr(one, "value", None) for one in call.args}:
            yield f"{called}: rows of the release before may break it"
        elif called == "alter_column" and (
            given.keys() & {"new_column_name", "type_"} or given.get("nullable") is False
        ):
            yield "alter_column: the release before knows it otherwise"
        elif called == "add_column" and is_demanding(call.args[1]):
            yield "add_column: the release before writes no value"
        elif called == "create_index" and call.args[1].value not in created:
            if given.get("unique"):
                yield "create_index: rows of the release before may break it"
            elif not given.get("postgresql_concurrently"):
                yield "create_index: nobody could write meanwhile"


def upgrade_of(tree):
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "upgrade")
    return function


def is_half_in_a_transaction(function):
    """Return whether a migration has a block without a transaction and anything beside it."""
    blocks = [node for node in function.body if isinstance(node, ast.With)]
    return bool(blocks) and len(function.body) > len(blocks[:1])


def is_named(node, name):
    return [target.id for target in node.targets if isinstance(target, ast.Name)] == [name]


def is_demanding(column):
    """Return whether a column takes no NULL and has no default of the server's."""
    if isinstance(column, ast.Name):
        return False
    given = {keyword.arg: keyword.value for keyword in column.keywords}
    takes_null = getattr(given.get("nullable"), "value", True)
    return not takes_null and "server_default" not in given


@every_service
def test_the_release_before_runs_on_the_tables_of_every_later_migration(service):
    for path in sorted((SERVICES / service / "migrations").glob("*.py")):
        if path.name[:4] > released.NEWEST[service]:
            assert list(keeps_the_release_before(ast.parse(path.read_text("utf-8")))) == [], path


@pytest.mark.parametrize(
    ("upgrade", "fault"),
    [
        ("op.drop_table('a')", "drop_table"),
        ("op.drop_column('a', 'b')", "drop_column"),
        ("op.rename_table('a', 'b')", "rename_table"),
        ("op.drop_constraint('a', 'b')", "drop_constraint"),
        ("op.alter_column('a', 'b', new_column_name='c')", "alter_column"),
        ("op.alter_column('a', 'b', type_=sa.Text())", "alter_column"),
        ("op.alter_column('a', 'b', nullable=False)", "alter_column"),
        ("op.add_column('a', sa.Column('b', sa.Text, nullable=False))", "add_column"),
        ("op.create_index('ix_a', 'a', ['b'])", "create_index"),
        ("op.create_index('ix_a', 'a', ['b'], unique=True, postgresql_concurrently=True)", "create_index"),
        ("op.create_unique_constraint('uq_a', 'a', ['b'])", "create_unique_constraint"),
        ("op.create_check_constraint('ck_a', 'a', 'b > 0')", "create_check_constraint"),
        ("op.add_column('a', b)\n    with op.get_context().autocommit_block():\n        pass", "autocommit_block"),
        ("op.alter_column('a', 'b', nullable=True)", None),
        ("op.add_column('a', sa.Column('b', sa.Text))", None),
        ("op.add_column('a', sa.Column('b', sa.Text, nullable=False, server_default=''))", None),
        ("op.create_table('a', sa.Column('b')); op.create_index('ix_a', 'a', ['b'])", None),
        ("op.create_index('ix_a', 'a', ['b'], postgresql_concurrently=True)", None),
    ],
)
@pytest.mark.parametrize("contracts", ["", f"contracts = '{released.RELEASE}'\n", "contracts = '0.0.1'\n"])
def test_what_the_release_before_could_not_bear_is_found(contracts, upgrade, fault):
    tree = ast.parse(f"{contracts}def upgrade():\n    {upgrade}\ndef downgrade():\n    op.drop_table('z')")
    is_allowed = released.RELEASE in contracts and fault in TAKING
    expected = [] if fault is None or is_allowed else [fault]
    assert [found.partition(":")[0] for found in keeps_the_release_before(tree)] == expected


def test_a_later_version_has_nothing_to_do_for_an_older_one(either):
    engine = migrated("cards", either)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    before = shape(engine)
    assert migrate.upgrade("cards", metadata_of("cards"), either) is True
    engine = sa.create_engine(either.database("cards"))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    assert shape(engine) == before


def test_an_up_to_date_database_is_not_a_newer_one(either):
    migrated("cards", either).dispose()
    assert migrate.upgrade("cards", metadata_of("cards"), either) is False


INDEX = """
from alembic import op

revision, down_revision, branch_labels, depends_on = "0001", None, None, None


def upgrade():
    op.execute("CREATE TABLE things (name text)")
    with op.get_context().autocommit_block():
        op.create_index("ix_things", "things", ["name"], postgresql_concurrently=True)
"""


def test_an_index_is_made_while_others_write(postgresql_settings, tmp_path):
    (tmp_path / "0001_index.py").write_text(INDEX)
    url = postgresql_settings.database("cards")
    migrate.create_database(sa.make_url(url))
    configured = migrate.configuration("cards", url, sa.MetaData())
    configured.set_main_option("version_locations", str(tmp_path))
    command.upgrade(configured, "head")
    engine = sa.create_engine(url)
    assert [one["name"] for one in sa.inspect(engine).get_indexes("things")] == ["ix_things"]
    engine.dispose()


def test_several_may_migrate_at_once_where_an_index_is_made_concurrently(postgresql_settings):
    """Who waits for the lock must hold no snapshot, for which the index would wait in turn."""
    script = UPGRADE.replace("cards", "approval")
    environment = {**os.environ, "DATABASE_URL": postgresql_settings.database_url}
    runners = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, cwd=SERVICES.parent)
        for _ in range(3)
    ]
    errors = [runner.communicate(timeout=90)[1].decode() for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0, 0], errors


def test_an_index_whose_migration_was_ended_before_its_end_is_made_anew(postgresql_settings):
    engine = migrated("approval", postgresql_settings)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0012'"))
    migrate.upgrade("approval", metadata_of("approval"), postgresql_settings)
    assert "ix_reviews_undelivered" in {one["name"] for one in sa.inspect(engine).get_indexes("reviews")}
    engine.dispose()


def test_a_table_that_somebody_reads_for_long_is_left_to_others_meanwhile(postgresql_settings):
    """An ALTER TABLE that waits keeps everybody else from the table."""
    engine = migrated("approval", postgresql_settings)
    command.downgrade(
        migrate.configuration("approval", postgresql_settings.database("approval"), metadata_of("approval")), "0011"
    )
    environment = {**os.environ, "DATABASE_URL": postgresql_settings.database_url}
    command_line = [sys.executable, "-c", UPGRADE.replace("cards", "approval")]
    with engine.connect() as reading:
        reading.execute(sa.text("SELECT count(*) FROM reviews"))
        runner = subprocess.Popen(command_line, env=environment, stderr=subprocess.PIPE, cwd=SERVICES.parent)
        waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = :name")
        with engine.connect() as other:
            name = {"name": engine.url.database}
            until(lambda: other.execute(waiting, name).scalar_one() > 0 or other.rollback(), "the migration waits")
            other.rollback()
            until(lambda: not other.execute(waiting, name).scalar_one() or other.rollback(), "it steps back")
            other.execute(sa.text("SET statement_timeout = '900ms'"))
            until(lambda: is_readable(other), "others read the table")
        assert runner.poll() is None, "it tries again"
    assert runner.communicate(timeout=60)[1] == b"" and runner.returncode == 0
    engine.dispose()


def is_readable(connection):
    try:
        connection.execute(sa.text("SELECT count(*) FROM reviews"))
        return True
    except sa.exc.OperationalError:
        return False
    finally:
        connection.rollback()
