"""Each service's own PostgreSQL role, which owns its database, and the relay's, which reaches the outboxes alone.

They exist where `DATABASE_ROLES` names them; `vssid migrate` makes them, and is the only one who connects as their
administrator. A role is called like the service's database (``vssid_registration``), the relay's ``vssid_relay``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from psycopg2.extensions import encrypt_password

from shared.settings import Settings, SettingsError, split_credentials

RELAY = "relay"
ALONE = 72617  # the advisory lock under which roles and rights are changed: several may migrate at once
# A table's sequence goes with the table. What a table's owner gave up (REVOKE) stays given up under a new one.
FOREIGN = sa.text(
    "SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relname FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')"
    " AND relowner <> CAST(:role AS regrole)"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'i') AND relkind = 'S')"
)


def check_roles(settings: Settings, services: Sequence[str]) -> None:
    """Raise SettingsError unless DATABASE_ROLES names nobody, or every one of the services, and the relay."""
    needed = dict.fromkeys([*services, RELAY])
    if settings.database_roles and split_credentials(settings.database_roles).keys() != needed.keys():
        raise SettingsError(
            f"DATABASE_ROLES is not usable: it takes a password for each of {', '.join(sorted(needed))}"
        )


def role_of(service: str, settings: Settings) -> str | None:
    """Return the role of a service or the relay, None where all use the user of DATABASE_URL."""
    named = settings.database_url and settings.database_roles
    return sa.make_url(settings.database(service)).database if named else None


@contextmanager
def owned_by_its_service(service: str, settings: Settings) -> Iterator[None]:
    """Make the service's database its role's own, with everything in it; the relay may use its outbox afterwards.

    The block is to bring the tables up to date, as that role.
    """
    role, relay = role_of(service, settings), role_of(RELAY, settings)
    if role is None or relay is None:
        yield
        return
    passwords = split_credentials(settings.database_roles)
    database = sa.make_url(settings.database(service))
    with _connected(database.set(database="postgres")) as server:
        server.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": ALONE})
        for name, password in ((role, passwords[service]), (relay, passwords[RELAY])):
            _keep_role(server, name, password)
        server.execute(sa.text(f'ALTER DATABASE "{role}" OWNER TO "{role}"'))
        server.execute(sa.text(f'REVOKE ALL ON DATABASE "{role}" FROM PUBLIC'))
        server.execute(sa.text(f'GRANT CONNECT ON DATABASE "{role}" TO "{relay}"'))
        with _connected(database) as connection:
            _hand_over(connection, role)
            yield
            _open_outbox(connection, role, relay)


@contextmanager
def _connected(url: sa.URL) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _keep_role(server: sa.Connection, name: str, password: str) -> None:
    """Create the role if it is missing, and set its password."""
    known = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :name")
    if server.execute(known, {"name": name}).first() is None:
        server.execute(sa.text(f'CREATE ROLE "{name}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE'))
    # made here, so that the password itself is never part of a statement
    verifier = encrypt_password(password, name, server.connection.driver_connection, "scram-sha-256")
    server.exec_driver_sql(f"ALTER ROLE \"{name}\" PASSWORD '{verifier}'")
    # an administrator who is no superuser acts for the role as its member
    server.execute(sa.text(f'GRANT "{name}" TO CURRENT_USER'))


def _hand_over(connection: sa.Connection, role: str) -> None:
    """Give what an administrator made here, before there were roles, to the service's own."""
    connection.execute(sa.text(f'ALTER SCHEMA public OWNER TO "{role}"'))
    connection.execute(sa.text("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
    for kind, name in connection.execute(FOREIGN, {"role": f'"{role}"'}).all():
        connection.execute(sa.text(f'ALTER {kind} public."{name}" OWNER TO "{role}"'))


def _open_outbox(connection: sa.Connection, role: str, relay: str) -> None:
    """Let the relay move rows of the outbox to what was announced, and forget those.

    PostgreSQL locks rows only for those who may update a column.
    """
    connection.execute(sa.text(f'SET ROLE "{role}"'))
    connection.execute(sa.text(f'GRANT USAGE ON SCHEMA public TO "{relay}"'))
    connection.execute(sa.text(f'GRANT SELECT, DELETE, UPDATE (position) ON outbox TO "{relay}"'))
    connection.execute(sa.text(f'GRANT SELECT, INSERT, DELETE ON announced TO "{relay}"'))
