"""An account counts the requests for a first password: one that comes again, or late, changes nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("password_version", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("accounts", "password_version")
