"""An account knows the newest request for a first password: one that comes again, or late, changes nothing."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("password_requested_at", UtcDateTime))


def downgrade() -> None:
    op.drop_column("accounts", "password_requested_at")
