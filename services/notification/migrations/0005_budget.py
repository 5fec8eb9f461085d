"""The messages of a day are counted."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_messages_queued_at", "messages", ["queued_at"])


def downgrade() -> None:
    op.drop_index("ix_messages_queued_at", "messages")
