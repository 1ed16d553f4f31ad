"""Cursors, intents, journeys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "resume_heights",
        sa.Column("ledger_id", sa.String(64), primary_key=True),
        sa.Column("height", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "intents",
        sa.Column(
            "intent_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True
        ),
        sa.Column("ledger_id", sa.String(64), nullable=False),
        sa.Column("lane", sa.String(64), nullable=False),
        sa.Column("step", sa.String(32), nullable=False),
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("written_s", sa.BigInteger, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary, nullable=False),
        sa.Column("detail", sa.String(400), nullable=False),
    )
    op.create_index("intents_by_status", "intents", ["status", "intent_id"])
    op.create_table(
        "journeys",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("route", sa.String(200), nullable=False),
        sa.Column("status", sa.String(24), nullable=False),
        sa.Column("slot_start", sa.BigInteger, nullable=False),
        sa.Column("updated_s", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.String(400), nullable=False),
        sa.Column("is_done", sa.Boolean, nullable=False),
    )
    op.create_index("journeys_by_done", "journeys", ["is_done", "key"])


def downgrade() -> None:
    """Drop the tables; the journal is rebuilt from the ledgers."""
    op.drop_table("journeys")
    op.drop_table("intents")
    op.drop_table("resume_heights")
