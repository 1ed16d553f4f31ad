"""
The IAVL tree of Cosmos chains: the same roots as Go's, and ICS-23 proofs made from them.

Persistent by path copying: a block's work copies the paths it touches, so every committed root of
the last blocks stays provable and uncommitted work is dropped by going back to the old root.
The root depends on history (rotations, versions), not on content alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from tieline.wire.ics23_proofs import (
    NO_HASH,
    SHA256,
    VAR_PROTO,
    CommitmentProof,
    ExistenceProof,
    InnerOp,
    LeafOp,
    NonExistenceProof,
)
from tieline.wire.proto_fields import uvarint, zigzag

EMPTY_ROOT = sha256(b"").digest()
PROVABLE_VERSIONS = 100
"""Committed roots that stay provable; an evening's slots need about thirty."""

_LENGTH = b"\x20"


class Node:
    """
    A leaf (height 0) or an inner node, whose key is the smallest of its right side.

    ``digest`` is empty until it is asked for. Only nodes of the version under work are changed in
    place.
    """

    __slots__ = ("digest", "height", "key", "left", "right", "size", "value", "version")

    def __init__(
        self,
        key: bytes,
        value: bytes,
        version: int,
        left: Node,
        right: Node,
        height: int = 0,
        size: int = 1,
        digest: bytes = b"",
    ) -> None:
        self.key = key
        self.value = value
        self.version = version
        self.left = left
        self.right = right
        self.height = height
        self.size = size
        self.digest = digest


class _Absent(Node):
    """Stands where no node is."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(b"", b"", 0, self, self)


ABSENT: Node = _Absent()
"""What an empty tree has for a root."""

_Path = list[tuple[Node, bool]]
"""From the root down: a node, and whether the way went left."""


def _leaf(key: bytes, value: bytes, version: int) -> Node:
    return Node(key, value, version, ABSENT, ABSENT)


def _measure(node: Node) -> None:
    left, right = node.left, node.right
    node.height = 1 + max(left.height, right.height)
    node.size = left.size + right.size


def _inner(key: bytes, left: Node, right: Node, version: int) -> Node:
    node = Node(key, b"", version, left, right)
    _measure(node)
    return node


def _own(node: Node, version: int) -> Node:
    """Return an inner node that may be changed in place: itself if it is of *version*."""
    if node.version == version:
        node.digest = b""
        return node
    copy = Node(node.key, b"", version, node.left, node.right)
    copy.height = node.height
    copy.size = node.size
    return copy


def _rotate_right(node: Node, version: int) -> Node:
    top = _own(node.left, version)
    node.left = top.right
    top.right = node
    _measure(node)
    _measure(top)
    return top


def _rotate_left(node: Node, version: int) -> Node:
    top = _own(node.right, version)
    node.right = top.left
    top.left = node
    _measure(node)
    _measure(top)
    return top


def _balance(node: Node, version: int) -> Node:
    """Measure an owned *node* and turn it where one side is two higher; return the new top."""
    _measure(node)
    lean = node.left.height - node.right.height
    if lean > 1:
        if node.left.left.height < node.left.right.height:
            node.left = _rotate_left(_own(node.left, version), version)
        return _rotate_right(node, version)
    if lean < -1:
        if node.right.left.height > node.right.right.height:
            node.right = _rotate_right(_own(node.right, version), version)
        return _rotate_left(node, version)
    return node


def _inner_prefix(node: Node) -> bytes:
    return zigzag(node.height) + zigzag(node.size) + zigzag(node.version)


def _digest(node: Node) -> bytes:
    """Hash what has not been hashed. The depth of recursion is the height of the tree."""
    if node.digest:
        return node.digest
    if node.height:
        node.digest = sha256(
            _inner_prefix(node) + _LENGTH + _digest(node.left) + _LENGTH + _digest(node.right)
        ).digest()
    else:
        node.digest = sha256(
            b"\x00\x02"
            + zigzag(node.version)
            + uvarint(len(node.key))
            + node.key
            + _LENGTH
            + sha256(node.value).digest()
        ).digest()
    return node.digest


class IavlTree:
    """A key-value store with a root hash for every committed version."""

    def __init__(self, provable_versions: int = PROVABLE_VERSIONS) -> None:
        self._provable_versions = provable_versions
        self._version = 0
        self._root: Node = ABSENT
        self._roots: dict[int, Node] = {0: ABSENT}

    @property
    def version(self) -> int:
        """The last committed version; 0 before the first."""
        return self._version

    def root(self, version: int) -> Node:
        """Return the top of a committed version. Raises KeyError if it is not kept."""
        return self._roots[version]

    def restore(self, roots: dict[int, Node]) -> None:
        """Take up a history that was stored: committed tops by version, at least one."""
        self._version = max(roots)
        self._roots = dict(roots)
        self._root = roots[self._version]

    def __len__(self) -> int:
        return self._root.size if self._root is not ABSENT else 0

    def get(self, key: bytes, version: int | None = None) -> bytes | None:
        """
        Return the value under work, or as of a committed *version*.

        Raises:
            KeyError: *version* is not kept.
        """
        node = self._root if version is None else self._roots[version]
        if node is ABSENT:
            return None
        while node.height:
            node = node.left if key < node.key else node.right
        return node.value if node.key == key else None

    def items(
        self, prefix: bytes = b"", version: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield the pairs under *prefix*, ascending, under work or as of a committed *version*."""
        root = self._root if version is None else self._roots[version]
        waiting = [] if root is ABSENT else [root]
        while waiting:
            node = waiting.pop()
            if not node.height:
                if node.key.startswith(prefix):
                    yield node.key, node.value
                continue
            if node.key <= prefix or node.key.startswith(prefix):
                waiting.append(node.right)
            if node.key > prefix:
                waiting.append(node.left)

    def set(self, key: bytes, value: bytes) -> bool:
        """
        Write a pair. Return whether the key was there before.

        Raises:
            ValueError: *key* or *value* is empty, which ICS-23 cannot prove.
        """
        if not key or not value:
            raise ValueError(f"empty key or value: key={key.hex()}")
        version = self._version + 1
        if self._root is ABSENT:
            self._root = _leaf(key, value, version)
            return False
        path, leaf = self._owned_path(key)
        if leaf.key == key:
            self._relink(path, _leaf(key, value, version))
            return True
        fresh = _leaf(key, value, version)
        if key < leaf.key:
            node = _inner(leaf.key, fresh, leaf, version)
        else:
            node = _inner(key, leaf, fresh, version)
        while path:
            parent, went_left = path.pop()
            if went_left:
                parent.left = node
            else:
                parent.right = node
            node = _balance(parent, version)
        self._root = node
        return False

    def remove(self, key: bytes) -> bytes | None:
        """Remove *key*; return its old value, or None if it was not there."""
        old = self.get(key)
        if old is None:
            return None
        version = self._version + 1
        path, _ = self._owned_path(key)
        if not path:
            self._root = ABSENT
            return old
        parent, went_left = path.pop()
        node = parent.right if went_left else parent.left
        # The smallest key of the subtree changes only if the leaf was a left child; the new one
        # moves up to the ancestor on whose right side it lies.
        moved = parent.key if went_left else None
        while path:
            parent, went_left = path.pop()
            if went_left:
                parent.left = node
            else:
                parent.right = node
                if moved is not None:
                    parent.key = moved
                    moved = None
            node = _balance(parent, version)
        self._root = node
        return old

    def root_hash(self) -> bytes:
        """Return the root of the work as it stands."""
        return EMPTY_ROOT if self._root is ABSENT else _digest(self._root)

    def committed_root_hash(self, version: int) -> bytes:
        """
        Return the root of a committed version.

        Raises:
            KeyError: *version* is not kept.
        """
        root = self._roots[version]
        return EMPTY_ROOT if root is ABSENT else _digest(root)

    def commit(self) -> bytes:
        """Close the version under work, forget the oldest, and return the new root."""
        digest = self.root_hash()
        self._version += 1
        self._roots[self._version] = self._root
        self._roots.pop(self._version - self._provable_versions, None)
        return digest

    def rollback(self) -> None:
        """Drop all work since the last commit."""
        self._root = self._roots[self._version]

    def prove(self, key: bytes, version: int) -> CommitmentProof:
        """
        Prove that *key* is, or is not, in a committed version.

        Raises:
            KeyError: *version* is not kept.
            ValueError: The tree of that version is empty: there is nothing to prove with.
        """
        root = self._roots[version]
        if root is ABSENT:
            raise ValueError(f"empty tree proves nothing: version={version}")
        path: _Path = []
        leaf = _descend(root, key, path)
        if leaf.key == key:
            return _existence(path, leaf)
        if leaf.key < key:
            left: ExistenceProof | None = _existence(path, leaf)
            right = _neighbour(path, to_left=False)
        else:
            left = _neighbour(path, to_left=True)
            right = _existence(path, leaf)
        return NonExistenceProof(key, left, right)

    def _owned_path(self, key: bytes) -> tuple[_Path, Node]:
        """Copy the nodes from the root to the leaf where *key* is or would be, and link them."""
        version = self._version + 1
        path: _Path = []
        node = self._root
        if node.height:
            node = self._root = _own(node, version)
        while node.height:
            went_left = key < node.key
            path.append((node, went_left))
            below = node.left if went_left else node.right
            if below.height:
                below = _own(below, version)
                if went_left:
                    node.left = below
                else:
                    node.right = below
            node = below
        return path, node

    def _relink(self, path: _Path, leaf: Node) -> None:
        if not path:
            self._root = leaf
            return
        parent, went_left = path[-1]
        if went_left:
            parent.left = leaf
        else:
            parent.right = leaf


def _descend(node: Node, key: bytes, path: _Path) -> Node:
    while node.height:
        went_left = key < node.key
        path.append((node, went_left))
        node = node.left if went_left else node.right
    return node


def _neighbour(path: _Path, *, to_left: bool) -> ExistenceProof | None:
    """Prove the leaf beside the one that *path* leads to; None at the edge of the tree."""
    depth = len(path)
    while depth and path[depth - 1][1] == to_left:
        depth -= 1
    if not depth:
        return None
    fork = path[depth - 1][0]
    beside = path[: depth - 1]
    beside.append((fork, to_left))
    node = fork.left if to_left else fork.right
    while node.height:
        beside.append((node, not to_left))
        node = node.right if to_left else node.left
    return _existence(beside, node)


def _existence(path: _Path, leaf: Node) -> ExistenceProof:
    steps: list[InnerOp] = []
    for node, went_left in reversed(path):
        prefix = _inner_prefix(node) + _LENGTH
        if went_left:
            steps.append(InnerOp(SHA256, prefix, _LENGTH + _digest(node.right)))
        else:
            steps.append(InnerOp(SHA256, prefix + _digest(node.left) + _LENGTH, b""))
    leaf_op = LeafOp(SHA256, NO_HASH, SHA256, VAR_PROTO, b"\x00\x02" + zigzag(leaf.version))
    return ExistenceProof(leaf.key, leaf.value, leaf_op, tuple(steps))
