"""A dossier knows that the SMS with the first password did not arrive."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reviews", sa.Column("password_undelivered_at", UtcDateTime))


def downgrade() -> None:
    op.drop_column("reviews", "password_undelivered_at")
