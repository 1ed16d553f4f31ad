"""What evm-sealed clients are told, against the generated protobuf messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.light_clients.evm.building import client_header, commitment_slot, storage_proof
from tieline.light_clients.evm.messages import (
    CLIENT_STATE_URL,
    CONSENSUS_STATE_URL,
    HEADER_URL,
    MISBEHAVIOUR_URL,
    ClientHeader,
    ClientState,
    ConsensusState,
    Misbehaviour,
    PinnedContract,
    Sealing,
    StorageProof,
)
from tieline.wire.errors import Malformed
from tieline.wire.generated.client.v1 import evm_sealed_pb2 as pb
from tieline.wire.hashes import keccak
from tieline.wire.ids import chain_tag

uint64 = st.integers(0, (1 << 64) - 1)
octets = st.binary(max_size=80)
many = st.lists(octets, max_size=4).map(tuple)
pins = st.lists(st.builds(PinnedContract, octets, octets), max_size=4).map(tuple)
client_states = st.builds(
    ClientState,
    uint64,
    octets,
    st.sampled_from(Sealing),
    many,
    octets,
    pins,
    uint64,
    uint64,
    uint64,
    st.booleans(),
    octets,
)


def test_the_names_are_those_of_the_schema():
    assert "/" + pb.EvmSealedClientState.DESCRIPTOR.full_name == CLIENT_STATE_URL
    assert "/" + pb.EvmSealedConsensusState.DESCRIPTOR.full_name == CONSENSUS_STATE_URL
    assert "/" + pb.EvmSealedHeader.DESCRIPTOR.full_name == HEADER_URL
    assert "/" + pb.EvmSealedMisbehaviour.DESCRIPTOR.full_name == MISBEHAVIOUR_URL
    named = {value: name.removeprefix("EVM_SEALING_") for name, value in pb.EvmSealing.items()}
    assert {one.value: one.name for one in Sealing} == {k: v for k, v in named.items() if k}


@given(client_states)
def test_client_states_are_as_protobuf_writes_them(ours):
    theirs = pb.EvmSealedClientState(
        chain_id=ours.chain_id,
        genesis_hash=ours.genesis_hash,
        sealing=int(ours.sealing),
        sealers=ours.sealers,
        host=ours.host,
        pinned=[pb.PinnedContract(address=p.address, code_hash=p.code_hash) for p in ours.pinned],
        commitments_slot=ours.commitments_slot,
        latest_height=ours.latest_height,
        trusting_period=ours.trusting_period_ns,
        max_clock_drift=ours.max_clock_drift_ns,
        is_frozen=ours.is_frozen,
    )
    assert theirs.SerializeToString(deterministic=True) == ours.encode()
    assert ClientState.decode(ours.encode()) == ours


@given(st.builds(ConsensusState, uint64, octets, octets, many))
def test_consensus_states_are_as_protobuf_writes_them(ours):
    theirs = pb.EvmSealedConsensusState(
        timestamp=ours.time_ns,
        storage_root=ours.storage_root,
        block_hash=ours.block_hash,
        validators=ours.validators,
    )
    assert theirs.SerializeToString(deterministic=True) == ours.encode()
    assert ConsensusState.decode(ours.encode()) == ours


@given(st.builds(ClientHeader, octets, many, many, uint64))
def test_headers_and_conflicts_are_as_protobuf_writes_them(ours):
    theirs = pb.EvmSealedHeader(
        header=ours.header,
        seals=ours.seals,
        trusted_height=ours.trusted_height,
        account_nodes=ours.account_nodes,
    )
    assert theirs.SerializeToString(deterministic=True) == ours.encode()
    assert ClientHeader.decode(ours.encode()) == ours
    both = Misbehaviour(ours.encode(), ours.encode())
    assert (
        pb.EvmSealedMisbehaviour(header_1=theirs, header_2=theirs).SerializeToString(
            deterministic=True
        )
        == both.encode()
    )
    assert Misbehaviour.decode(both.encode()) == both


@given(many)
def test_storage_proofs_are_as_protobuf_writes_them(nodes):
    ours = StorageProof(nodes)
    theirs = pb.EvmStorageProof(nodes=nodes)
    assert theirs.SerializeToString(deterministic=True) == ours.encode()
    assert StorageProof.decode(ours.encode()) == ours


def test_an_unknown_sealing_is_refused():
    data = pb.EvmSealedClientState(chain_id=1, sealing=9).SerializeToString()
    with pytest.raises(Malformed, match="unknown sealing: 9"):
        ClientState.decode(data)


def test_a_second_spelling_is_refused():
    data = ConsensusState(1, b"r", b"h").encode()
    with pytest.raises(Malformed, match="second spelling"):
        ConsensusState.decode(data[2:] + data[:2])


def test_the_chain_tag_binds_chain_genesis_and_host():
    host = bytes(range(20))
    state = ClientState(1337, b"g" * 32, Sealing.AUTHORITY, (), host, (), 1, 1, 1)
    assert state.chain_tag == chain_tag("evm", "1337", b"g" * 32, bytes(12) + host)


def test_a_commitment_lies_in_the_mapping_at_the_documented_slot():
    base = bytes.fromhex("1260944489272988d9df285149b5aa1b0f48f2136d6f416159f840a3e0747600")
    assert commitment_slot(b"path") == keccak(keccak(b"path") + base)


def test_nodes_shared_by_several_account_proofs_are_carried_once():
    header = client_header(b"h", [[b"root", b"a"], [b"root", b"b"], [b"root", b"a"]], [b"seal"])
    assert header.account_nodes == (b"root", b"a", b"b")
    assert header.trusted_height == 0


def test_the_proof_of_an_empty_storage_is_not_empty():
    assert StorageProof.decode(storage_proof([])).nodes == (b"\x80",)
