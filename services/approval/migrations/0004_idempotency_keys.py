"""The table of first answers is called after its keys."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _move("answers", "idempotency_keys")


def downgrade() -> None:
    _move("idempotency_keys", "answers")


def _move(old: str, new: str) -> None:
    """Copy the rows, a day's at most: SQLite cannot rename the constraints that a renamed table would keep."""
    op.create_table(
        new,
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("key", name=f"pk_{new}"),
    )
    op.execute(f"INSERT INTO {new} SELECT key, fingerprint, answer, created_at FROM {old}")
    op.drop_table(old)
    op.create_index(f"ix_{new}_created_at", new, ["created_at"])
