"""Nodes that a version adds, whole versions, and trees built from these bytes again."""

from __future__ import annotations

from random import Random

import pytest

from tieline.contract.iavl import IavlTree
from tieline.contract.iavl_history import TreeBuilder, encode_change, encode_tree

VERSIONS_KEPT = 5


class Rows:
    """What versions added, and a copy of one of them, as a host keeps them."""

    def __init__(self):
        self.changes, self.roots, self.copy, self.base = {}, {}, b"", 0

    def take(self, tree):
        nodes, _ = encode_change(tree)
        self.changes[tree.version] = nodes
        self.roots[tree.version] = tree.root(tree.version).digest
        self.roots.pop(tree.version - VERSIONS_KEPT, None)

    def take_copy(self, tree, version):
        """From here on nothing older is needed; *version* is not newer than the oldest kept."""
        self.base = version
        self.copy = b"".join(encode_tree(tree.root(version)))
        self.changes = {key: one for key, one in self.changes.items() if key > version}

    def tree(self):
        builder = TreeBuilder()
        for nodes in (self.copy, *(self.changes[key] for key in sorted(self.changes))):
            builder.take(nodes)
            builder.end_version()
        tree = IavlTree(VERSIONS_KEPT)
        builder.restore(tree, self.roots)
        return tree


def work(tree, chance):
    """Some writes and removals of a block."""
    for _ in range(chance.randrange(6)):
        stored_key = bytes([chance.randrange(40)])
        if chance.random() < 0.4:
            tree.remove(stored_key)
        else:
            tree.set(stored_key, chance.randbytes(3))


@pytest.mark.parametrize("seed", range(5))
def test_a_tree_from_its_nodes_goes_on_as_the_one_that_never_stopped(seed):
    chance, rows = Random(seed), Rows()
    steady, restarted = IavlTree(VERSIONS_KEPT), IavlTree(VERSIONS_KEPT)
    for _ in range(60):
        block = chance.random()
        for tree in (steady, restarted):
            work(tree, Random(block))
            tree.commit()
        rows.take(restarted)
        if chance.random() < 0.2:
            rows.take_copy(restarted, min(rows.roots))
        if chance.random() < 0.3:
            restarted = rows.tree()
        assert restarted.root_hash() == steady.root_hash()
        assert list(restarted.items()) == list(steady.items())
        for version in list(rows.roots):
            assert restarted.committed_root_hash(version) == steady.committed_root_hash(version)


def test_a_copy_is_of_one_version_although_blocks_go_on_and_may_come_in_parts():
    chance, tree = Random(3), IavlTree(VERSIONS_KEPT)
    for _ in range(30):
        work(tree, chance)
        tree.commit()
    version, root, content = tree.version, tree.root_hash(), list(tree.items())
    parts = []
    for count, node in enumerate(encode_tree(tree.root(version))):
        parts.append(node)
        if count % 4 == 0:
            work(tree, chance)
            tree.commit()
    assert tree.root_hash() != root
    builder = TreeBuilder()
    for part in parts:
        builder.take(part)
    found = IavlTree()
    builder.restore(found, {version: root})
    assert list(found.items()) == content
    assert found.prove(content[0][0], version)


def test_a_version_adds_each_of_its_nodes_once_and_none_of_another():
    chance, tree = Random(7), IavlTree(VERSIONS_KEPT)
    seen = set()
    for _ in range(80):
        work(tree, chance)
        tree.commit()
        nodes, count = encode_change(tree)
        waiting, fresh = [tree.root(tree.version)], set()
        while waiting:
            node = waiting.pop()
            if node.version == tree.version:
                fresh.add(node.digest)
                waiting += (node.left, node.right)
        assert len(fresh) == count
        assert not fresh & seen
        assert sum(digest in nodes for digest in fresh) == count
        seen |= fresh


def test_a_version_without_writes_adds_nothing():
    tree = IavlTree()
    tree.set(b"k", b"v")
    tree.commit()
    tree.commit()
    assert encode_change(tree) == (b"", 0)
    assert list(encode_tree(IavlTree().root(0))) == []


def test_a_missing_node_is_noticed():
    tree, rows = IavlTree(), Rows()
    for number in range(8):
        tree.set(bytes([number]), b"v")
        tree.commit()
        rows.take(tree)
    for version in list(rows.changes):
        spoiled = Rows()
        spoiled.roots, spoiled.changes = rows.roots, dict(rows.changes)
        del spoiled.changes[version]
        with pytest.raises(ValueError, match="missing"):
            spoiled.tree()


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_bytes_that_are_cut_short_are_noticed(cut):
    tree = IavlTree()
    for number in range(4):
        tree.set(bytes([number]), b"v")
    tree.commit()
    nodes, _ = encode_change(tree)
    with pytest.raises(ValueError, match=r"missing|cut short"):
        TreeBuilder().take(nodes[:-cut])
    with pytest.raises(ValueError, match="missing"):
        TreeBuilder().restore(IavlTree(), {})
