"""Cards, who is in which group, what each group is entitled to, and what every service has."""

import csv
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import BigId, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# the groups known when this was written; later ones and new levels come by `vssid card levels import`
LEVELS = Path(__file__).parent.parent / "levels.csv"


def upgrade() -> None:
    op.create_table(
        "cards",
        sa.Column("card_id", sa.String(36), primary_key=True),
        sa.Column("account_id", sa.String(36), nullable=False, unique=True),
        sa.Column("declaration_id", sa.String(36), nullable=False),
        sa.Column("insurance_code", sa.String(10), nullable=False, index=True),
        sa.Column("full_name", sa.String(100), nullable=False),
        sa.Column("birth_date", sa.String(10), nullable=False),
        sa.Column("gender", sa.String(10), nullable=False),
        sa.Column("agency", sa.JSON, nullable=False),
        sa.Column("group_code", sa.String(2), nullable=False),
        sa.Column("benefit_level", sa.Integer, nullable=False),
        sa.Column("card_number", sa.String(15), nullable=False),
        sa.Column("serial", sa.BigInteger, nullable=False, unique=True),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("issued_at", UtcDateTime, nullable=False),
        sa.Column("five_years_from", sa.Date),
    )
    op.create_table(
        "participations",
        sa.Column("insurance_code", sa.String(10), primary_key=True),
        sa.Column("group_code", sa.String(2), primary_key=True),
        sa.Column("valid_from", sa.Date, primary_key=True),
        sa.Column("valid_to", sa.Date),
    )
    benefit_levels = op.create_table(
        "benefit_levels",
        sa.Column("group_code", sa.String(2), primary_key=True),
        sa.Column("valid_from", sa.Date, primary_key=True),
        sa.Column("valid_to", sa.Date),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("payer", sa.String(20), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
    )
    op.bulk_insert(benefit_levels, [_level(row) for row in csv.DictReader(LEVELS.read_text("utf-8").splitlines())])
    _create_common_tables()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE card_serial")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP SEQUENCE card_serial")
    for table in ("serials", "answers", "outbox", "benefit_levels", "participations", "cards"):
        op.drop_table(table)


def _level(row: dict[str, str]) -> dict[str, object]:
    first, last = date.fromisoformat(row["valid_from"]), row["valid_to"]
    days = {"valid_from": first, "valid_to": date.fromisoformat(last) if last else None}
    return {**row, "level": int(row["level"]), **days}


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
