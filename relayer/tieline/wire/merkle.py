"""
OpenZeppelin's StandardMerkleTree: leaves hashed twice and sorted, nodes commutative, no
multiproofs.

Sources:
    ``docs/spec/bytes.md`` (Merkle); npm ``@openzeppelin/merkle-tree``; golden cases
    ``tests/vectors/trade_bytes.json``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tieline.wire.hashes import keccak


def leaf_hash(encoded: bytes) -> bytes:
    """Return the leaf of ABI-encoded fields: hashed twice, so that no node passes for a leaf."""
    return keccak(keccak(encoded))


def _node(left: bytes, right: bytes) -> bytes:
    return keccak(left + right if left < right else right + left)


class MerkleTree:
    """All leaves of one tree; proofs come out in OpenZeppelin's order, leaf to root."""

    __slots__ = ("_places", "_tree")

    def __init__(self, encoded_leaves: Iterable[bytes]) -> None:
        """
        Build the tree.

        Raises:
            ValueError: No leaves, or two that are equal; the specification forbids both.
        """
        leaves = sorted(map(leaf_hash, encoded_leaves))
        if not leaves:
            raise ValueError("empty tree")
        count = len(leaves)
        tree = [b""] * (2 * count - 1)
        places: dict[bytes, int] = {}
        for index, leaf in enumerate(leaves):
            place = 2 * count - 2 - index
            tree[place] = leaf
            places[leaf] = place
        if len(places) != count:
            raise ValueError("duplicate leaf")
        for place in range(count - 2, -1, -1):
            tree[place] = _node(tree[2 * place + 1], tree[2 * place + 2])
        self._tree = tree
        self._places = places

    @property
    def root(self) -> bytes:
        """32 bytes; the leaf itself if there is one only."""
        return self._tree[0]

    def proof(self, encoded_leaf: bytes) -> tuple[bytes, ...]:
        """
        Return the siblings from the leaf to the root.

        Raises:
            KeyError: The leaf is not in the tree.
        """
        place = self._places[leaf_hash(encoded_leaf)]
        siblings: list[bytes] = []
        while place:
            siblings.append(self._tree[place + 1 if place % 2 else place - 1])
            place = (place - 1) // 2
        return tuple(siblings)


def merkle_root(encoded_leaves: Iterable[bytes]) -> bytes:
    """Return the root alone. Raises ValueError as ``MerkleTree`` does."""
    return MerkleTree(encoded_leaves).root


def verify(root: bytes, encoded_leaf: bytes, proof: Sequence[bytes]) -> bool:
    """
    Say whether *proof* leads from the leaf to *root*.

    Siblings of another length than 32 bytes lead nowhere: no tree hashes such a node.
    """
    node = leaf_hash(encoded_leaf)
    for sibling in proof:
        node = _node(node, sibling)
    return node == root
