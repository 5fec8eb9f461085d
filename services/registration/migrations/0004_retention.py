"""Decided declarations keep their data for a time, and are found by when they were decided."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DECIDED = sa.text("applicant IS NOT NULL AND status IN ('approved', 'rejected')")


def upgrade() -> None:
    op.create_index(
        "ix_declarations_decided", "declarations", ["decided_at"], postgresql_where=DECIDED, sqlite_where=DECIDED
    )


def downgrade() -> None:
    op.drop_index("ix_declarations_decided", "declarations")
