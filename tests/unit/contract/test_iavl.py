"""The tree against roots of Go's iavl, and its books at the edges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.tree_histories import draw_history

from tieline.contract.iavl import EMPTY_ROOT, IavlTree
from tieline.contract.iavl_history import TreeBuilder, encode_tree
from tieline.wire.ics23_proofs import NonExistenceProof, encode_commitment_proof

FOLDER = Path(__file__).parents[2] / "vectors"
VECTORS = FOLDER / "iavl_roots.json"
HISTORIES = json.loads((FOLDER / "iavl_histories.json").read_text("utf-8"))["cases"]


def test_every_version_has_the_root_and_the_proof_that_go_wrote():
    tree = IavlTree()
    for step in json.loads(VECTORS.read_text())["versions"]:
        for operation in step["ops"]:
            key = bytes.fromhex(operation["key"])
            if operation["remove"]:
                assert tree.remove(key) is not None
            else:
                tree.set(key, bytes.fromhex(operation["value"]))
        root = tree.commit()
        assert step["root"] == root.hex()
        proof = tree.prove(bytes.fromhex(step["proof_key"]), tree.version)
        assert step["proof"] == encode_commitment_proof(proof).hex()


@pytest.mark.parametrize("row", HISTORIES, ids=lambda row: str(row["number"]))
def test_long_histories_have_the_roots_that_go_gave_also_after_restarts(row):
    tree = IavlTree(provable_versions=3)
    for operations, root in zip(draw_history(row["number"]), row["roots"], strict=True):
        for key, value in operations:
            if value is None:
                assert tree.remove(key) is not None
            else:
                tree.set(key, value)
        assert tree.commit().hex() == root
        version = tree.version
        if version % 7 == 0:
            builder = TreeBuilder()
            builder.take(b"".join(encode_tree(tree.root(version))))
            digest = tree.root(version).digest
            tree = IavlTree(provable_versions=3)
            builder.restore(tree, {version: digest})


def test_an_empty_tree_has_the_hash_of_nothing_and_proves_nothing():
    tree = IavlTree()
    assert tree.commit() == EMPTY_ROOT
    with pytest.raises(ValueError, match="empty tree"):
        tree.prove(b"k", 1)


def test_a_version_without_writes_keeps_the_root():
    tree = IavlTree()
    tree.set(b"k", b"v")
    assert tree.commit() == tree.commit()


def test_rollback_drops_work_and_leaves_committed_nodes_alone():
    tree = IavlTree()
    for n in range(40):
        tree.set(b"%03d" % n, b"old")
    root = tree.commit()
    for n in range(0, 80, 3):
        tree.set(b"%03d" % n, b"new")
    tree.remove(b"001")
    assert tree.root_hash() != root
    tree.rollback()
    assert tree.root_hash() == root
    assert tree.get(b"000") == b"old"
    assert tree.get(b"001") == b"old"


def test_an_old_version_answers_as_it_was_until_it_is_forgotten():
    tree = IavlTree(provable_versions=2)
    tree.set(b"k", b"1")
    tree.commit()
    tree.set(b"k", b"2")
    tree.commit()
    assert tree.get(b"k", 1) == b"1"
    assert tree.get(b"k", 2) == b"2"
    tree.commit()
    with pytest.raises(KeyError):
        tree.get(b"k", 1)


def test_removing_the_last_key_empties_the_tree():
    tree = IavlTree()
    tree.set(b"k", b"v")
    assert tree.remove(b"k") == b"v"
    assert len(tree) == 0
    assert tree.remove(b"k") is None
    assert tree.root_hash() == EMPTY_ROOT


def test_items_come_ascending_and_only_under_the_prefix():
    tree = IavlTree()
    keys = [b"a", b"b", b"b1", b"b\xff", b"b\xff\xff", b"c", b"ba"]
    for key in keys:
        tree.set(key, key)
    tree.commit()
    assert [key for key, _ in tree.items(b"b")] == sorted(k for k in keys if k[:1] == b"b")
    assert [key for key, _ in tree.items()] == sorted(keys)


def test_absence_names_both_neighbours_and_one_at_an_edge():
    tree = IavlTree()
    for key in (b"b", b"d", b"f"):
        tree.set(key, b"v")
    tree.commit()
    neighbours = {}
    for key in (b"a", b"c", b"e", b"g"):
        proof = tree.prove(key, 1)
        assert isinstance(proof, NonExistenceProof)
        neighbours[key] = (proof.left and proof.left.key, proof.right and proof.right.key)
    expected = {b"a": (None, b"b"), b"c": (b"b", b"d"), b"e": (b"d", b"f"), b"g": (b"f", None)}
    assert neighbours == expected


def test_what_ics23_cannot_prove_is_refused():
    tree = IavlTree()
    for key, value in ((b"", b"v"), (b"k", b"")):
        with pytest.raises(ValueError, match="empty key or value"):
            tree.set(key, value)
