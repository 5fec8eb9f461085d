"""Failed attempts to sign in, counted under any name."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_tries",
        sa.Column("username", sa.String(60), primary_key=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True)),
    )
    for column in ("tries", "locked_until"):
        op.drop_column("officers", column)


def downgrade() -> None:
    op.add_column("officers", sa.Column("tries", sa.Integer, nullable=False, server_default="0"))
    op.add_column("officers", sa.Column("locked_until", sa.DateTime(timezone=True)))
    op.drop_table("sign_in_tries")
