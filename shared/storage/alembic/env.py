"""Alembic's environment, one for every service: online only, one migration a transaction, one runner at a time."""

import time

import sqlalchemy as sa
from alembic import context

LOCK_SECONDS = 0.2  # between two tries for the lock of all runners

config = context.config
# no pool: a connection that an error ends gives back the lock
engine = sa.create_engine(config.attributes["url"], poolclass=sa.NullPool)

with engine.connect() as connection:
    if connection.dialect.name == "postgresql":
        # Several containers may start at once; the second waits and then finds nothing to do. It waits outside of any
        # transaction: an index that the first one makes concurrently waits for those.
        while not connection.execute(sa.text("SELECT pg_try_advisory_lock(72616)")).scalar_one():
            connection.rollback()
            time.sleep(LOCK_SECONDS)
        # Who waits for a table's lock keeps everybody behind it from the table; `migrate.upgrade` tries again.
        connection.execute(sa.text("SET lock_timeout = '1s'"))
        if config.attributes.get("role"):
            connection.execute(sa.text(f'SET ROLE "{config.attributes["role"]}"'))
        connection.commit()
    context.configure(
        connection=connection, target_metadata=config.attributes["metadata"], transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
engine.dispose()
