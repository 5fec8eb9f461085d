"""Declarations, accounts, uploads, files to erase, agencies, and what every service has."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import BigId, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "declarations",
        sa.Column("declaration_id", sa.String(36), primary_key=True),
        sa.Column("number", sa.String(20), nullable=False, unique=True),
        sa.Column("tracking_code", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("agency", sa.JSON, nullable=False),
        sa.Column("insurance_code", sa.String(10)),
        sa.Column("applicant", sa.JSON),
        sa.Column("submitted_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("received_at", UtcDateTime),
        sa.Column("handled_version", sa.Integer, nullable=False),
        sa.Column("decided_at", UtcDateTime),
        sa.Column("reason", sa.Text),
        sa.Column("history", sa.JSON, nullable=False),
    )
    pending = sa.text("status = 'pending'")
    pending_register = sa.text("status = 'pending' AND kind = 'register'")
    op.create_index(
        "uq_declarations_pending_register",
        "declarations",
        ["insurance_code"],
        unique=True,
        postgresql_where=pending_register,
        sqlite_where=pending_register,
    )
    op.create_index(
        "ix_declarations_undecided", "declarations", ["expires_at"], postgresql_where=pending, sqlite_where=pending
    )
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(36), primary_key=True),
        sa.Column("insurance_code", sa.String(10), nullable=False, unique=True),
        sa.Column("declaration_id", sa.String(36), nullable=False, unique=True),
        sa.Column("full_name", sa.String(100), nullable=False),
        sa.Column("birth_date", sa.String(10), nullable=False),
        sa.Column("gender", sa.String(10), nullable=False),
        sa.Column("id_document", sa.JSON, nullable=False),
        sa.Column("address", sa.JSON, nullable=False),
        sa.Column("contact", sa.JSON, nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("password_expires_at", UtcDateTime, nullable=False),
        sa.Column("must_change_password", sa.Boolean, nullable=False),
        sa.Column("activated_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "uploads",
        sa.Column("upload_id", sa.String(36), primary_key=True),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("content_type", sa.String(40), nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False, index=True),
        sa.Column("declaration_id", sa.String(36), index=True),
    )
    op.create_table(
        "erasures",
        sa.Column("key", sa.String(120), primary_key=True),
    )
    op.create_table(
        "agencies",
        sa.Column("code", sa.String(5), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(300)),
        sa.Column("province_code", sa.String(2), nullable=False, index=True),
        sa.Column("opened_on", sa.Date, nullable=False),
        sa.Column("closed_on", sa.Date),
        sa.Column("note", sa.String(200)),
    )
    _create_common_tables()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE declaration_serial")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP SEQUENCE declaration_serial")
    common, ours = ("serials", "answers", "outbox"), ("agencies", "erasures", "uploads", "accounts", "declarations")
    for table in (*common, *ours):
        op.drop_table(table)


def _create_common_tables() -> None:
    """What shared.storage.database gives to every service: the outbox, idempotency keys, and counters."""
    op.create_table(
        "outbox",
        sa.Column("position", BigId, autoincrement=True, primary_key=True),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("aggregatetype", sa.String(40), nullable=False),
        sa.Column("aggregateid", sa.String(64), nullable=False),
        sa.Column("type", sa.String(60), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "answers",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    )
    op.create_table(
        "serials",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
