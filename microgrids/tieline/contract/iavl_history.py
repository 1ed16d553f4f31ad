"""
The nodes of an IAVL tree as bytes, for hosts that store them: what a version added, a whole
version, and trees built from these again.

Children stand before their parent, so a reader needs no index for what it has just read; a child
that was written with an earlier version is named by its digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct, error

from tieline.contract.iavl import ABSENT, IavlTree, Node

_HEAD = Struct("<BBQQII")
"""Which children stand before, height, size, version, bytes of key and value."""
_LEFT_STANDS_BEFORE = 1
_RIGHT_STANDS_BEFORE = 2
_DIGEST_BYTES = 32


def encode_change(tree: IavlTree) -> tuple[bytes, int]:
    """Return the nodes that the last committed version added, and how many they are."""
    version = tree.version
    top = tree.root(version)
    records: list[bytes] = []
    # Nodes of this version hang together: none of them has an older parent. They are met parent
    # first, the right side before the left, which backwards is how they are to stand.
    waiting = [top] if top.version == version else []
    while waiting:
        node = waiting.pop()
        flags = 0
        if node.height:
            if node.left.version == version:
                waiting.append(node.left)
                flags = _LEFT_STANDS_BEFORE
            if node.right.version == version:
                waiting.append(node.right)
                flags |= _RIGHT_STANDS_BEFORE
        records.append(_encode(node, flags))
    records.reverse()
    return b"".join(records), len(records)


def encode_tree(top: Node) -> Iterator[bytes]:
    """Yield the nodes under *top*, one by one; the tree may go on while this is under way."""
    if top is ABSENT:
        return
    waiting = [(top, False)]
    while waiting:
        node, is_ready = waiting.pop()
        if not node.height:
            yield _encode(node, 0)
        elif is_ready:
            yield _encode(node, _LEFT_STANDS_BEFORE | _RIGHT_STANDS_BEFORE)
        else:
            waiting += ((node, True), (node.right, False), (node.left, False))


class TreeBuilder:
    """Builds the kept versions of a tree from bytes, oldest first."""

    def __init__(self) -> None:
        self._nodes: dict[bytes, Node] = {b"": ABSENT}
        self._ready: list[Node] = []

    def take(self, data: bytes) -> None:
        """
        Read nodes.

        Raises:
            ValueError: A node is missing, or these are no nodes.
        """
        nodes, ready, unpack = self._nodes, self._ready, _HEAD.unpack_from
        place, end = 0, len(data)
        try:
            while place < end:
                flags, height, size, version, key_bytes, value_bytes = unpack(data, place)
                start = place + _HEAD.size + _DIGEST_BYTES
                digest = data[start - _DIGEST_BYTES : start]
                place = start + key_bytes
                key = data[start:place]
                if not height:
                    value = data[place : place + value_bytes]
                    node = Node(key, value, version, ABSENT, ABSENT, 0, size, digest)
                    place += value_bytes
                else:
                    if flags & _RIGHT_STANDS_BEFORE:
                        right = ready.pop()
                    else:
                        right = nodes[data[place : place + _DIGEST_BYTES]]
                        place += _DIGEST_BYTES
                    if flags & _LEFT_STANDS_BEFORE:
                        left = ready.pop()
                    else:
                        left = nodes[data[place : place + _DIGEST_BYTES]]
                        place += _DIGEST_BYTES
                    node = Node(key, b"", version, left, right, height, size, digest)
                nodes[digest] = node
                ready.append(node)
        except (KeyError, IndexError, error) as exc:
            message = f"a node of the stored tree is missing: {exc}"
            raise ValueError(message) from exc
        if place != end:
            message = "a node of the stored tree is cut short"
            raise ValueError(message)

    def end_version(self) -> None:
        """Say that what follows is of another version."""
        self._ready.clear()

    def restore(self, tree: IavlTree, roots: Mapping[int, bytes]) -> None:
        """
        Put the kept versions into an empty tree.

        Args:
            tree: Empty.
            roots: Digest of the top by version, empty for an empty tree; at least one.

        Raises:
            ValueError: A top is missing.
        """
        missing = [version for version, digest in roots.items() if digest not in self._nodes]
        if missing or not roots:
            message = f"a node of the stored tree is missing: tops of versions {missing}"
            raise ValueError(message)
        tree.restore({version: self._nodes[digest] for version, digest in roots.items()})


def _encode(node: Node, flags: int) -> bytes:
    key, value = node.key, node.value
    head = _HEAD.pack(flags, node.height, node.size, node.version, len(key), len(value))
    if not node.height:
        return head + node.digest + key + value
    right = b"" if flags & _RIGHT_STANDS_BEFORE else node.right.digest
    left = b"" if flags & _LEFT_STANDS_BEFORE else node.left.digest
    return head + node.digest + key + right + left
