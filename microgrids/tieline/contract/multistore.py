"""
Several named IAVL stores under one app hash, as the Cosmos SDK's multistore commits them.

Leaf: ``0x00 | uvarint(len name) name | 0x20 sha256(store root)``, names ascending, RFC 6962 split.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from tieline.contract.iavl import PROVABLE_VERSIONS, IavlTree
from tieline.wire.ics23_proofs import (
    NO_HASH,
    SHA256,
    VAR_PROTO,
    ExistenceProof,
    InnerOp,
    LeafOp,
    encode_merkle_proof,
)
from tieline.wire.proto_fields import delimited

_LEAF_OP = LeafOp(SHA256, NO_HASH, SHA256, VAR_PROTO, b"\x00")


def _leaf_hash(name: bytes, store_root: bytes) -> bytes:
    return sha256(b"\x00" + delimited(name) + delimited(sha256(store_root).digest())).digest()


def _split(count: int) -> int:
    """Return the largest power of two below *count*, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return sha256(b"\x01" + _root(leaves[:split]) + _root(leaves[split:])).digest()


def _path(leaves: Sequence[bytes], index: int) -> list[InnerOp]:
    """Return the steps from leaf *index* to the root."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        below = _path(leaves[:split], index)
        return [*below, InnerOp(SHA256, b"\x01", _root(leaves[split:]))]
    below = _path(leaves[split:], index - split)
    return [*below, InnerOp(SHA256, b"\x01" + _root(leaves[:split]), b"")]


class MultiStore:
    """Stores that are committed together, one version a block."""

    def __init__(self, names: Sequence[str], provable_versions: int = PROVABLE_VERSIONS) -> None:
        """Open empty stores; *names* are unique and not empty."""
        assert names, "no stores"
        assert len(set(names)) == len(names), "a store twice"
        self._trees = {name: IavlTree(provable_versions) for name in sorted(names)}

    @property
    def version(self) -> int:
        """The last committed version; 0 before the first."""
        return next(iter(self._trees.values())).version

    @property
    def stores(self) -> tuple[str, ...]:
        """The names of the stores, ascending."""
        return tuple(self._trees)

    def tree(self, store: str) -> IavlTree:
        """
        Return the tree of *store*.

        Raises:
            KeyError: There is no such store.
        """
        return self._trees[store]

    def get(self, store: str, key: bytes, version: int | None = None) -> bytes | None:
        """Return the value under work, or as of a committed *version* (KeyError if not kept)."""
        return self._trees[store].get(key, version)

    def set(self, store: str, key: bytes, value: bytes) -> None:
        """Write a pair; neither half may be empty (ValueError)."""
        self._trees[store].set(key, value)

    def remove(self, store: str, key: bytes) -> None:
        """Remove a key, if it is there."""
        self._trees[store].remove(key)

    def app_hash(self) -> bytes:
        """Return the root over all stores of the work as it stands."""
        return _root(
            [_leaf_hash(name.encode(), tree.root_hash()) for name, tree in self._trees.items()]
        )

    def commit(self) -> bytes:
        """Close the version under work in every store and return the app hash."""
        app_hash = self.app_hash()
        for tree in self._trees.values():
            tree.commit()
        return app_hash

    def rollback(self) -> None:
        """Drop all work since the last commit."""
        for tree in self._trees.values():
            tree.rollback()

    def prove(self, store: str, key: bytes, version: int) -> bytes:
        """
        Return the two-level merkle proof that *key* is, or is not, in *store* at *version*.

        Raises:
            KeyError: The version is not kept.
            ValueError: The store was empty then: absence cannot be proved in it.
        """
        in_store = self._trees[store].prove(key, version)
        roots = {name: tree.committed_root_hash(version) for name, tree in self._trees.items()}
        leaves = [_leaf_hash(name.encode(), root) for name, root in roots.items()]
        path = tuple(_path(leaves, list(roots).index(store)))
        of_store = ExistenceProof(store.encode(), roots[store], _LEAF_OP, path)
        return encode_merkle_proof((in_store, of_store))
