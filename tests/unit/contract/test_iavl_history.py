"""Nodes that a version adds and leaves behind, and trees built from nodes again."""

from __future__ import annotations

from random import Random

import pytest

from tieline.contract.iavl import IavlTree
from tieline.contract.iavl_history import change_of, restore

VERSIONS_KEPT = 5


class Rows:
    """Nodes and roots as a host keeps them."""

    def __init__(self):
        self.nodes, self.roots, self.removed = {}, {}, {}

    def take(self, tree):
        change = change_of(tree)
        for one in change.added:
            assert one.digest not in self.nodes, "a node is added once"
            self.nodes[one.digest] = one
        self.roots[tree.version] = change.root
        self.removed[tree.version] = change.removed
        forgotten = tree.version - VERSIONS_KEPT
        self.roots.pop(forgotten, None)
        for version, digest in self.removed.pop(forgotten + 1, ()):
            assert self.nodes.pop(digest).version == version

    def tree(self):
        tree = IavlTree(VERSIONS_KEPT)
        restore(tree, self.roots, iter(sorted(self.nodes.values(), key=lambda one: one.height)))
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
        if chance.random() < 0.3:
            restarted = rows.tree()
        assert restarted.root_hash() == steady.root_hash()
        assert list(restarted.items()) == list(steady.items())
        for version in list(rows.roots):
            assert restarted.committed_root_hash(version) == steady.committed_root_hash(version)


def test_kept_are_the_nodes_of_the_provable_versions_and_no_others():
    chance, rows, tree = Random(7), Rows(), IavlTree(VERSIONS_KEPT)
    for _ in range(80):
        work(tree, chance)
        tree.commit()
        rows.take(tree)
        reachable, waiting = set(), list(rows.roots.values())
        while waiting:
            digest = waiting.pop()
            if digest and digest not in reachable:
                reachable.add(digest)
                waiting += (rows.nodes[digest].left, rows.nodes[digest].right)
        assert reachable == set(rows.nodes)


def test_a_version_without_writes_changes_nothing():
    tree = IavlTree()
    tree.set(b"k", b"v")
    tree.commit()
    tree.commit()
    change = change_of(tree)
    assert (change.added, change.removed, change.root) == ((), (), tree.root_hash())


def test_a_missing_node_is_noticed():
    tree, rows = IavlTree(), Rows()
    for number in range(8):
        tree.set(bytes([number]), b"v")
    tree.commit()
    rows.take(tree)
    for digest in list(rows.nodes):
        spoiled = Rows()
        spoiled.roots, spoiled.nodes = rows.roots, dict(rows.nodes)
        del spoiled.nodes[digest]
        with pytest.raises(ValueError, match="missing"):
            spoiled.tree()
