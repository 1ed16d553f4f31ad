"""
A copy of one version's whole tree, written a part a block beside what blocks add, so that older
rows can be dropped. Nodes never change, so the copy is of one version although blocks go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import islice
from typing import Final

from tieline.contract.iavl import ABSENT
from tieline.contract.iavl_history import encode_tree
from tieline.contract.multistore import MultiStore
from tieline.contract.store import STORES
from tieline.wire.hashes import sha256

_NODES_MIN: Final = 4_096
"""Rows of fewer nodes are read so fast that a copy would gain nothing."""
_PART_MIN: Final = 512
"""Nodes a block, even if the block added none: a copy comes to its end."""


class StateCopy:
    """The copies in one file: at most one to build on, and one that is whole or under way."""

    def __init__(self, database: sqlite3.Connection, tree: MultiStore) -> None:
        """Copy *tree* into *database*; every write belongs to the caller's transaction."""
        self._database = database
        self._tree = tree
        self._added = 0
        self._version = 0
        self._part = 0
        self._rest: Iterator[tuple[str, bytes]] | None = None

    def take_up(self, height: int) -> None:
        """Go on after a restart at *height*; a copy that was under way begins anew."""
        newest = self._newest_whole(height)
        query = "SELECT total(count) FROM changes WHERE version > ?"
        (added,) = self._database.execute(query, (newest,)).fetchone()
        self._added = int(added)

    def base_of(self, horizon: int) -> int:
        """Return the version of the newest whole copy up to *horizon*; 0 if there is none."""
        return self._newest_whole(horizon)

    def go_on(self, height: int, added: int) -> None:
        """Write the next part; the block at *height* *added* so many nodes."""
        self._added += added
        if self._rest is None:
            if self._added <= max(_NODES_MIN, self._nodes(height)):
                return
            self._begin(height)
        self._write(max(added, _PART_MIN))

    def give_up(self) -> None:
        """Forget the copy under way: its last part was not stored."""
        self._rest = None

    def _begin(self, height: int) -> None:
        self._database.execute("DELETE FROM copies WHERE NOT is_whole")
        self._database.execute(
            "DELETE FROM copy_parts WHERE version NOT IN (SELECT version FROM copies)"
        )
        self._database.execute("INSERT INTO copies VALUES (?, 0)", (height,))
        self._version, self._part, self._added = height, 0, 0
        tops = [(store, self._tree.tree(store).root(height)) for store in STORES]
        self._rest = ((store, node) for store, top in tops for node in encode_tree(top))

    def _write(self, count: int) -> None:
        assert self._rest is not None
        by_store: dict[str, list[bytes]] = {}
        taken = list(islice(self._rest, count))
        for store, node in taken:
            by_store.setdefault(store, []).append(node)
        for store, records in by_store.items():
            nodes = b"".join(records)
            self._database.execute(
                "INSERT INTO copy_parts VALUES (?, ?, ?, ?, ?)",
                (self._version, self._part, store, nodes, sha256(nodes)),
            )
            self._part += 1
        if len(taken) < count:
            self._rest = None
            self._database.execute(
                "UPDATE copies SET is_whole = 1 WHERE version = ?", (self._version,)
            )

    def _newest_whole(self, version: int) -> int:
        query = "SELECT max(version) FROM copies WHERE is_whole AND version <= ?"
        (found,) = self._database.execute(query, (version,)).fetchone()
        return int(found or 0)

    def _nodes(self, height: int) -> int:
        tops = [self._tree.tree(store).root(height) for store in STORES]
        return sum(2 * top.size for top in tops if top is not ABSENT)
