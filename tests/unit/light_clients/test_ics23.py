"""
Proofs whose hashes are right and whose shape is not: only the rules of the spec stand against them.

An attacker cannot choose a root, but would like to read one tree's bytes as another's.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from tieline.contract.multistore import MultiStore
from tieline.light_clients.ics23 import (
    DEPTH_MAX,
    KEY_BYTES_MAX,
    STORES_DEPTH_MAX,
    VALUE_BYTES_MAX,
    ProofRefused,
    verify_membership,
    verify_non_membership,
)
from tieline.protocol.limits import PROOF_BYTES_MAX
from tieline.wire.ics23_proofs import (
    InnerOp,
    NonExistenceProof,
    decode_merkle_proof,
    encode_merkle_proof,
)

VALUES = {b"key %d" % n: b"value %d" % n for n in range(9)}
KEY = b"key 4"


@pytest.fixture
def stores():
    stores = MultiStore(("ibc", "tieline"))
    for key, value in VALUES.items():
        stores.set("ibc", key, value)
    stores.commit()
    return stores


def length(data):
    return bytes([len(data)]) + data


def fold(proof):
    """The root that a proof leads to, whatever its operations look like."""
    leaf = proof.leaf.prefix + length(proof.key) + length(sha256(proof.value).digest())
    digest = sha256(leaf).digest()
    for step in proof.path:
        digest = sha256(step.prefix + digest + step.suffix).digest()
    return digest


def under_its_own_root(in_store, of_store):
    """Put a store's proof under a multistore root that agrees with it."""
    of_store = replace(of_store, value=fold(in_store))
    return fold(of_store), encode_merkle_proof((in_store, of_store))


def step(proof, index, **changes):
    path = list(proof.path)
    path[index] = replace(path[index], **changes)
    return replace(proof, path=tuple(path))


def leaf(proof, **changes):
    return replace(proof, leaf=replace(proof.leaf, **changes))


def deeper(proof, count):
    """Many more steps of a good form: each one taller than the last."""
    extra = [
        InnerOp(1, bytes([2 * (n % 60) + 2]) + b"\x80\x80\x04\x02\x20", b"\x20" + bytes(32))
        for n in range(count)
    ]
    return replace(proof, path=(*proof.path, *extra))


SPOILED_IN_STORE = [
    ("leaf of another kind", lambda p: leaf(p, hash=2)),
    ("leaf of another kind", lambda p: leaf(p, prehash_key=1)),
    ("leaf of another kind", lambda p: leaf(p, prehash_value=0)),
    ("leaf of another kind", lambda p: leaf(p, length=0)),
    ("not that of an IAVL leaf", lambda p: leaf(p, prefix=b"\x00\x04\x02")),
    ("not that of an IAVL leaf", lambda p: leaf(p, prefix=b"\x02\x02\x02")),
    ("not that of an IAVL leaf", lambda p: leaf(p, prefix=p.leaf.prefix + b"\x00")),
    ("not that of an IAVL tree", lambda p: leaf(p, prefix=b"\x00\x02")),
    ("not that of an IAVL tree", lambda p: leaf(p, prefix=b"\x00\x02\x82\x00")),
    ("negative", lambda p: leaf(p, prefix=b"\x00\x02\x01")),
    ("another kind", lambda p: step(p, 0, hash=3)),
    ("a leaf passed", lambda p: step(p, 1, prefix=b"\x00" + p.path[1].prefix[1:])),
    ("too low", lambda p: step(p, 1, prefix=b"\x02" + p.path[1].prefix[1:])),
    ("too low", lambda p: step(p, 1, prefix=p.path[1].prefix[:1] + b"\x02" + p.path[1].prefix[2:])),
    ("another size", lambda p: step(p, 0, suffix=b"\x20" + bytes(31))),
    ("another size", lambda p: step(p, 0, prefix=p.path[0].prefix[:3], suffix=b"\x20" + bytes(32))),
    (
        "not that of an IAVL tree",
        lambda p: step(p, 0, prefix=b"\x02\x04\x02\x20", suffix=b"\x21" + bytes(32)),
    ),
    (
        "not that of an IAVL tree",
        lambda p: step(p, 0, prefix=b"\x02\x04\x02\x21", suffix=b"\x20" + bytes(32)),
    ),
    (
        "not that of an IAVL tree",
        lambda p: step(p, 0, prefix=b"\x02\x04\x02\x20\x20", suffix=b"\x20" + bytes(32)),
    ),
    (
        "not that of an IAVL tree",
        lambda p: step(p, 0, prefix=b"\x02\x04\x02\x20" + bytes(32) + b"\x21", suffix=b""),
    ),
    ("too deep", lambda p: deeper(p, DEPTH_MAX)),
    ("empty", lambda p: replace(p, value=b"")),
    ("too long", lambda p: replace(p, value=bytes(VALUE_BYTES_MAX + 1))),
    ("too low", lambda p: replace(p, path=p.path[::-1])),
    ("too low", lambda p: replace(p, path=(p.path[0], p.path[0], *p.path[1:]))),
]


@pytest.mark.parametrize(
    ("reason", "spoil"), SPOILED_IN_STORE, ids=[str(n) for n in range(len(SPOILED_IN_STORE))]
)
def test_a_store_proof_of_another_shape_is_refused(stores, reason, spoil):
    in_store, of_store = decode_merkle_proof(stores.prove("ibc", KEY, 1))
    root, proof = under_its_own_root(in_store, of_store)
    verify_membership(root, (b"ibc", KEY), proof, VALUES[KEY])
    bad = spoil(in_store)
    root, proof = under_its_own_root(bad, of_store)
    with pytest.raises(ProofRefused, match=reason):
        verify_membership(root, (b"ibc", KEY), proof, bad.value)


SPOILED_OF_STORE = [
    ("0x00", lambda p: leaf(p, prefix=b"\x01")),
    ("0x00", lambda p: leaf(p, prefix=b"\x00\x00")),
    ("leaf of another kind", lambda p: leaf(p, length=0)),
    ("a leaf passed", lambda p: step(p, 0, prefix=b"\x00")),
    ("another size", lambda p: step(p, 0, prefix=b"\x01\x01")),
    ("another size", lambda p: step(p, 0, suffix=bytes(33))),
    ("key differs", lambda p: replace(p, key=b"tieline")),
    ("another kind", lambda p: step(p, 0, hash=0)),
    ("too deep", lambda p: replace(p, path=p.path * (STORES_DEPTH_MAX + 1))),
]


@pytest.mark.parametrize(
    ("reason", "spoil"), SPOILED_OF_STORE, ids=[str(n) for n in range(len(SPOILED_OF_STORE))]
)
def test_a_multistore_proof_of_another_shape_is_refused(stores, reason, spoil):
    in_store, of_store = decode_merkle_proof(stores.prove("ibc", KEY, 1))
    bad = spoil(of_store)
    with pytest.raises(ProofRefused, match=reason):
        verify_membership(
            fold(bad), (b"ibc", KEY), encode_merkle_proof((in_store, bad)), VALUES[KEY]
        )


def test_a_key_that_is_there_is_not_its_own_neighbour(stores):
    root = stores.app_hash()
    own, of_store = decode_merkle_proof(stores.prove("ibc", KEY, 1))
    below, _ = decode_merkle_proof(stores.prove("ibc", b"key 3", 1))
    above, _ = decode_merkle_proof(stores.prove("ibc", b"key 5", 1))
    for left, right in ((own, above), (below, own), (own, own)):
        forged = NonExistenceProof(KEY, left, right)
        with pytest.raises(ProofRefused):
            verify_non_membership(root, (b"ibc", KEY), encode_merkle_proof((forged, of_store)))


def test_a_neighbour_without_a_value_is_refused(stores):
    """No tree holds one; a leaf that hashes like it is something else."""
    first, of_store = decode_merkle_proof(stores.prove("ibc", b"key 0", 1))
    hollow = replace(first, value=b"")
    of_store = replace(of_store, value=fold(hollow))
    proof = encode_merkle_proof((NonExistenceProof(b"a", None, hollow), of_store))
    with pytest.raises(ProofRefused, match="empty"):
        verify_non_membership(fold(of_store), (b"ibc", b"a"), proof)


def test_neighbours_of_two_trees_are_refused(stores):
    stores.set("ibc", b"key 9", b"late")
    stores.commit()
    root = stores.app_hash()
    old, _ = decode_merkle_proof(stores.prove("ibc", b"key 5x", 1))
    new, of_store = decode_merkle_proof(stores.prove("ibc", b"key 5x", 2))
    verify_non_membership(root, (b"ibc", b"key 5x"), encode_merkle_proof((new, of_store)))
    mixed = replace(new, left=old.left)
    with pytest.raises(ProofRefused, match="2 roots"):
        verify_non_membership(root, (b"ibc", b"key 5x"), encode_merkle_proof((mixed, of_store)))


def test_the_wrong_number_of_levels_or_steps_is_refused(stores):
    root = stores.app_hash()
    proof = stores.prove("ibc", KEY, 1)
    in_store, of_store = decode_merkle_proof(proof)
    for bad in ((in_store,), (in_store, of_store, of_store), (), (of_store, in_store)):
        with pytest.raises(ProofRefused):
            verify_membership(root, (b"ibc", KEY), encode_merkle_proof(bad), VALUES[KEY])
    for path in ((KEY,), (b"ibc", KEY, b"x"), (b"", KEY), (b"ibc", b""), ()):
        with pytest.raises(ProofRefused, match="two steps"):
            verify_membership(root, path, proof, VALUES[KEY])


def test_a_proof_longer_than_any_tree_needs_is_not_even_read(stores):
    proof = stores.prove("ibc", KEY, 1)
    padded = proof + bytes(PROOF_BYTES_MAX)
    with pytest.raises(ProofRefused, match="too long"):
        verify_membership(stores.app_hash(), (b"ibc", KEY), padded, VALUES[KEY])


def test_an_empty_value_is_never_shown(stores):
    proof = stores.prove("ibc", KEY, 1)
    with pytest.raises(ProofRefused, match="empty value"):
        verify_membership(stores.app_hash(), (b"ibc", KEY), proof, b"")


def test_operations_that_are_left_out_added_or_exchanged_lead_to_another_root(stores):
    """Under the true root; forms are judged first, so some are refused before the root is."""
    root = stores.app_hash()
    in_store, of_store = decode_merkle_proof(stores.prove("ibc", KEY, 1))
    path = in_store.path
    assert len(path) >= 3
    paths = [
        path[1:],
        path[:-1],
        (),
        path[::-1],
        (*path, path[-1]),
        (path[0], *path),
        (path[1], path[0], *path[2:]),
        (*path[:-2], path[-1], path[-2]),
    ]
    bad = [(replace(in_store, path=one), of_store) for one in paths]
    bad += [(in_store, replace(of_store, path=one)) for one in ((), of_store.path * 2)]
    for levels in bad:
        with pytest.raises(ProofRefused):
            verify_membership(root, (b"ibc", KEY), encode_merkle_proof(levels), VALUES[KEY])


def test_an_absence_between_two_stored_packets_can_be_shown_and_a_longer_key_not(stores):
    stores.set("ibc", b"x1", bytes(256 * 1024))
    stores.set("ibc", b"x3", bytes(256 * 1024))
    stores.set("ibc", b"y" * (KEY_BYTES_MAX + 1), b"v")
    root = stores.commit()
    verify_non_membership(root, (b"ibc", b"x2"), stores.prove("ibc", b"x2", 2))
    with pytest.raises(ProofRefused, match="too long"):
        verify_non_membership(root, (b"ibc", b"x4"), stores.prove("ibc", b"x4", 2))
