"""Notification and cards hear less than before: for them, what still waits in the outbox is announced once more."""

import json
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from shared.storage.columns import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PERSON = ("full_name", "birth_date", "gender")
TELLING = ("tracking_code", "kind", "contact", "expires_at", "form_key")
NARROWER = {
    "declaration_submitted": ("declaration_acknowledged", {"declaration_id", "number", "agency", "at", *TELLING}),
    "account_activated": (
        "card_requested",
        {"account_id", "declaration_id", "insurance_code", "agency", "at", *PERSON},
    ),
}
outbox = sa.table(
    "outbox",
    sa.column("position"),
    *(sa.column(name) for name in ("id", "aggregatetype", "aggregateid", "type", "payload", "request_id")),
    sa.column("created_at", UtcDateTime),
)


def upgrade() -> None:
    connection = op.get_bind()
    waiting = sa.select(outbox).where(outbox.c.type.in_(NARROWER)).order_by(outbox.c.position)
    for row in connection.execute(waiting).mappings().all():
        name, fields = NARROWER[row["type"]]
        body = {field: value for field, value in json.loads(row["payload"]).items() if field in fields}
        copy = {column: value for column, value in row.items() if column != "position"}
        copy |= {"id": str(uuid4()), "type": name, "payload": json.dumps(body, ensure_ascii=False)}
        connection.execute(sa.insert(outbox).values(copy))


def downgrade() -> None:
    added = [name for name, _ in NARROWER.values()]
    op.execute(sa.delete(outbox).where(outbox.c.type.in_(added)))
