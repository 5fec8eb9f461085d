"""Uploads that are used; the table of failed attempts to sign in is called after them."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("used_uploads", sa.Column("upload_id", sa.String(36), primary_key=True))
    _move(("sign_in_tries", "tried_at", "tries"), ("sign_in_attempts", "last_at", "attempts"))


def downgrade() -> None:
    _move(("sign_in_attempts", "last_at", "attempts"), ("sign_in_tries", "tried_at", "tries"))
    op.drop_table("used_uploads")


def _move(old: tuple[str, str, str], new: tuple[str, str, str]) -> None:
    """Copy the rows, a day's at most: SQLite cannot rename the constraints that a renamed table would keep."""
    op.create_table(
        new[0],
        sa.Column("username", sa.String(60), nullable=False),
        sa.Column(new[1], UtcDateTime, nullable=False),
        sa.Column(new[2], sa.Integer, nullable=False),
        sa.Column("locked_until", UtcDateTime),
        sa.PrimaryKeyConstraint("username", name=f"pk_{new[0]}"),
    )
    op.execute(f"INSERT INTO {new[0]} SELECT username, {old[1]}, {old[2]}, locked_until FROM {old[0]}")
    op.drop_table(old[0])
    op.create_index(f"ix_{new[0]}_{new[1]}", new[0], [new[1]])
