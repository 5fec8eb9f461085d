"""Several phones may declare for one insurance code; how many declarations were accepted is counted."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEX = "uq_declarations_pending_register"
PENDING_REGISTER = sa.text("status = 'pending' AND kind = 'register'")


def upgrade() -> None:
    op.add_column("declarations", sa.Column("phone", sa.String(20)))
    contact = "applicant->'contact'->>'phone'" if is_postgresql() else "applicant->>'$.contact.phone'"
    op.execute(f"UPDATE declarations SET phone = {contact} WHERE applicant IS NOT NULL")
    index("insurance_code", "phone")
    op.create_table(
        "quotas",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("counted", sa.Integer, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_quotas"),
    )
    op.create_index("ix_quotas_ends_at", "quotas", ["ends_at"])


def downgrade() -> None:
    """Where several phones have declared for one code, the oldest declaration stays pending."""
    op.drop_table("quotas")
    op.execute(
        "UPDATE declarations SET status = 'rejected', reason = 'another_declaration_pending'"
        " WHERE status = 'pending' AND kind = 'register' AND EXISTS (SELECT 1 FROM declarations AS older"
        " WHERE older.status = 'pending' AND older.kind = 'register'"
        " AND older.insurance_code = declarations.insurance_code AND older.number < declarations.number)"
    )
    index("insurance_code")
    op.drop_column("declarations", "phone")


def index(*columns: str) -> None:
    op.drop_index(INDEX, "declarations")
    op.create_index(
        INDEX,
        "declarations",
        list(columns),
        unique=True,
        postgresql_where=PENDING_REGISTER,
        sqlite_where=PENDING_REGISTER,
    )


def is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
