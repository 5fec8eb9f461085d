"""Officers search by kind, and most kinds are rare."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_reviews_kind", "reviews", ["agency_code", "kind", "submitted_at", "number"])


def downgrade() -> None:
    op.drop_index("ix_reviews_kind", "reviews")
