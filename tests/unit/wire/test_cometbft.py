"""Headers, commits and sets against blocks that CometBFT itself made and against cosmpy's bytes."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from cosmpy.protos.ibc.lightclients.tendermint.v1 import tendermint_pb2
from nacl.signing import VerifyKey

from tieline.light_clients.tendermint.messages import (
    SDK_PROOF_SPECS,
    ClientHeader,
    ClientState,
    ConsensusState,
)
from tieline.light_clients.tendermint.verifier import HeaderRefused, check_commit
from tieline.protocol.height import Height
from tieline.wire.cometbft import (
    COMMIT_FLAG,
    SignedHeader,
    Validator,
    ValidatorSet,
    decode_time,
    encode_time,
    merkle_root,
)
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import message_field
from tieline.wire.votes import vote_bytes

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "cometbft_blocks.json").read_text())
CASES = VECTORS["cases"]


def _signed(case):
    return SignedHeader.decode(bytes.fromhex(case["signed_header"]))


@pytest.mark.parametrize("case", CASES, ids=[case["chain_id"] for case in CASES])
def test_hashes_are_those_of_cometbft(case):
    signed = _signed(case)
    validators = ValidatorSet.decode(bytes.fromhex(case["validator_set"]))
    assert case["block_hash"] == signed.header.hash().hex()
    assert case["validators_hash"] == validators.hash().hex()
    assert case["last_commit_hash"] == signed.header.last_commit_hash.hex()
    hashes = [sha256(bytes.fromhex(transaction)).digest() for transaction in case["txs"]]
    assert case["data_hash"] == merkle_root(hashes).hex() == signed.header.data_hash.hex()
    assert case["parts_hash"] == signed.commit.block_id.parts_hash.hex()


@pytest.mark.parametrize("case", CASES, ids=[case["chain_id"] for case in CASES])
def test_records_are_written_back_to_the_same_bytes(case):
    assert case["signed_header"] == _signed(case).encode().hex()
    validators = ValidatorSet.decode(bytes.fromhex(case["validator_set"]))
    assert case["validator_set"] == validators.encode().hex()


@pytest.mark.parametrize("case", CASES, ids=[case["chain_id"] for case in CASES])
def test_votes_are_those_that_cometbft_signed(case):
    commit = _signed(case).commit
    for entry, expected in zip(commit.signatures, case["sign_bytes"], strict=True):
        if expected:
            block_id = commit.block_id if entry.flag == COMMIT_FLAG else None
            vote = vote_bytes(
                case["chain_id"], commit.height, commit.round, block_id, entry.time_ns
            )
            assert expected == vote.hex()


@pytest.mark.parametrize("case", CASES, ids=[case["chain_id"] for case in CASES])
def test_commits_that_cometbft_accepts_are_accepted(case):
    """All but the second: there one of seven is for nil and one silent, still above two thirds."""
    signed = _signed(case)
    validators = ValidatorSet.decode(bytes.fromhex(case["validator_set"]))
    check_commit(case["chain_id"], signed, validators)
    with pytest.raises(HeaderRefused):
        check_commit(case["chain_id"] + "x", signed, validators)


def test_client_messages_have_the_bytes_of_cosmpy():
    case = CASES[0]
    validators = ValidatorSet.decode(bytes.fromhex(case["validator_set"]))
    header = ClientHeader(_signed(case), validators, Height(1, 7), validators)
    theirs = tendermint_pb2.Header.FromString(header.encode())
    assert theirs.trusted_height.revision_height == 7
    assert theirs.SerializeToString(deterministic=True) == header.encode()
    state = ClientState("oracle-1", 1, 3, 10**18, 2 * 10**18 + 5, 10**10, Height(1, 9))
    theirs = tendermint_pb2.ClientState.FromString(state.encode())
    assert theirs.SerializeToString(deterministic=True) == state.encode()
    assert (theirs.trusting_period.seconds, theirs.unbonding_period.nanos) == (10**9, 5)
    assert list(theirs.upgrade_path) == ["upgrade", "upgradedIBCState"]
    iavl, simple = theirs.proof_specs
    assert (iavl.inner_spec.child_size, simple.inner_spec.child_size) == (33, 32)
    assert (iavl.inner_spec.min_prefix_length, iavl.inner_spec.max_prefix_length) == (4, 12)
    assert list(iavl.inner_spec.child_order) == [0, 1]
    assert (iavl.SerializeToString(), simple.SerializeToString()) == SDK_PROOF_SPECS
    consensus = ConsensusState(1_800_000_000 * 10**9 + 7, b"r" * 32, b"v" * 32)
    theirs = tendermint_pb2.ConsensusState.FromString(consensus.encode())
    assert theirs.SerializeToString(deterministic=True) == consensus.encode()
    for record in (header, state, consensus):
        assert type(record).decode(record.encode()) == record


def test_a_second_spelling_is_refused():
    state = ClientState("oracle-1", 1, 3, 10**18, 2 * 10**18, 10**10, Height(1, 9))
    raw = state.encode()
    assert ClientState.decode(raw) == state
    head, rest = raw[:10], raw[10:]
    for other in (rest + head, raw + b"\x50\x00", raw + b"\x0a\x00", raw[:-1], raw + b"\x60\x01"):
        with pytest.raises(Malformed):
            ClientState.decode(other)


def test_time_keeps_its_nanoseconds_before_and_after_1970():
    for time_ns in (0, 1, 1_800_000_000 * 10**9 + 123_456_789, -1, -62_135_596_800 * 10**9):
        assert decode_time(encode_time(time_ns)) == time_ns
    with pytest.raises(Malformed):
        decode_time(b"\x10\x80\x94\xeb\xdc\x03")


def test_a_foreign_proposer_address_or_total_is_refused():
    member = Validator(VerifyKey(bytes(32)).encode(), 5)
    stranger = Validator(b"\x01" * 32, 5)
    good = ValidatorSet((member,), member).encode()
    assert ValidatorSet.decode(good).total_voting_power == 5
    for bad in (
        ValidatorSet((member,), stranger).encode(),
        good[:-1] + b"\x06",
        good.replace(member.address, stranger.address, 1),
    ):
        with pytest.raises(Malformed):
            ValidatorSet.decode(bad)


def test_a_set_in_a_second_spelling_is_refused():
    """Nothing of a set is compared as a whole by those who read it: its decoder must be strict."""
    member = Validator(b"\x01" * 32, 5)
    good = ValidatorSet((member,), member)
    raw = member.encode()
    for second in (
        raw + b"\x20\x00",
        raw + b"\x18\x05",
        raw[:22] + raw[22:58] + b"\x18\x85\x00",
        raw[58:] + raw[:58],
    ):
        bad = message_field(1, second) + message_field(2, raw)
        assert second != raw
        with pytest.raises(Malformed):
            ValidatorSet.decode(bad)
    for canonical in (good.encode(), good.encode_without_total()):
        assert ValidatorSet.decode(canonical) == good
        with pytest.raises(Malformed):
            ValidatorSet.decode(canonical + b"\x18\x00")
