"""
The preimages a cell holds for its members, encrypted on disk until their locks are closed.

A restart between lock and claim must find them; a copied file must not give them away.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tieline.swap.secret import Preimage

NONCE_BYTES = 12
SCHEMA = """
CREATE TABLE IF NOT EXISTS preimage (
    position TEXT PRIMARY KEY, hash_lock BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL
) WITHOUT ROWID
"""


class PreimageStore:
    """
    One fresh preimage a position, found again by its name.

    Args:
        path: SQLite file, made when missing.
        key: 32 bytes that encrypt it.
        draw: Gives 32 fresh bytes for a position; ``secrets`` unless a scenario is reproducible.
    """

    def __init__(self, path: Path, key: bytes, draw: Callable[[str], bytes] | None = None) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(SCHEMA)
        self._cipher = AESGCM(key)
        self._draw = draw if draw is not None else _draw_secret

    def preimage(self, position: str) -> Preimage:
        """Return the position's preimage, drawn and stored durably when it is new."""
        row = self._connection.execute(
            "SELECT position, sealed FROM preimage WHERE position=?", (position,)
        ).fetchone()
        if row is not None:
            return self._open(row)
        drawn = Preimage(self._draw(position))
        # One key seals many preimages, each under its own nonce: it is a hash of the secret.
        nonce = hashlib.sha256(b"nonce" + drawn.secret).digest()[:NONCE_BYTES]
        sealed = nonce + self._cipher.encrypt(nonce, drawn.secret, position.encode())
        self._connection.execute(
            "INSERT INTO preimage VALUES (?, ?, ?)", (position, drawn.hash_lock.digest, sealed)
        )
        return drawn

    def find(self, hash_lock: bytes) -> Preimage | None:
        """Return the preimage of a hash lock, None for a stranger's."""
        row = self._connection.execute(
            "SELECT position, sealed FROM preimage WHERE hash_lock=?", (hash_lock,)
        ).fetchone()
        return None if row is None else self._open(row)

    def _open(self, row: tuple[str, bytes]) -> Preimage:
        position, sealed = row
        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        return Preimage(self._cipher.decrypt(nonce, text, position.encode()))

    def forget(self, hash_lock: bytes) -> None:
        """Drop a preimage whose locks are closed; nothing to do for a stranger's."""
        self._connection.execute("DELETE FROM preimage WHERE hash_lock=?", (hash_lock,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _draw_secret(_position: str) -> bytes:
    return secrets.token_bytes(32)
