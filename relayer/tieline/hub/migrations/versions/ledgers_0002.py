"""Where each ledger stands, and why something is held there."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ledgers",
        sa.Column("ledger_id", sa.String(64), primary_key=True),
        sa.Column("height", sa.BigInteger, nullable=False),
        sa.Column("time_s", sa.BigInteger, nullable=False),
        sa.Column("block_seen_s", sa.BigInteger, nullable=False),
        sa.Column("under_way", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(400), nullable=False),
        sa.Column("updated_s", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop it; the relayer writes it anew."""
    op.drop_table("ledgers")
