"""Insurance codes that have an account, and counts of wrong tracking codes and of reminders."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_codes",
        sa.Column("insurance_code", sa.String(10), nullable=False),
        sa.Column("declaration_id", sa.String(36), nullable=False),
        sa.Column("approved_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("insurance_code", name="pk_account_codes"),
    )
    op.create_index("ix_account_codes_declaration_id", "account_codes", ["declaration_id"])
    op.execute(
        "INSERT INTO account_codes SELECT insurance_code, min(declaration_id), min(decided_at) FROM reviews"
        " WHERE status = 'approved' AND kind = 'register' AND insurance_code IS NOT NULL GROUP BY insurance_code"
    )
    op.create_table(
        "quotas",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("counted", sa.Integer, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_quotas"),
    )
    op.create_index("ix_quotas_ends_at", "quotas", ["ends_at"])


def downgrade() -> None:
    op.drop_table("quotas")
    op.drop_table("account_codes")
