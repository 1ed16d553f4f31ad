"""
Where what was folded of a channel's blocks lies: the tables of one SQLite file, or of memory.

A file is of one channel and of one process. It keeps a sum over all of its rows, changed with each
of them, so that a file in which anything was lost or altered is known when it is opened.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.fabric.port import CHAINCODE

FORMAT: Final = 1
"""What the tables mean. A file of another format is read again from the channel, not converted."""
_APPLICATION_ID: Final = 0x544C4648
"""In the head of the file: whose it is."""
_BUSY_S: Final = 0.5
_CACHE_KIB: Final = 8_192
_SUM_BYTES: Final = 16
_SUM_COUNT: Final = 1 << 8 * _SUM_BYTES
_HEIGHT_NONE: Final = -1

_COLUMNS: Final = {
    "blocks": "number INTEGER PRIMARY KEY, hash BLOB, data_hash BLOB, time_s INTEGER, tick INTEGER",
    "configs": "number INTEGER PRIMARY KEY",
    "definitions": "block INTEGER, place INTEGER, chaincode TEXT, sequence INTEGER, version TEXT,"
    " validation_parameter BLOB, init_required INTEGER, endorsement_plugin TEXT,"
    " validation_plugin TEXT, collections BLOB, PRIMARY KEY (block, place)",
    "markers": "block INTEGER, place INTEGER, marker TEXT, PRIMARY KEY (block, place)",
    "newest": "key TEXT PRIMARY KEY, block INTEGER, place INTEGER, value BLOB",
    "older": "key TEXT, block INTEGER, place INTEGER, value BLOB, PRIMARY KEY (key, block, place)",
    "accounts": "account BLOB PRIMARY KEY, count INTEGER",
}
_BY_ROWID: Final = frozenset(("blocks", "configs"))
_CURSOR: Final = (
    "CREATE TABLE cursor (id INTEGER PRIMARY KEY CHECK (id = 1), fabric_channel TEXT,"
    " chaincode TEXT, height INTEGER, changed_at INTEGER, genesis BLOB, sum BLOB, seal BLOB)"
)
_SCHEMA: Final = (
    *(
        f"CREATE TABLE {table} ({columns}){'' if table in _BY_ROWID else ' WITHOUT ROWID'}"
        for table, columns in _COLUMNS.items()
    ),
    _CURSOR,
)
_PUT: Final = {
    table: f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * width)})"  # noqa: S608
    for table, width in (
        *(("blocks", 5), ("configs", 1), ("definitions", 10), ("markers", 3)),
        *(("newest", 4), ("older", 4), ("accounts", 2)),
    )
}

Cell = int | str | bytes | None
Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a channel was read, beside what was read."""

    height: int = _HEIGHT_NONE
    """Number of the last block; -1 before the first."""
    changed_at: int = _HEIGHT_NONE
    """Of the last block in which more than the clock was written."""
    genesis: bytes = b""
    """What the contract was begun with; empty before."""


class HistoryFile:
    """The rows of one channel, and how far they go."""

    def __init__(self, fabric_channel: str, path: Path | None = None) -> None:
        """
        Open or begin a file, for this process alone; every row of it is read once.

        Args:
            fabric_channel: Whose blocks they are.
            path: The file, made with its folder if it is not there; None: memory.

        Raises:
            ConfigError: Another process has it open, it is damaged, of another channel, of another
                format or no such file; or this user may not write there.
        """
        self._channel = fabric_channel
        self._path = path
        self._sum = 0
        self.cursor = Cursor()
        self._database = self._connect()
        with contextlib.ExitStack() as undo:
            undo.callback(self._database.close)
            is_new = self._is_new()
            if path is not None:
                self._run("PRAGMA journal_mode = WAL")
                self._run("PRAGMA synchronous = NORMAL")
                self._run(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._run("BEGIN IMMEDIATE")
            if is_new:
                self._begin()
            self._run("COMMIT")
            self.load()
            if path is not None:
                self._check_sum()
            undo.pop_all()

    @property
    def path(self) -> Path | None:
        """The file; None: it is all in memory."""
        return self._path

    def close(self) -> None:
        """Let go of the file. What is in memory goes with whoever holds it."""
        if self._path is not None:
            self._database.close()

    # --- rows -------------------------------------------------------------------------------

    def rows(self, query: str, *values: Cell) -> list[Any]:
        """Return the rows of a SELECT. Raises ConfigError: the file cannot be read."""
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.DatabaseError as exc:
            raise self._explained(exc) from exc

    def row(self, query: str, *values: Cell) -> Any:
        """Return the first row of a SELECT, None if there is none. Raises as ``rows``."""
        return self._run(query, *values).fetchone()

    def put(self, table: str, row: Row, before: Row | None = None) -> None:
        """
        Write a row.

        Args:
            table: Where.
            row: All its columns.
            before: The whole row in whose place it comes; None: there is none of that key.

        Raises:
            ConfigError: The file cannot be written.
        """
        self._run(_PUT[table], *row)
        if self._path is not None:
            taken = 0 if before is None else _digest(table, before)
            self._sum = (self._sum + _digest(table, row) - taken) % _SUM_COUNT

    @contextlib.contextmanager
    def all_or_none(self) -> Generator[None, None, None]:
        """
        Keep all that is written inside, with the cursor; nothing if it ends by an exception.

        May stand inside ``together``. Raises ConfigError: the file cannot be written.
        """
        self._run("SAVEPOINT one")
        with contextlib.ExitStack() as undo:
            undo.callback(self._take_back)
            yield
            self._write_cursor()
            self._run("RELEASE one")
            undo.pop_all()

    @contextlib.contextmanager
    def together(self) -> Generator[None, None, None]:
        """
        Bring all that is kept inside to the disk at once, however it ends. A process that is killed
        before has none of it in the file.

        Raises:
            ConfigError: The file cannot be written.
        """
        self._run("BEGIN")
        try:
            yield
        finally:
            with contextlib.ExitStack() as undo:
                undo.callback(self._give_up)
                if self._database.in_transaction:  # a full disk has ended it already
                    self._run("COMMIT")
                    undo.pop_all()

    def load(self) -> None:
        """Go back to what the file has. Raises ConfigError: it is damaged."""
        found = self.row("SELECT * FROM cursor")
        if found is None or _seal(found[1:-1]) != found[-1]:
            raise self._damaged("its cursor is not what was written")
        _, channel, chaincode, height, changed_at, genesis, total, _ = found
        if (channel, chaincode) != (self._channel, CHAINCODE):
            raise ConfigError(
                f"holds blocks of channel {channel}, chaincode {chaincode}, not of "
                f"{self._channel}, {CHAINCODE}",
                file=str(self._path),
                instead="name another file for each channel",
            )
        self.cursor = Cursor(height, changed_at, genesis)
        self._sum = int.from_bytes(total)

    # --- inside -----------------------------------------------------------------------------

    def _run(self, statement: str, *values: Cell) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.ProgrammingError:
            raise  # of this program, not of the file
        except sqlite3.DatabaseError as exc:
            raise self._explained(exc) from exc

    def _take_back(self) -> None:
        if self._database.in_transaction:
            self._run("ROLLBACK TO one")
            self._run("RELEASE one")
        self.load()

    def _give_up(self) -> None:
        if self._database.in_transaction:
            self._run("ROLLBACK")
        self.load()

    def _is_new(self) -> bool:
        """Say whether there is nothing in the file yet; what is there must be of this format."""
        (found,) = self._run("PRAGMA application_id").fetchone()
        (version,) = self._run("PRAGMA user_version").fetchone()
        (tables,) = self._run("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if not (found or version or tables):
            return True
        if found != _APPLICATION_ID:
            raise ConfigError(
                "is an SQLite file of something else, not of what was read of a Fabric channel",
                file=str(self._path),
                instead="name another file; it is made if it is not there",
            )
        if version != FORMAT:
            raise ConfigError(
                f"has format {version}, this program writes format {FORMAT}",
                file=str(self._path),
                instead="delete it: the channel is read again from block 0",
            )
        return False

    def _begin(self) -> None:
        for statement in _SCHEMA:
            self._run(statement)
        self._run(f"PRAGMA application_id = {_APPLICATION_ID}")
        self._run(f"PRAGMA user_version = {FORMAT}")
        self._write_cursor()

    def _write_cursor(self) -> None:
        cursor = self.cursor
        row = (
            *(self._channel, CHAINCODE, cursor.height, cursor.changed_at, cursor.genesis),
            self._sum.to_bytes(_SUM_BYTES),
        )
        self._run("INSERT OR REPLACE INTO cursor VALUES (1,?,?,?,?,?,?,?)", *row, _seal(row))

    def _check_sum(self) -> None:
        total = 0
        try:
            for table in _COLUMNS:
                for row in self._run(f"SELECT * FROM {table}"):  # noqa: S608, a name from above
                    total += _digest(table, row)
        except sqlite3.DatabaseError as exc:
            raise self._explained(exc) from exc
        if total % _SUM_COUNT != self._sum:
            raise self._damaged("its rows are not those that were written")

    def _damaged(self, what: str) -> ConfigError:
        return ConfigError(
            f"is damaged: {what}",
            file=str(self._path),
            instead="delete it: the channel is read again from block 0",
        )

    def _explained(self, error: sqlite3.DatabaseError) -> ConfigError:
        """Return what is wrong with the file of which SQLite says this, and what to do."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            return ConfigError(
                "is no file of what was read of a Fabric channel, or its head is damaged",
                file=str(self._path),
                instead="name another file; if it was one, delete it: the channel is read again "
                "from block 0",
            )
        if code == sqlite3.SQLITE_BUSY:
            return ConfigError(
                "another process has it open",
                file=str(self._path),
                instead="end that process, or name a file of its own for each",
            )
        if code in _NOT_THE_CONTENT:
            return ConfigError(
                f"cannot be read or written: {error}",
                file=str(self._path),
                instead="see that its folder can be written and the disk has room",
            )
        return self._damaged(str(error))

    def _connect(self) -> sqlite3.Connection:
        path = self._path
        try:
            if path is None:
                return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            # A process that is killed loses what was not brought together yet, a power cut may
            # take more of the end: both are read again.
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
        except sqlite3.DatabaseError as exc:
            raise self._explained(exc) from exc
        except OSError as exc:
            raise ConfigError(
                f"its folder cannot be made: {exc.strerror}",
                file=str(path),
                instead="name a file in a folder that this user can write",
            ) from exc
        return database


_NOT_THE_CONTENT: Final = frozenset(
    (
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    )
)


def _digest(table: str, row: Sequence[Cell]) -> int:
    """Return what a row adds to the sum over all rows."""
    written = f"{table}{tuple(row)!r}".encode()
    return int.from_bytes(blake2b(written, digest_size=_SUM_BYTES).digest())


def _seal(cursor: Sequence[Cell]) -> bytes:
    return blake2b(repr(tuple(cursor)).encode(), digest_size=_SUM_BYTES).digest()
