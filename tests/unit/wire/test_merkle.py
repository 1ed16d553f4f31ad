"""Trees: the shape is held by the vectors, the refusals here."""

import pytest

from tieline.wire.merkle import MerkleTree, leaf_hash, merkle_root, verify

LEAVES = [bytes([number]) * 32 for number in range(1, 8)]


@pytest.mark.parametrize("count", range(1, 8))
def test_every_leaf_is_proved_in_trees_of_any_size(count: int) -> None:
    tree = MerkleTree(LEAVES[:count])
    for leaf in LEAVES[:count]:
        assert verify(tree.root, leaf, tree.proof(leaf))
    outsider = b"\xaa" * 32
    assert not any(verify(tree.root, outsider, tree.proof(leaf)) for leaf in LEAVES[:count])


def test_order_of_leaves_does_not_matter() -> None:
    assert merkle_root(LEAVES) == merkle_root(LEAVES[::-1])


def test_root_of_one_leaf_is_the_leaf() -> None:
    tree = MerkleTree(LEAVES[:1])
    assert tree.root == leaf_hash(LEAVES[0])
    assert tree.proof(LEAVES[0]) == ()


def test_empty_trees_and_duplicate_leaves_are_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        MerkleTree([])
    with pytest.raises(ValueError, match="duplicate"):
        MerkleTree([LEAVES[0], LEAVES[1], LEAVES[0]])


def test_leaf_that_is_not_in_the_tree_has_no_proof() -> None:
    with pytest.raises(KeyError):
        MerkleTree(LEAVES).proof(b"\xaa" * 32)


def test_spoiled_proofs_do_not_verify() -> None:
    tree = MerkleTree(LEAVES)
    proof = tree.proof(LEAVES[3])
    assert not verify(tree.root, LEAVES[3], proof[:-1])
    assert not verify(tree.root, LEAVES[3], (*proof, LEAVES[0]))
    assert not verify(tree.root, LEAVES[3], proof[::-1])
    assert not verify(tree.root, LEAVES[3], (proof[0][:31], *proof[1:]))
    assert not verify(bytes(32), LEAVES[3], proof)


def test_inner_bytes_do_not_pass_for_a_leaf() -> None:
    """The two hashes of a leaf: sibling nodes glued together must not prove as one leaf."""
    tree = MerkleTree(LEAVES[:2])
    left, right = sorted(map(leaf_hash, LEAVES[:2]))
    assert not verify(tree.root, left + right, ())


def test_siblings_cannot_be_shifted_into_the_leaf() -> None:
    """A longer sibling must not swallow part of the path."""
    tree = MerkleTree(LEAVES)
    proof = tree.proof(LEAVES[0])
    assert not verify(tree.root, LEAVES[0], (proof[0] + b"\0", *proof[1:]))
