"""
The state of a ledger on disk: IAVL nodes of the provable versions and the mark of the last block,
all of one block in one fsynced transaction, so a kill at any moment leaves a whole block or none.

A block's nodes are one row, and rows are only added. What is no longer needed goes whole rows at a
time: a copy of the newest version is written beside the blocks, a part with each, and once the
oldest provable version is newer than the copy, the rows before it are dropped.

Stored are nodes, not pairs: the root of an IAVL tree depends on its history.
"""

from __future__ import annotations

import contextlib
import gc
import sqlite3
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tieline.contract.block import Application, Kept
from tieline.contract.genesis import Genesis
from tieline.contract.iavl import PROVABLE_VERSIONS
from tieline.contract.iavl_history import TreeBuilder, encode_change
from tieline.contract.installation import Installation
from tieline.contract.multistore import MultiStore
from tieline.contract.store import STORES
from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.tendermint.state_copy import StateCopy
from tieline.wire.hashes import sha256

_FORMAT: Final = 2
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS changes (
  version INTEGER, store TEXT, root BLOB, count INTEGER, nodes BLOB, digest BLOB,
  PRIMARY KEY (version, store)
);
CREATE TABLE IF NOT EXISTS copies (version INTEGER PRIMARY KEY, is_whole INTEGER);
CREATE TABLE IF NOT EXISTS copy_parts (
  version INTEGER, part INTEGER, store TEXT, nodes BLOB, digest BLOB,
  PRIMARY KEY (version, part)
);
CREATE TABLE IF NOT EXISTS last_block (
  id INTEGER PRIMARY KEY CHECK (id = 1), height INTEGER, time_ns INTEGER, app_hash BLOB
);
"""
_BUSY_S = 5.0
_PAGE_BYTES: Final = 16_384
"""Rows are long: a block of a thousand writes is about 600 kB."""
_CACHE_KIB: Final = 8_192
_CHECKPOINT_PAGES: Final = 256
"""4 MB of log: a pause every few large blocks rather than a long one every fifty."""
_DROPPED_A_BLOCK: Final = 8
"""Rows; more than come with a block, and few enough not to be felt."""


class Committed(Protocol):
    """A block whose work is in the tree; an ``Application`` is the last one."""

    @property
    def height(self) -> int:
        """The tree's last version."""
        ...

    @property
    def time_ns(self) -> int:
        """Unix nanoseconds."""
        ...

    @property
    def app_hash(self) -> bytes:
        """Root over all stores."""
        ...


@dataclass(frozen=True, slots=True)
class LastBlock:
    """What is stored of the last block."""

    height: int
    time_ns: int
    app_hash: bytes


@contextlib.contextmanager
def _no_collections() -> Generator[None, None, None]:
    """A million nodes come to stay; to look for garbage among them takes as long as to read."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class StateStore:
    """One ledger's state in one SQLite file."""

    def __init__(self, path: Path) -> None:
        """
        Open or begin the file, for this process alone.

        Raises:
            ConfigError: Another process has it open, or it is no file of ours.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            self._database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._database.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            self._require_format()
            self._database.executescript(_SCHEMA)
            self._database.execute(f"PRAGMA user_version = {_FORMAT}")
        except sqlite3.DatabaseError as exc:
            self._database.close()
            raise ConfigError(
                f"{path} cannot be opened: {exc}", instead="end the process that has it open"
            ) from exc
        except ConfigError:
            self._database.close()
            raise
        self._tree = MultiStore(STORES)
        self._copy = StateCopy(self._database, self._tree)

    @property
    def tree(self) -> MultiStore:
        """What is stored; empty until ``restore``, if there is something."""
        return self._tree

    def open_application(
        self, genesis: Genesis, installation: Installation | None = None
    ) -> Application:
        """
        Return the ledger at its last stored block, or a new one.

        Raises:
            ConfigError: The file is damaged, or belongs to another ledger.
        """
        last = self.restore()
        if last is None:
            return Application(genesis, tree=self._tree, installation=installation)
        stores = {store: dict(self._tree.tree(store).items()) for store in STORES}
        try:
            application = Application(
                genesis, tree=self._tree, kept=Kept(last.time_ns, stores), installation=installation
            )
        except (KeyError, ValueError) as exc:
            raise self._unusable(exc) from exc
        if (application.height, application.app_hash) != (last.height, last.app_hash):
            raise ConfigError(f"{self._path} is damaged: height={last.height}; restore a copy")
        return application

    def restore(self) -> LastBlock | None:
        """
        Build the tree again as of the last stored block; None if there is none.

        Raises:
            ConfigError: The file is damaged.
        """
        row = self._database.execute("SELECT height, time_ns, app_hash FROM last_block").fetchone()
        if row is None:
            return None
        last = LastBlock(*row)
        try:
            with _no_collections():
                for store in STORES:
                    self._restore(store, last.height)
        except ValueError as exc:
            raise self._unusable(exc) from exc
        self._copy.take_up(last.height)
        return last

    def save(self, block: Committed) -> None:
        """
        Store what the last committed block changed, durably when this returns.

        Raises:
            Unavailable: The file cannot be written, the disk may be full; the block before is what
                is stored, and the next process goes on from there.
        """
        height = block.height
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            added = sum(self._save_change(store, height) for store in STORES)
            self._copy.go_on(height, added)
            self._drop(height - PROVABLE_VERSIONS)
            database.execute(
                "INSERT OR REPLACE INTO last_block VALUES (1, ?, ?, ?)",
                (height, block.time_ns, block.app_hash),
            )
            database.execute("COMMIT")
        except BaseException as exc:  # whatever it was: undone, then raised again
            if database.in_transaction:  # with a full disk SQLite has undone it already
                database.execute("ROLLBACK")
            self._copy.give_up()
            if isinstance(exc, sqlite3.OperationalError):
                raise Unavailable(
                    f"{self._path} cannot be written: {exc}; when there is room again, it goes on "
                    f"after block {height - 1}"
                ) from exc
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _unusable(self, why: Exception) -> ConfigError:
        return ConfigError(
            f"{self._path} cannot be opened: {why}", instead="choose an empty folder"
        )

    def _require_format(self) -> None:
        """Raise ConfigError for a file that another version of this program wrote."""
        (found,) = self._database.execute("PRAGMA user_version").fetchone()
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and found != _FORMAT:
            raise ConfigError(
                f"{self._path} was written by another version: format={found}",
                instead="choose an empty folder, or run the version that wrote it",
            )

    def _save_change(self, store: str, height: int) -> int:
        tree = self._tree.tree(store)
        nodes, count = encode_change(tree)
        self._database.execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)",
            (height, store, tree.root(height).digest, count, nodes, sha256(nodes)),
        )
        return count

    def _drop(self, horizon: int) -> None:
        """Forget rows that no version above *horizon* needs: a few at a time."""
        base = self._copy.base_of(horizon)
        self._database.execute(
            "DELETE FROM changes WHERE rowid IN"
            " (SELECT rowid FROM changes WHERE version <= ? ORDER BY version LIMIT ?)",
            (base, _DROPPED_A_BLOCK),
        )
        self._database.execute(
            "DELETE FROM copy_parts WHERE rowid IN"
            " (SELECT rowid FROM copy_parts WHERE version < ? LIMIT ?)",
            (base, _DROPPED_A_BLOCK),
        )
        self._database.execute("DELETE FROM copies WHERE version < ?", (base,))
        # A version that added nothing is needed for its root alone.
        self._database.execute("DELETE FROM changes WHERE version = ? AND count = 0", (horizon,))

    def _restore(self, store: str, height: int) -> None:
        builder = TreeBuilder()
        horizon = height - PROVABLE_VERSIONS
        base = self._copy.base_of(horizon)
        parts = "SELECT nodes, digest FROM copy_parts WHERE version = ? AND store = ? ORDER BY part"
        for nodes in self._sound(self._database.execute(parts, (base, store))):
            builder.take(nodes)
        builder.end_version()
        changes = (
            "SELECT nodes, digest FROM changes WHERE version > ? AND store = ? AND count > 0"
            " ORDER BY version"
        )
        for nodes in self._sound(self._database.execute(changes, (base, store))):
            builder.take(nodes)
            builder.end_version()
        roots = "SELECT version, root FROM changes WHERE version > ? AND store = ?"
        kept = dict(self._database.execute(roots, (horizon, store)))
        builder.restore(self._tree.tree(store), kept)

    @staticmethod
    def _sound(rows: Iterator[tuple[bytes, bytes]]) -> Iterator[bytes]:
        """Yield what has its digest. Raises ValueError for what the disk has changed."""
        for nodes, digest in rows:
            if sha256(nodes) != digest:
                message = "a row has changed on disk"
                raise ValueError(message)
            yield nodes
