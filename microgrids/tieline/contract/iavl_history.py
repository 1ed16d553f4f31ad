"""
What a committed version added to an IAVL tree and what it left behind, for hosts that store nodes.

A node's digest covers its version, so it names the node for good: what is left behind never
comes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tieline.contract.iavl import ABSENT, IavlTree, Node


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node as a row; the digests of both sides are empty for a leaf, the value for the rest."""

    digest: bytes
    version: int
    height: int
    size: int
    key: bytes
    value: bytes
    left: bytes
    right: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """From one committed version to the next."""

    root: bytes
    """Digest of the top; empty for an empty tree."""
    added: tuple[NodeRecord, ...]
    removed: tuple[tuple[int, bytes], ...]
    """Version and digest of nodes of the version before that are no part of this one."""


def change_of(tree: IavlTree) -> Change:
    """Return what the last committed version changed. The version before must still be kept."""
    version = tree.version
    top = tree.root(version)
    added: list[NodeRecord] = []
    shared: set[int] = set()
    waiting = [top]
    while waiting:
        node = waiting.pop()
        if node is ABSENT:
            continue
        if node.version != version:
            shared.add(id(node))
            continue
        added.append(_record(node))
        waiting += (node.left, node.right)
    # An old node lives on only below one that the new version still points to.
    removed: list[tuple[int, bytes]] = []
    waiting = [tree.root(version - 1)]
    while waiting:
        node = waiting.pop()
        if node is ABSENT or id(node) in shared:
            continue
        removed.append((node.version, node.digest))
        waiting += (node.left, node.right)
    return Change(top.digest, tuple(added), tuple(removed))


def restore(tree: IavlTree, roots: Mapping[int, bytes], records: Iterator[NodeRecord]) -> None:
    """
    Build the kept versions of a tree from rows.

    Args:
        tree: Empty.
        roots: Digest of the top by version, empty for an empty tree; at least one.
        records: All nodes of these versions, those of lower height first.

    Raises:
        ValueError: A node is missing.
    """
    nodes: dict[bytes, Node] = {b"": ABSENT}
    try:
        for record in records:
            node = Node(
                record.key, record.value, record.version, nodes[record.left], nodes[record.right]
            )
            node.height, node.size, node.digest = record.height, record.size, record.digest
            nodes[record.digest] = node
        tree.restore({version: nodes[digest] for version, digest in roots.items()})
    except KeyError as exc:
        message = f"a node of the stored tree is missing: {exc}"
        raise ValueError(message) from exc


def _record(node: Node) -> NodeRecord:
    return NodeRecord(
        node.digest,
        node.version,
        node.height,
        node.size,
        node.key,
        node.value,
        node.left.digest,
        node.right.digest,
    )
