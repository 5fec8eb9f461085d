"""Authenticators of officers, sessions with a use and an address, and failed attempts by name and address."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ADDED = (
    ("otp_secret", sa.String(300)),
    ("otp_step", sa.BigInteger),
    ("last_sign_in_at", UtcDateTime),
    ("expires_at", UtcDateTime),
)


def upgrade() -> None:
    for name, kind in ADDED:
        op.add_column("officers", sa.Column(name, kind))
    op.create_table(
        "officer_addresses",
        sa.Column("username", sa.String(60), sa.ForeignKey("officers.username"), primary_key=True),
        sa.Column("address", sa.String(64), primary_key=True),
        sa.Column("last_at", UtcDateTime, nullable=False, index=True),
    )
    op.create_table(
        "address_attempts",
        sa.Column("username", sa.String(60), primary_key=True),
        sa.Column("address", sa.String(64), primary_key=True),
        sa.Column("last_at", UtcDateTime, nullable=False, index=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("locked_until", UtcDateTime),
    )
    # nobody knows where a session of before was opened, or when it was used last: officers sign in again
    op.drop_table("officer_sessions")
    op.create_table(
        "officer_sessions",
        sa.Column("session_id", sa.String(16), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("username", sa.String(60), sa.ForeignKey("officers.username"), nullable=False, index=True),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("last_used_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("officer_sessions")
    op.create_table(
        "officer_sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("username", sa.String(60), sa.ForeignKey("officers.username"), nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
    )
    op.drop_table("address_attempts")
    op.drop_table("officer_addresses")
    for name, _ in ADDED:
        op.drop_column("officers", name)
