"""Reviews, officers, the household register, and what every service has."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import BigId, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("declaration_id", sa.String(36), primary_key=True),
        sa.Column("number", sa.String(20), nullable=False, unique=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("agency_code", sa.String(5), nullable=False),
        sa.Column("agency", sa.JSON, nullable=False),
        sa.Column("insurance_code", sa.String(10)),
        sa.Column("full_name", sa.String(100)),
        sa.Column("name_key", sa.String(100)),
        sa.Column("dossier", sa.JSON),
        sa.Column("submitted_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("assigned_to", sa.String(60)),
        sa.Column("received_at", UtcDateTime),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("decided_at", UtcDateTime),
        sa.Column("decided_by", sa.String(60)),
        sa.Column("reason", sa.Text),
        sa.Column("history", sa.JSON, nullable=False),
    )
    op.create_index("ix_reviews_queue", "reviews", ["agency_code", "status", "submitted_at", "number"])
    op.create_index("ix_reviews_all", "reviews", ["agency_code", "submitted_at", "number"])
    op.create_index("ix_reviews_insurance_code", "reviews", ["insurance_code"])
    op.create_table(
        "officers",
        sa.Column("username", sa.String(60), primary_key=True),
        sa.Column("agency_code", sa.String(5), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("locked_until", UtcDateTime),
    )
    op.create_table(
        "officer_sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("username", sa.String(60), sa.ForeignKey("officers.username"), nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
    )
    op.create_table(
        "register_people",
        sa.Column("insurance_code", sa.String(10), primary_key=True),
        sa.Column("full_name", sa.String(100), nullable=False),
        sa.Column("birth_date", sa.String(10), nullable=False),
        sa.Column("gender", sa.String(10), nullable=False),
        sa.Column("id_number", sa.String(12)),
    )
    op.create_table(
        "outbox",
        sa.Column("position", BigId, primary_key=True, autoincrement=True),
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
    if op.get_bind().dialect.name == "postgresql":
        # names are searched by any part of them; pg_trgm is a trusted extension, the owner may create it
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        op.execute("CREATE INDEX ix_reviews_name_key ON reviews USING gin (name_key gin_trgm_ops)")


def downgrade() -> None:
    for table in ("serials", "answers", "outbox", "register_people", "officer_sessions", "officers", "reviews"):
        op.drop_table(table)
