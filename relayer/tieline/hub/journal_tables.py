"""The journal's tables, as SQLAlchemy Core sees them; made by the migrations beside this file."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
)

METADATA = MetaData()

RESUME_HEIGHTS = Table(
    "resume_heights",
    METADATA,
    Column("ledger_id", String(64), primary_key=True),
    Column("height", BigInteger, nullable=False),
)

INTENTS = Table(
    "intents",
    METADATA,
    Column("intent_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("ledger_id", String(64), nullable=False),
    Column("lane", String(64), nullable=False),
    Column("step", String(32), nullable=False),
    Column("key", String(160), nullable=False),
    Column("written_s", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("tx_hash", LargeBinary, nullable=False),
    Column("detail", String(400), nullable=False),
    Index("intents_by_status", "status", "intent_id"),
)

JOURNEYS = Table(
    "journeys",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("route", String(200), nullable=False),
    Column("status", String(24), nullable=False),
    Column("slot_start", BigInteger, nullable=False),
    Column("updated_s", BigInteger, nullable=False),
    Column("detail", String(400), nullable=False),
    Column("is_done", Boolean, nullable=False),
    Index("journeys_by_done", "is_done", "key"),
)

LEDGERS = Table(
    "ledgers",
    METADATA,
    Column("ledger_id", String(64), primary_key=True),
    Column("height", BigInteger, nullable=False),
    Column("time_s", BigInteger, nullable=False),
    Column("block_seen_s", BigInteger, nullable=False),
    Column("under_way", Integer, nullable=False),
    Column("reason", String(400), nullable=False),
    Column("updated_s", BigInteger, nullable=False),
)

DETAIL_LENGTH_MAX = 400
