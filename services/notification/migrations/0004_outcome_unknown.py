"""The code of messages whose outcome nobody learnt is called after the outcome."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE messages SET code = 'outcome_unknown' WHERE code = 'fate_unknown'")


def downgrade() -> None:
    op.execute("UPDATE messages SET code = 'fate_unknown' WHERE code = 'outcome_unknown'")
