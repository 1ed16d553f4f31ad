"""
What commits the stores to one hash: an IAVL multistore on CometBFT, a plain chain of hashes in
the simulator.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol


class StateTree(Protocol):
    """Committed stores, one version a block. Reads do not come here; proofs do."""

    @property
    def version(self) -> int:
        """The last committed version, 0 before the first."""
        ...

    def set(self, store: str, key: bytes, value: bytes) -> None:
        """Write a pair into the version under work."""
        ...

    def remove(self, store: str, key: bytes) -> None:
        """Remove a key, if it is there."""
        ...

    def app_hash(self) -> bytes:
        """Return the 32-byte root of the version under work."""
        ...

    def rollback(self) -> None:
        """Forget the version under work."""
        ...

    def commit(self) -> bytes:
        """Close the version under work; return its root."""
        ...

    def prove(self, store: str, key: bytes, version: int) -> bytes:
        """Return bytes that prove presence or absence under the root of *version*."""
        ...


class HashChain:
    """
    The smallest state tree: each version's root hashes the one before and what was written.

    It fixes a history to 32 bytes and proves nothing about single keys; ledgers on it are verified
    by attestation.
    """

    def __init__(self) -> None:
        self._root = bytes(32)
        self._version = 0
        self._work: list[bytes] = []

    @property
    def version(self) -> int:
        """The last committed version."""
        return self._version

    def set(self, store: str, key: bytes, value: bytes) -> None:
        """Write a pair."""
        self._work.append(_record(b"\x01", store, key, value))

    def remove(self, store: str, key: bytes) -> None:
        """Remove a key."""
        self._work.append(_record(b"\x00", store, key, b""))

    def app_hash(self) -> bytes:
        """Return the root of the version under work."""
        return sha256(self._root + b"".join(self._work)).digest()

    def rollback(self) -> None:
        """Forget the version under work."""
        self._work = []

    def commit(self) -> bytes:
        """Close the version under work."""
        self._root = self.app_hash()
        self._version += 1
        self._work = []
        return self._root

    def prove(self, store: str, key: bytes, version: int) -> bytes:
        """Raise ValueError: a chain of hashes proves no single key."""
        message = f"no proofs from a hash chain: store={store} key={key.hex()} version={version}"
        raise ValueError(message)


def _record(kind: bytes, store: str, key: bytes, value: bytes) -> bytes:
    parts = (sha256(part).digest() for part in (store.encode(), key, value))
    return kind + b"".join(parts)
