"""The hand-written bytes of attestations and pairs are those that the schema gives."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.protocol.messages import AnyMessage
from tieline.swap.records import AttestorKey
from tieline.wire.attestation_proofs import (
    PAIRED_CLIENT_STATE_URL,
    PAIRED_URL,
    AttestationProof,
    Paired,
    PairedClientState,
    SignedAttestorKey,
)
from tieline.wire.generated.client.v1 import attestations_pb2, client_pb2
from tieline.wire.set_rotation import ROTATE_SET_URL, RotateSet

BYTES = st.binary(max_size=300)
B20, B32, B65 = (st.binary(min_size=size, max_size=size) for size in (20, 32, 65))
KEY = st.builds(
    SignedAttestorKey,
    st.builds(AttestorKey, B32, B20, B20, st.integers(0, 2**64 - 1)),
    B65,
    B65,
)
STATE = st.builds(
    PairedClientState,
    st.builds(AnyMessage, st.text(max_size=20), BYTES),
    st.lists(KEY, max_size=3).map(tuple),
    st.integers(0, 2**32 - 1),
    B20,
)


def test_type_urls_are_those_of_the_schema() -> None:
    assert "/" + client_pb2.Paired.DESCRIPTOR.full_name == PAIRED_URL
    assert "/" + client_pb2.PairedClientState.DESCRIPTOR.full_name == PAIRED_CLIENT_STATE_URL


@given(BYTES, st.lists(B65, max_size=4))
@settings(deadline=None)
def test_attestation_proof(data: bytes, signatures: list[bytes]) -> None:
    ours = AttestationProof(data, tuple(signatures))
    theirs = attestations_pb2.AttestationProof(attestation_data=data, signatures=signatures)
    assert ours.encode() == theirs.SerializeToString(deterministic=True)
    assert AttestationProof.decode(ours.encode()) == ours


@given(BYTES, BYTES)
@settings(deadline=None)
def test_paired(native: bytes, attestation: bytes) -> None:
    ours = Paired(native, attestation)
    theirs = client_pb2.Paired(native=native, attestation=attestation)
    assert ours.encode() == theirs.SerializeToString(deterministic=True)
    assert Paired.decode(ours.encode()) == ours


@given(STATE)
@settings(max_examples=40, deadline=None)
def test_paired_client_state(ours: PairedClientState) -> None:
    theirs = client_pb2.PairedClientState.FromString(ours.encode())
    assert theirs.SerializeToString(deterministic=True) == ours.encode()
    assert (theirs.native.type_url, theirs.native.value) == (
        ours.native.type_url,
        ours.native.value,
    )
    assert (theirs.min_signatures, theirs.own_cell) == (ours.min_signatures, ours.own_cell)
    for entry, signed in zip(theirs.attestor_keys, ours.attestor_keys, strict=True):
        key = AttestorKey(
            entry.key.chain_tag, entry.key.cell, entry.key.attestor, entry.key.from_epoch
        )
        read = SignedAttestorKey(key, entry.cell_signature, entry.attestor_signature)
        assert read == signed
    assert PairedClientState.decode(ours.encode()) == ours


@given(
    st.lists(st.binary(max_size=20), max_size=4).map(tuple),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.lists(st.binary(max_size=65), max_size=4).map(tuple),
)
def test_rotations_are_as_protobuf_writes_them(attestors, needed, height, signatures):
    ours = RotateSet(attestors, needed, height, signatures)
    theirs = client_pb2.RotateSet(
        attestors=attestors, min_signatures=needed, from_height=height, signatures=signatures
    )
    assert theirs.SerializeToString(deterministic=True) == ours.encode()
    assert RotateSet.decode(ours.encode()) == ours
    assert "/" + client_pb2.RotateSet.DESCRIPTOR.full_name == ROTATE_SET_URL
