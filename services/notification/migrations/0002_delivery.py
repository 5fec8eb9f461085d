"""Which carrier has a message, whether it arrived, and the sealed mail that replaces it where it did not."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("carrier", sa.String(60)))
    op.add_column("messages", sa.Column("delivery", sa.String(20)))
    op.add_column("messages", sa.Column("delivered_at", sa.DateTime(timezone=True)))
    op.add_column("messages", sa.Column("fallback", sa.Text))
    kept = sa.text("fallback IS NOT NULL")
    op.create_index("ix_messages_fallback", "messages", ["queued_at"], postgresql_where=kept, sqlite_where=kept)


def downgrade() -> None:
    op.drop_index("ix_messages_fallback", "messages")
    for column in ("fallback", "delivered_at", "delivery", "carrier"):
        op.drop_column("messages", column)
