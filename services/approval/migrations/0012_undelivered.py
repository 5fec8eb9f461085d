"""A dossier knows that the SMS with the first password did not arrive, and officers find those."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UNDELIVERED = sa.text("password_undelivered_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("reviews", sa.Column("password_undelivered_at", UtcDateTime))
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_reviews_undelivered",
            "reviews",
            ["agency_code", "submitted_at", "number"],
            postgresql_where=UNDELIVERED,
            sqlite_where=UNDELIVERED,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index("ix_reviews_undelivered", "reviews")
    op.drop_column("reviews", "password_undelivered_at")
