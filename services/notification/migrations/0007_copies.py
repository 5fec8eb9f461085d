"""How often a carrier may have got a message is counted, so that nobody gets a third copy."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("possible_copies", sa.Integer, nullable=False, server_default="0"))
    # what is of unknown outcome may be with its carrier; what was sent again may be there twice
    op.execute("UPDATE messages SET possible_copies = 1 WHERE state = 'unknown' OR settled_by = 'sent_again'")
    op.execute("UPDATE messages SET possible_copies = 2 WHERE state = 'unknown' AND settled_by = 'sent_again'")


def downgrade() -> None:
    op.drop_column("messages", "possible_copies")
