"""tests/vectors/attestations.json: every case was executed by a stock ibc-go chain."""

import json
from pathlib import Path
from typing import Any

import pytest

from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    decode_packet_attestation,
    decode_state_attestation,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.codec import decode_packet, encode_packet
from tieline.wire.errors import Malformed
from tieline.wire.generated.client.v1 import attestations_pb2 as pb
from tieline.wire.hashes import keccak, sha256
from tieline.wire.keys import SecpKey, recover_address

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "attestations.json").read_text(encoding="utf-8")
)
CLIENT = VECTORS["client"]
CASES: list[dict[str, Any]] = VECTORS["cases"]
ADDRESSES = [bytes.fromhex(text[2:]) for text in CLIENT["attestor_addresses"]]
KEYS = [SecpKey(bytes.fromhex(text)) for text in CLIENT["attestor_private_keys"]]
NAMES = [case["name"] for case in CASES]
LAX = {"update: ok 3 of 4, v=0/1", "update: high-s signatures"}
"""ibc-go accepts these spellings of a signature; ours is one."""
ACCEPTED = [case for case in CASES if case["chain_code"] == 0]
PACKET_CASES = [case for case in CASES if "packet_protobuf" in case]


def test_attestor_keys_have_the_addresses_of_the_client_state() -> None:
    assert [key.address for key in KEYS] == ADDRESSES
    state = pb.AttestationsClientState(
        attestor_addresses=CLIENT["attestor_addresses"],
        min_required_sigs=CLIENT["min_required_sigs"],
        latest_height=CLIENT["initial_height"],
    )
    assert state.SerializeToString().hex() == CLIENT["client_state_any"]["value"]
    consensus = pb.AttestationsConsensusState(timestamp=CLIENT["consensus_timestamp_ns"])
    assert consensus.SerializeToString().hex() == CLIENT["consensus_state_any"]["value"]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_digest_and_proof_bytes(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["attestation_data"])
    assert sha256(data).hex() == case["inner_sha256"]
    assert attestation_digest(case["tag"], data).hex() == case["digest"]
    proof = pb.AttestationProof(
        attestation_data=data, signatures=[bytes.fromhex(text) for text in case["signatures"]]
    )
    assert proof.SerializeToString().hex() == case["attestation_proof_protobuf"]


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case["name"])
def test_accepted_data_is_what_we_encode(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["attestation_data"])
    if case["tag"] == STATE_TAG:
        assert encode_state_attestation(*decode_state_attestation(data)) == data
    else:
        assert case["tag"] == PACKET_TAG
        assert encode_packet_attestation(*decode_packet_attestation(data)) == data


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case["name"])
def test_signers_of_accepted_attestations_are_recovered(case: dict[str, Any]) -> None:
    digest = bytes.fromhex(case["digest"])
    signatures = [bytes.fromhex(text) for text in case["signatures"]]
    if case["name"] in LAX:
        for signature in signatures:
            with pytest.raises(Malformed):
                recover_address(digest, signature)
        return
    keys = {key.address: key for key in KEYS}
    signers = [recover_address(digest, signature) for signature in signatures]
    assert len(set(signers)) >= CLIENT["min_required_sigs"]
    assert [keys[signer].sign_digest(digest) for signer in signers] == signatures


@pytest.mark.parametrize("case", PACKET_CASES, ids=lambda case: case["name"])
def test_packet_and_path_of_the_attested_key(case: dict[str, Any]) -> None:
    packet = bytes.fromhex(case["packet_protobuf"])
    assert encode_packet(decode_packet(packet)) == packet
    assert keccak(bytes.fromhex(case["path"])).hex() == case["path_keccak"]


def test_data_with_other_offsets_or_lengths_is_refused() -> None:
    good = encode_packet_attestation(7, [(b"\x01" * 32, b"\x02" * 32)])
    spoiled = [
        good[32:],
        good[:-1],
        good + b"\0",
        b"",
        good[:31] + b"\x40" + good[32:],
        good[:95] + b"\x60" + good[96:],
        good[:127] + b"\x02" + good[128:],
        good[:32] + b"\x01" + good[33:],
    ]
    for data in spoiled:
        with pytest.raises(Malformed):
            decode_packet_attestation(data)
    with pytest.raises(Malformed):
        decode_state_attestation(bytes(63))
    with pytest.raises(Malformed):
        decode_state_attestation(b"\x01" + bytes(63))
    assert decode_packet_attestation(good) == (7, ((b"\x01" * 32, b"\x02" * 32),))
