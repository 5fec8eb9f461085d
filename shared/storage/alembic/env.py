"""Alembic's environment, one for every service: online only, one migration a transaction, one runner at a time."""

import sqlalchemy as sa
from alembic import context

config = context.config
engine = sa.create_engine(config.attributes["url"])

with engine.connect() as connection:
    if connection.dialect.name == "postgresql":
        # several containers may start at once; the second waits and then finds nothing to do
        connection.execute(sa.text("SELECT pg_advisory_lock(72616)"))
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
