"""
The hub's journal in a SQL database: SQLite in WAL mode beside the hub, or PostgreSQL.

A commit is in the file before a call returns, so a killed process loses nothing. After a power cut
the last commits may be missing; the ledgers then say what was done.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection, CursorResult, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from tieline.hub.journal_migrations import is_current, migrate
from tieline.hub.journal_tables import (
    DETAIL_LENGTH_MAX,
    INTENTS,
    JOURNEYS,
    LEDGERS,
    RESUME_HEIGHTS,
)
from tieline.interfaces.errors import NotYet, Unavailable
from tieline.interfaces.journal import (
    Intent,
    IntentStatus,
    JournalStore,
    JourneyRow,
    LedgerRow,
    StoredIntent,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

OPEN_STATUSES = (int(IntentStatus.WRITTEN), int(IntentStatus.SUBMITTED))
FAILED_STATUSES = (int(IntentStatus.REJECTED), int(IntentStatus.NOT_YET))

_IDS_PER_STATEMENT_MAX = 500
"""Below SQLite's smallest bound on variables of one statement."""


class SqlJournal:
    """
    Implements ``interfaces.journal.JournalStore``.

    Args:
        url: SQLAlchemy URL, such as ``sqlite:///run/journal.db``; ``sqlite://`` lives in memory.
        is_reader: Somebody else writes it: its tables are not touched.

    Raises:
        NotYet: There is nothing to read.
        Unavailable: The database cannot be opened.
    """

    def __init__(self, url: str, *, is_reader: bool = False) -> None:
        database = make_url(url).database
        if make_url(url).drivername.startswith("sqlite") and database:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        try:
            self._engine = _engine(url, is_reader=is_reader)
            if not is_reader:
                migrate(self._engine)
            elif not is_current(self._engine):
                raise NotYet(f"no relayer has written this journal: {url}")
        except SQLAlchemyError as exc:
            raise Unavailable(f"journal cannot be opened: {url}") from exc
        with self._transaction() as connection:
            newest = connection.execute(sa.select(sa.func.max(INTENTS.c.intent_id))).scalar()
        self._next_id = (newest or 0) + 1
        self._upserts: dict[str, sa.Insert] = {}

    @contextmanager
    def _transaction(self) -> Generator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as exc:
            raise Unavailable("journal does not answer") from exc

    def _upsert(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        statement = self._upserts.get(table.name)
        if statement is None:
            statement = self._upserts[table.name] = _upsert_statement(
                table, self._engine.dialect.name
            )
        with self._transaction() as connection:
            connection.execute(statement, list(rows))

    def resume_heights(self) -> Mapping[str, int]:
        """Return for each ledger the height below which nothing is under way."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(RESUME_HEIGHTS)).all()
        return {row.ledger_id: row.height for row in rows}

    def save_resume_heights(self, heights: Mapping[str, int]) -> None:
        """Set heights to resume from."""
        self._upsert(
            RESUME_HEIGHTS,
            [{"ledger_id": ledger, "height": height} for ledger, height in heights.items()],
        )

    def write_intents(self, intents: Sequence[Intent]) -> Sequence[int]:
        """Write down what is about to be performed; return the numbers in order."""
        numbers = range(self._next_id, self._next_id + len(intents))
        rows = [
            {
                "intent_id": number,
                "ledger_id": intent.ledger_id,
                "lane": intent.lane,
                "step": intent.step,
                "key": intent.key,
                "written_s": intent.written_s,
                "status": int(IntentStatus.WRITTEN),
                "tx_hash": b"",
                "detail": "",
            }
            for number, intent in zip(numbers, intents, strict=True)
        ]
        if rows:
            with self._transaction() as connection:
                connection.execute(sa.insert(INTENTS), rows)
        self._next_id = numbers.stop
        return numbers

    def record_outcome(
        self,
        intent_ids: Sequence[int],
        status: IntentStatus,
        *,
        tx_hash: bytes = b"",
        detail: str = "",
    ) -> None:
        """Write what became of intents."""
        values: dict[str, Any] = {"status": int(status), "detail": detail[:DETAIL_LENGTH_MAX]}
        if tx_hash:
            values["tx_hash"] = tx_hash
        with self._transaction() as connection:
            for start in range(0, len(intent_ids), _IDS_PER_STATEMENT_MAX):
                part = intent_ids[start : start + _IDS_PER_STATEMENT_MAX]
                connection.execute(sa.update(INTENTS).where(_is_one_of(part)).values(values))

    def open_intents(self) -> Sequence[StoredIntent]:
        """Return intents that have no end yet, oldest first."""
        query = sa.select(INTENTS).where(INTENTS.c.status.in_(OPEN_STATUSES))
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(INTENTS.c.intent_id)).all()
        return [_stored(row) for row in rows]

    def recent_failures(self, limit: int = 20) -> Sequence[StoredIntent]:
        """Return the latest intents that a ledger refused, newest first."""
        query = sa.select(INTENTS).where(INTENTS.c.status.in_(FAILED_STATUSES))
        newest_first = query.order_by(INTENTS.c.intent_id.desc()).limit(limit)
        with self._transaction() as connection:
            rows = connection.execute(newest_first).all()
        return [_stored(row) for row in rows]

    def save_journeys(self, rows: Sequence[JourneyRow]) -> None:
        """Insert or replace rows by key."""
        self._upsert(
            JOURNEYS,
            [
                {
                    "key": row.key,
                    "route": row.route,
                    "status": row.status,
                    "slot_start": row.slot_start,
                    "updated_s": row.updated_s,
                    "detail": row.detail[:DETAIL_LENGTH_MAX],
                    "is_done": row.is_done,
                }
                for row in rows
            ],
        )

    def journeys(self) -> Sequence[JourneyRow]:
        """Return rows that are not done, by key."""
        query = sa.select(JOURNEYS).where(JOURNEYS.c.is_done.is_(False)).order_by(JOURNEYS.c.key)
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        return [
            JourneyRow(
                row.key,
                row.route,
                row.status,
                row.slot_start,
                row.updated_s,
                row.detail,
                row.is_done,
            )
            for row in rows
        ]

    def save_ledgers(self, rows: Sequence[LedgerRow]) -> None:
        """Insert or replace rows by ledger."""
        cut = [replace(row, reason=row.reason[:DETAIL_LENGTH_MAX]) for row in rows]
        self._upsert(LEDGERS, [asdict(row) for row in cut])

    def ledgers(self) -> Sequence[LedgerRow]:
        """Return all rows, by ledger."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(LEDGERS).order_by(LEDGERS.c.ledger_id)).all()
        return [LedgerRow(*row) for row in rows]

    def forget_before(self, written_s: int) -> int:
        """Drop ended intents and done journeys older than this; return how many intents."""
        ended = INTENTS.c.status.not_in(OPEN_STATUSES) & (INTENTS.c.written_s < written_s)
        done = JOURNEYS.c.is_done.is_(True) & (JOURNEYS.c.updated_s < written_s)
        with self._transaction() as connection:
            gone: CursorResult[Any] = connection.execute(sa.delete(INTENTS).where(ended))
            connection.execute(sa.delete(JOURNEYS).where(done))
        return gone.rowcount

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def _upsert_statement(table: sa.Table, dialect_name: str) -> sa.Insert:
    statement: postgresql.Insert | sqlite.Insert
    if dialect_name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 -- two megabytes that few need

        statement = postgresql.insert(table)
    else:
        statement = sqlite.insert(table)
    changed = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key
    }
    key = list(table.primary_key.columns)
    return statement.on_conflict_do_update(index_elements=key, set_=changed)


def _is_one_of(intent_ids: Sequence[int]) -> sa.ColumnElement[bool]:
    """Return a condition for a batch's numbers, which are mostly a run without gaps."""
    column = INTENTS.c.intent_id
    if intent_ids[-1] - intent_ids[0] == len(intent_ids) - 1:
        return column.between(intent_ids[0], intent_ids[-1])
    return column.in_(intent_ids)


def _stored(row: sa.Row[Any]) -> StoredIntent:
    intent = Intent(row.ledger_id, row.lane, row.step, row.key, row.written_s)
    return StoredIntent(row.intent_id, intent, IntentStatus(row.status), row.tx_hash, row.detail)


def _engine(url: str, *, is_reader: bool) -> Engine:
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite"):
        return sa.create_engine(parsed)
    in_memory = not parsed.database or parsed.database == ":memory:"
    pool = sa.pool.StaticPool if in_memory else sa.pool.QueuePool
    # One writer: the connection moves between threads, but never serves two at once.
    engine = sa.create_engine(parsed, poolclass=pool, connect_args={"check_same_thread": False})

    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin_reading if is_reader else _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Begin at once: Python's driver begins no transaction before a change of tables."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _set_up(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()


def open_journal(url: str, *, is_reader: bool = False) -> JournalStore:
    """
    Open the journal at *url*, bringing its tables up to date unless somebody else writes it. Raises
    NotYet to a reader of what was never written, Unavailable.
    """
    return SqlJournal(url, is_reader=is_reader)
