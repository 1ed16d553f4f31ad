"""What the tree proves, the verifier believes; what it does not prove, it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.contract.multistore import MultiStore
from tieline.light_clients.ics23 import ProofRefused, verify_membership, verify_non_membership
from tieline.wire.ics23_proofs import decode_merkle_proof, encode_merkle_proof

KEYS = st.binary(min_size=1, max_size=3)


def _stores(names, keys):
    stores = MultiStore(names)
    for index, key in enumerate(sorted(keys)):
        stores.set("ibc", key, b"%d" % index)
        if index % 3 == 2:
            stores.commit()
    return stores, stores.commit()


@settings(max_examples=40, deadline=None)
@given(
    st.sets(KEYS, min_size=1, max_size=40),
    st.lists(KEYS, max_size=20),
    st.sampled_from([("ibc",), ("ibc", "tieline"), ("a", "acc", "ibc", "x", "y")]),
)
def test_presence_and_absence_are_believed_and_their_opposites_refused(keys, asked, names):
    stores, root = _stores(names, keys)
    for key in [*keys, *asked]:
        proof = stores.prove("ibc", key, stores.version)
        value = stores.get("ibc", key)
        if value is not None:
            verify_membership(root, (b"ibc", key), proof, value)
            for bad_value in (value + b"x", b""):
                with pytest.raises(ProofRefused):
                    verify_membership(root, (b"ibc", key), proof, bad_value)
            with pytest.raises(ProofRefused):
                verify_non_membership(root, (b"ibc", key), proof)
        else:
            verify_non_membership(root, (b"ibc", key), proof)
            with pytest.raises(ProofRefused):
                verify_membership(root, (b"ibc", key), proof, b"1")
        with pytest.raises(ProofRefused):
            verify_membership(bytes(32), (b"ibc", key), proof, value or b"1")


@settings(max_examples=40, deadline=None)
@given(st.sets(KEYS, min_size=3, max_size=40), st.data())
def test_neighbours_that_are_not_adjacent_prove_no_absence(keys, data):
    """Every pair around a key, in place of the true neighbours."""
    stores, root = _stores(("ibc", "tieline"), keys)
    ordered = sorted(keys)
    hidden = data.draw(st.integers(0, len(ordered) - 1))
    key = ordered[hidden]
    proofs = [decode_merkle_proof(stores.prove("ibc", one, stores.version)) for one in ordered]
    gap = stores.prove("ibc", ordered[0] + b"\x00\x00\x00", stores.version)
    absence, of_store = decode_merkle_proof(gap)
    left = proofs[data.draw(st.integers(0, hidden - 1))][0] if hidden else None
    right = None
    if hidden + 1 < len(ordered):
        right = proofs[data.draw(st.integers(hidden + 1, len(ordered) - 1))][0]
    for sides in ((left, right), (None, right), (left, None), (None, None), (right, left)):
        forged = replace(absence, key=key, left=sides[0], right=sides[1])
        with pytest.raises(ProofRefused):
            verify_non_membership(root, (b"ibc", key), encode_merkle_proof((forged, of_store)))


def _every_byte_changed(proof):
    for place, octet in enumerate(proof):
        for flipped in (octet ^ 1, octet ^ 0x80, (octet + 1) % 256, 0, 0xFF):
            if flipped != octet:
                yield proof[:place] + bytes([flipped]) + proof[place + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 9, 33])
def test_no_byte_of_a_proof_can_be_changed_added_or_left_out(size):
    stores, root = _stores(("ibc", "tieline"), [b"key%02d" % n for n in range(0, 2 * size, 2)])
    present, absent = b"key00", b"key01"
    proof = stores.prove("ibc", present, stores.version)
    gap = stores.prove("ibc", absent, stores.version)
    value = stores.get("ibc", present)
    verify_membership(root, (b"ibc", present), proof, value)
    verify_non_membership(root, (b"ibc", absent), gap)
    for bad in [*_every_byte_changed(proof), *(proof[:n] for n in range(len(proof)))]:
        with pytest.raises(ProofRefused):
            verify_membership(root, (b"ibc", present), bad, value)
    for bad in [*_every_byte_changed(gap), gap + b"\x00", gap + gap, gap[1:]]:
        with pytest.raises(ProofRefused):
            verify_non_membership(root, (b"ibc", absent), bad)
