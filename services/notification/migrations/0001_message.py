"""Messages, withdrawals, and what every service's database has: outbox, answers, serials."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("position", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("aggregatetype", sa.String(40), nullable=False),
        sa.Column("aggregateid", sa.String(64), nullable=False),
        sa.Column("type", sa.String(60), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_outbox"),
    )
    op.create_table(
        "answers",
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_answers"),
    )
    op.create_index("ix_answers_created_at", "answers", ["created_at"])
    op.create_table(
        "serials",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_serials"),
    )
    op.create_table(
        "messages",
        sa.Column("message_id", sa.String(36), nullable=False),
        sa.Column("occasion", sa.String(120), nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("declaration_id", sa.String(36), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("masked", sa.String(300), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("recipient", sa.String(254)),
        sa.Column("subject", sa.String(300)),
        sa.Column("text", sa.Text),
        sa.Column("html", sa.Text),
        sa.Column("sealed", sa.Text),
        sa.Column("form_key", sa.String(120)),
        sa.Column("segments", sa.Integer, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("delayed", sa.Integer, nullable=False),
        sa.Column("settled_by", sa.String(20)),
        sa.Column("code", sa.String(60)),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT),
        sa.Column("done_at", MOMENT),
        sa.PrimaryKeyConstraint("message_id", name="pk_messages"),
        sa.UniqueConstraint("occasion", "channel", name="uq_messages_occasion"),
    )
    op.create_index("ix_messages_declaration_id", "messages", ["declaration_id"])
    due = sa.text("due_at IS NOT NULL")
    op.create_index("ix_messages_due", "messages", ["channel", "due_at"], postgresql_where=due, sqlite_where=due)
    op.create_table(
        "withdrawals",
        sa.Column("declaration_id", sa.String(36), nullable=False),
        sa.Column("withdrawn_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("declaration_id", name="pk_withdrawals"),
    )


def downgrade() -> None:
    for table in ("withdrawals", "messages", "serials", "answers", "outbox"):
        op.drop_table(table)
