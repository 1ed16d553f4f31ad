"""What fabric-block clients are told, against the generated protobuf messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.light_clients.fabric.messages import (
    HEADER_URL,
    MISBEHAVIOUR_URL,
    AbsenceProof,
    ConfigStep,
    DefinitionStep,
    Header,
    MembershipProof,
    Misbehaviour,
    OrdererSignature,
    PeerEndorsement,
    ReadBack,
    RecordedAbsence,
    SignedBlock,
)
from tieline.light_clients.fabric.states import (
    CLIENT_STATE_URL,
    CONSENSUS_STATE_URL,
    ClientState,
    ConsensusState,
    KnownConfig,
    KnownDefinition,
)
from tieline.wire.errors import Malformed
from tieline.wire.fabric.rwsets import Version
from tieline.wire.generated.fabric.v1 import fabric_pb2 as pb

uint64 = st.integers(0, (1 << 64) - 1)
uint32 = st.integers(0, (1 << 32) - 1)
octets = st.binary(max_size=40)
many = st.lists(octets, max_size=3).map(tuple)


def some(strategy):
    return st.lists(strategy, max_size=3).map(tuple)


signatures = some(st.builds(OrdererSignature, octets, octets, octets))
blocks = st.builds(SignedBlock, uint64, octets, many, octets, signatures)
endorsements = some(st.builds(PeerEndorsement, octets, octets))
answers = st.builds(ReadBack, octets, octets, octets, octets, endorsements)
headers = st.builds(
    Header,
    blocks,
    uint32,
    answers,
    some(st.builds(ConfigStep, blocks)),
    some(st.builds(DefinitionStep, blocks, uint32)),
)
client_states = st.builds(
    ClientState,
    st.text(max_size=10),
    st.text(max_size=10),
    octets,
    uint64,
    uint64,
    uint64,
    some(st.builds(KnownConfig, uint64, octets)),
    some(st.builds(KnownDefinition, st.builds(Version, uint64, uint32), uint64, octets)),
    st.booleans(),
)
misbehaviours = st.one_of(
    st.builds(Misbehaviour, fork=st.tuples(blocks, blocks)),
    st.builds(Misbehaviour, headers=st.tuples(headers, headers)),
)
proofs = st.builds(MembershipProof, blocks, uint32, answers, many)
absences = st.builds(
    AbsenceProof, answers, st.one_of(st.none(), st.builds(RecordedAbsence, blocks, uint32))
)

EVERY = pytest.mark.parametrize(
    ("strategy", "kind", "message"),
    [
        (client_states, ClientState, pb.ClientState),
        (st.builds(ConsensusState, uint64, octets), ConsensusState, pb.ConsensusState),
        (headers, Header, pb.Header),
        (misbehaviours, Misbehaviour, pb.Misbehaviour),
        (proofs, MembershipProof, pb.MembershipProof),
        (absences, AbsenceProof, pb.AbsenceProof),
    ],
    ids=["client state", "consensus state", "header", "misbehaviour", "proof", "absence"],
)


def test_the_names_are_those_of_the_schema():
    for url, message in (
        (CLIENT_STATE_URL, pb.ClientState),
        (CONSENSUS_STATE_URL, pb.ConsensusState),
        (HEADER_URL, pb.Header),
        (MISBEHAVIOUR_URL, pb.Misbehaviour),
    ):
        assert "/" + message.DESCRIPTOR.full_name == url


@EVERY
@given(data=st.data())
def test_what_we_write_protobuf_reads_and_writes_the_same_and_we_read_it(
    data, strategy, kind, message
):
    ours = data.draw(strategy)
    raw = ours.encode()
    theirs = message.FromString(raw)
    assert theirs.SerializeToString(deterministic=True) == raw
    assert kind.decode(raw) == ours


@EVERY
@given(data=st.data())
def test_a_second_spelling_is_refused(data, strategy, kind, message):
    raw = data.draw(strategy).encode()
    for other in (raw + b"\x78\x01", raw + b"\x80\x01\x00", raw + b"\xff"):
        with pytest.raises(Malformed):
            kind.decode(other)
    merged = message.FromString(raw)
    assert merged.SerializeToString(deterministic=True) == raw


@given(blocks, uint32)
def test_fields_mean_what_the_schema_says(block, index):
    theirs = pb.DefinitionStep.FromString(DefinitionStep(block, index).encode())
    assert theirs.index == index
    assert theirs.block.number == block.number
    assert theirs.block.previous_hash == block.previous_hash
    assert tuple(theirs.block.envelopes) == block.envelopes
    assert theirs.block.metadata_value == block.metadata_value
    assert [
        (one.signature_header, one.identifier_header, one.signature)
        for one in theirs.block.signatures
    ] == [(one.signature_header, one.identifier_header, one.signature) for one in block.signatures]


@given(client_states)
def test_states_mean_what_the_schema_says(ours):
    theirs = pb.ClientState.FromString(ours.encode())
    assert (theirs.channel, theirs.chaincode) == (ours.channel, ours.chaincode)
    assert theirs.genesis_hash == ours.genesis_hash
    assert theirs.latest_height == ours.latest_height
    assert theirs.trusting_period == ours.trusting_period_ns
    assert theirs.max_clock_drift == ours.max_clock_drift_ns
    assert theirs.is_frozen == ours.is_frozen
    assert [(one.number, one.config) for one in theirs.configs] == [
        (one.number, one.config) for one in ours.configs
    ]
    assert [
        (one.block, one.index, one.sequence, one.endorsement_policy) for one in theirs.definitions
    ] == [
        (one.version.block, one.version.index, one.sequence, one.endorsement_policy)
        for one in ours.definitions
    ]
