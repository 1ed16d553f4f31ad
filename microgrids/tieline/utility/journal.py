"""
A cell's signing journal: written before each signature, so that a cell never says two things
about one.

It survives restarts and re-organisations: what was once bound stays bound, a conflict is refused
for ever.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS bound (
    kind TEXT NOT NULL, scope BLOB NOT NULL, subject BLOB NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (kind, scope, subject)
) WITHOUT ROWID
"""

NEAREST_BELOW = """
SELECT content FROM bound WHERE kind=? AND scope=? AND subject<? ORDER BY subject DESC LIMIT 1
"""
NEAREST_ABOVE = """
SELECT content FROM bound WHERE kind=? AND scope=? AND subject>? ORDER BY subject ASC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing a signature says: of *subject* in *scope*, *content*."""

    kind: str
    """state, packet, clearing, verdict or delivery; coin for what another cell committed to."""
    scope: bytes
    """Chain tag or cell set id."""
    subject: bytes
    content: bytes


class SigningConflict(Exception):
    """The cell has already signed something else about this. Trying again cannot help."""

    def __init__(self, statement: Statement, signed: bytes) -> None:
        super().__init__(
            f"already signed: kind={statement.kind} subject={statement.subject.hex()} "
            f"signed={signed.hex()} asked={statement.content.hex()}"
        )
        self.statement = statement
        self.signed = signed


class SigningJournal:
    """
    Durable memory of what was signed.

    Args:
        path: SQLite file, made when missing; ``:memory:`` for tests.
    """

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        # FULL: a signature must not leave the house before the journal is on the disk.
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(SCHEMA)

    def bind(self, statements: Iterable[Statement]) -> None:
        """
        Record *statements* as one unit; what is already there in the same words is fine.

        Raises:
            SigningConflict: One of them was signed differently before; nothing is recorded.
        """
        fresh: dict[tuple[str, bytes, bytes], bytes] = {}
        for statement in statements:
            key = (statement.kind, statement.scope, statement.subject)
            signed = fresh.get(key, self.content(*key))
            if signed is None:
                fresh[key] = statement.content
            elif signed != statement.content:
                raise SigningConflict(statement, signed)
        if not fresh:
            return
        with self._connection:  # commits, or undoes whatever was not finished
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT INTO bound VALUES (?, ?, ?, ?)",
                [(*key, content) for key, content in fresh.items()],
            )

    def content(self, kind: str, scope: bytes, subject: bytes) -> bytes | None:
        """Return what was signed about *subject*, or None."""
        row = self._connection.execute(
            "SELECT content FROM bound WHERE kind=? AND scope=? AND subject=?",
            (kind, scope, subject),
        ).fetchone()
        return None if row is None else bytes(row[0])

    def neighbours(
        self, kind: str, scope: bytes, subject: bytes
    ) -> tuple[bytes | None, bytes | None]:
        """Return the contents of the nearest subjects below and above, in byte order."""
        found: list[bytes | None] = []
        for query in (NEAREST_BELOW, NEAREST_ABOVE):
            row = self._connection.execute(query, (kind, scope, subject)).fetchone()
            found.append(None if row is None else bytes(row[0]))
        return found[0], found[1]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
