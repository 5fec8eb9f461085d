"""Officers find the dossiers whose first password did not arrive."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

UNDELIVERED = sa.text("password_undelivered_at IS NOT NULL")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        if op.get_bind().dialect.name == "postgresql":
            op.execute("SET lock_timeout = 0")  # it waits for old transactions, and keeps nobody waiting
            op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_reviews_undelivered")  # of a run that was ended half way
        op.create_index(
            "ix_reviews_undelivered",
            "reviews",
            ["agency_code", "submitted_at", "number"],
            postgresql_where=UNDELIVERED,
            sqlite_where=UNDELIVERED,
            postgresql_concurrently=True,
        )
        if op.get_bind().dialect.name == "postgresql":
            op.execute("SET lock_timeout = '1s'")  # as before, for the migrations behind this one


def downgrade() -> None:
    op.drop_index("ix_reviews_undelivered", "reviews")
