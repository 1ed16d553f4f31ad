"""
The state of a ledger on disk: IAVL nodes of the provable versions and the mark of the last block,
all of one block in one fsynced transaction, so a kill at any moment leaves a whole block or none.
Tables are ordered by version, so that a block is written to one place and not all over the file.

Stored are nodes, not pairs: the root of an IAVL tree depends on its history.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tieline.contract.block import Application, Kept
from tieline.contract.genesis import Genesis
from tieline.contract.iavl import PROVABLE_VERSIONS
from tieline.contract.iavl_history import NodeRecord, change_of, restore
from tieline.contract.installation import Installation
from tieline.contract.multistore import MultiStore
from tieline.contract.store import STORES
from tieline.interfaces.errors import ConfigError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS nodes (
  version INTEGER, store TEXT, digest BLOB, height INTEGER, size INTEGER,
  key BLOB, value BLOB, left BLOB, right BLOB, PRIMARY KEY (version, store, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS removed (
  removed_at INTEGER, version INTEGER, store TEXT, digest BLOB,
  PRIMARY KEY (removed_at, version, store, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS roots (
  version INTEGER, store TEXT, digest BLOB, PRIMARY KEY (version, store)
);
CREATE TABLE IF NOT EXISTS last_block (
  id INTEGER PRIMARY KEY CHECK (id = 1), height INTEGER, time_ns INTEGER, app_hash BLOB
);
"""
_BUSY_S = 5.0
_CACHE_KIB = 65_536
"""Removals of a block are spread over the file; with SQLite's own 2 MB each would read a page."""
_CHECKPOINT_PAGES = 8192
"""32 MB of log: a large block then does not pay for the checkpoint of every other."""


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
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._database.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            self._database.executescript(_SCHEMA)
        except sqlite3.DatabaseError as exc:
            self._database.close()
            raise ConfigError(
                f"{path} cannot be opened: {exc}", instead="end the process that has it open"
            ) from exc
        self._tree = MultiStore(STORES)

    def open_application(
        self, genesis: Genesis, installation: Installation | None = None
    ) -> Application:
        """
        Return the ledger at its last stored block, or a new one.

        Raises:
            ConfigError: The file is damaged, or belongs to another ledger.
        """
        row = self._database.execute("SELECT height, time_ns, app_hash FROM last_block").fetchone()
        if row is None:
            return Application(genesis, tree=self._tree, installation=installation)
        height, time_ns, app_hash = row
        try:
            for store in STORES:
                restore(self._tree.tree(store), self._roots(store), self._records(store))
            stores = {store: dict(self._tree.tree(store).items()) for store in STORES}
            application = Application(
                genesis, tree=self._tree, kept=Kept(time_ns, stores), installation=installation
            )
        except (KeyError, ValueError) as exc:
            raise ConfigError(
                f"{self._path} cannot be opened: {exc}", instead="choose an empty folder"
            ) from exc
        if (application.height, application.app_hash) != (height, app_hash):
            raise ConfigError(f"{self._path} is damaged: height={height}; restore a copy")
        return application

    def save(self, application: Application) -> None:
        """Store what the last committed block changed, durably when this returns."""
        height = application.height
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            for store in STORES:
                self._save_change(store, height)
            self._prune(height - PROVABLE_VERSIONS)
            database.execute(
                "INSERT OR REPLACE INTO last_block VALUES (1, ?, ?, ?)",
                (height, application.time_ns, application.app_hash),
            )
        except BaseException:  # whatever it was: undone, then raised again
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _save_change(self, store: str, height: int) -> None:
        change = change_of(self._tree.tree(store))
        self._database.executemany(
            "INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    one.version,
                    store,
                    one.digest,
                    one.height,
                    one.size,
                    one.key,
                    one.value,
                    one.left,
                    one.right,
                )
                for one in change.added
            ),
        )
        self._database.executemany(
            "INSERT INTO removed VALUES (?, ?, ?, ?)",
            ((height, version, store, digest) for version, digest in change.removed),
        )
        self._database.execute("INSERT INTO roots VALUES (?, ?, ?)", (height, store, change.root))

    def _prune(self, version: int) -> None:
        """Forget *version*: its root, and nodes that only it and older ones had."""
        self._database.execute("DELETE FROM roots WHERE version <= ?", (version,))
        query = "SELECT version, store, digest FROM removed WHERE removed_at <= ? ORDER BY 1, 2, 3"
        gone = self._database.execute(query, (version + 1,)).fetchall()
        self._database.executemany(
            "DELETE FROM nodes WHERE version = ? AND store = ? AND digest = ?", gone
        )
        self._database.execute("DELETE FROM removed WHERE removed_at <= ?", (version + 1,))

    def _roots(self, store: str) -> dict[int, bytes]:
        query = "SELECT version, digest FROM roots WHERE store = ?"
        return dict(self._database.execute(query, (store,)))

    def _records(self, store: str) -> Iterator[NodeRecord]:
        rows = self._database.execute(
            "SELECT digest, version, height, size, key, value, left, right FROM nodes"
            " WHERE store = ? ORDER BY height",
            (store,),
        )
        for row in rows:
            yield NodeRecord(*row)
