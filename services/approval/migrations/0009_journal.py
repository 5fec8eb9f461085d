"""The journal of what officers saw and did: rows are added and never changed, whoever asks."""

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The owner of a table may not do what was revoked; triggers stop a superuser, too, and speak for themselves.
POSTGRESQL = (
    """
    CREATE FUNCTION journal_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the journal is kept as it was written: no % on %', TG_OP, TG_TABLE_NAME;
    END $$
    """,
    """
    CREATE FUNCTION journal_move_head() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.head_id = OLD.head_id AND NEW.sequence = OLD.sequence + 1 AND EXISTS (
            SELECT FROM journal_entries WHERE sequence = NEW.sequence AND previous = OLD.hash AND hash = NEW.hash
        ) THEN RETURN NEW; END IF;
        RAISE EXCEPTION 'the head of the journal moves to the next row only';
    END $$
    """,
    "CREATE TRIGGER journal_entries_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entries"
    " FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse()",
    "CREATE TRIGGER journal_head_kept BEFORE INSERT OR DELETE OR TRUNCATE ON journal_head"
    " FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse()",
    "CREATE TRIGGER journal_head_moved BEFORE UPDATE ON journal_head FOR EACH ROW EXECUTE FUNCTION journal_move_head()",
    "REVOKE UPDATE, DELETE, TRUNCATE ON journal_entries FROM CURRENT_USER, PUBLIC",
    "REVOKE INSERT, DELETE, TRUNCATE ON journal_head FROM CURRENT_USER, PUBLIC",
)
REFUSE = "SELECT RAISE(ABORT, 'the journal is kept as it was written')"
SQLITE = (
    f"CREATE TRIGGER journal_entries_update BEFORE UPDATE ON journal_entries BEGIN {REFUSE}; END",
    f"CREATE TRIGGER journal_entries_delete BEFORE DELETE ON journal_entries BEGIN {REFUSE}; END",
    # INSERT OR REPLACE deletes without asking the trigger above
    "CREATE TRIGGER journal_entries_insert BEFORE INSERT ON journal_entries"
    f" WHEN EXISTS (SELECT 1 FROM journal_entries WHERE sequence = NEW.sequence) BEGIN {REFUSE}; END",
    f"CREATE TRIGGER journal_head_insert BEFORE INSERT ON journal_head BEGIN {REFUSE}; END",
    f"CREATE TRIGGER journal_head_delete BEFORE DELETE ON journal_head BEGIN {REFUSE}; END",
    "CREATE TRIGGER journal_head_update BEFORE UPDATE ON journal_head WHEN NOT (NEW.head_id = OLD.head_id"
    " AND NEW.sequence = OLD.sequence + 1 AND EXISTS (SELECT 1 FROM journal_entries"
    f" WHERE sequence = NEW.sequence AND previous = OLD.hash AND hash = NEW.hash)) BEGIN {REFUSE}; END",
)


def upgrade() -> None:
    op.create_table(
        "journal_entries",
        sa.Column("sequence", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("act", sa.String(20), nullable=False),
        sa.Column("officer", sa.String(60), nullable=False),
        sa.Column("agency_code", sa.String(5), nullable=False),
        sa.Column("declaration_id", sa.String(36), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("session_id", sa.String(16), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_journal_entries"),
    )
    op.create_index("ix_journal_entries_number", "journal_entries", ["number", "sequence"])
    op.create_index("ix_journal_entries_officer", "journal_entries", ["officer", "at"])
    op.create_index("ix_journal_entries_agency", "journal_entries", ["agency_code", "sequence"])
    is_root = sa.text("act = 'root_signed'")
    op.create_index(
        "ix_journal_entries_roots", "journal_entries", ["sequence"], postgresql_where=is_root, sqlite_where=is_root
    )
    op.create_table(
        "journal_head",
        sa.Column("head_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("head_id", name="pk_journal_head"),
    )
    op.execute("INSERT INTO journal_head VALUES (1, 0, '')")
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("journal_head")
    op.drop_table("journal_entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION journal_refuse()")
        op.execute("DROP FUNCTION journal_move_head()")
