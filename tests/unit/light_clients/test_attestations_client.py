"""The attestations client against what a stock ibc-go v11 chain answered to the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tieline.light_clients.attestations.client import CLOCK_DRIFT_NS_MAX, AttestationsClient
from tieline.light_clients.attestations.messages import (
    ATTESTATION_PROOF_URL,
    ClientState,
    ConsensusState,
    address_text,
    proof_as_any,
)
from tieline.protocol.client import ClientStatus
from tieline.protocol.errors import ClientRefused, ConsensusStateNotFound
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak
from tieline.wire.keys import SecpKey

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "attestations.json").read_text())
CLIENT, CASES = VECTORS["client"], VECTORS["cases"]
UPDATES = [case for case in CASES if case["tag"] == STATE_TAG]

REASON_OF_CODE = {
    4: "quorum not met",
    5: "duplicate signer",
    6: "not in attestor set",
    7: "invalid attestation data|consensus state not found",
    8: "height mismatch",
    11: "value not found",
    12: "invalid length",
    17: "commitment is not zero",
    29: "frozen",
}
STOCK = AttestationsClient(is_strict=False)
STRICT = AttestationsClient()
LATER_NS = 2 * 10**18
KEYS = [SecpKey(bytes.fromhex(key)) for key in CLIENT["attestor_private_keys"]]


def any_of(part):
    return AnyMessage(part["type_url"], bytes.fromhex(part["value"]))


@pytest.fixture
def stock_store(store):
    STOCK.initialise(
        store, any_of(CLIENT["client_state_any"]), any_of(CLIENT["consensus_state_any"])
    )
    return store


@pytest.fixture
def strict_store(store):
    STRICT.initialise(
        store, any_of(CLIENT["client_state_any"]), any_of(CLIENT["consensus_state_any"])
    )
    return store


def answer(store, case):
    """Return the reason of refusal, empty for none."""
    raw = bytes.fromhex(case["attestation_proof_protobuf"])
    if case["tag"] == STATE_TAG:
        try:
            STOCK.update(store, AnyMessage(ATTESTATION_PROOF_URL, raw), 0)
        except ClientRefused as refusal:
            return str(refusal)
        return ""
    height = Height(*map(int, case["proof_height"].split("-")))
    path = (bytes.fromhex(case["path"]),)
    if case["name"].startswith("timeout"):
        return STOCK.verify_non_membership(store, height, raw, path).refusal or ""
    commitment = bytes.fromhex(case["commitment"])
    return STOCK.verify_membership(store, height, raw, path, commitment).refusal or ""


def test_every_case_is_answered_as_the_chain_did(stock_store):
    """In order: the cases build upon one another."""
    for case in CASES:
        reason = answer(stock_store, case)
        if case["chain_code"] == 0:
            assert not reason, case["name"]
        else:
            expected = REASON_OF_CODE[case["chain_code"]]
            assert any(part in reason for part in expected.split("|")), (case["name"], reason)
    assert STOCK.status(stock_store, 0) is ClientStatus.FROZEN


def test_the_client_state_is_read_and_written_byte_for_byte():
    raw = bytes.fromhex(CLIENT["client_state_any"]["value"])
    state = ClientState.decode(raw)
    assert state.encode() == raw
    assert state.attestors == tuple(key.address for key in KEYS)
    assert CLIENT["initial_height"] == state.latest_height
    consensus = ConsensusState(CLIENT["consensus_timestamp_ns"])
    assert CLIENT["consensus_state_any"]["value"] == consensus.encode().hex()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_proofs_are_read_and_written_byte_for_byte(case):
    raw = bytes.fromhex(case["attestation_proof_protobuf"])
    proof = AttestationProof.decode(raw)
    assert case["attestation_data"] == proof.data.hex()
    assert case["signatures"] == [signature.hex() for signature in proof.signatures]
    assert proof.encode() == raw


def test_what_the_strict_client_refuses_beyond_stock(strict_store):
    """High s, v 0 or 1, and time that falls; the rest of the good updates pass."""
    reasons = {}
    for case in UPDATES:
        if case["chain_code"] == 0:
            raw = bytes.fromhex(case["attestation_proof_protobuf"])
            try:
                STRICT.update(strict_store, AnyMessage(ATTESTATION_PROOF_URL, raw), LATER_NS)
            except ClientRefused as refusal:
                reasons[case["name"].removeprefix("update: ")] = str(refusal)
    assert list(reasons) == [
        "ok 3 of 4, v=0/1",
        "high-s signatures",
        "higher height 200 with OLDER time (not monotone)",
    ]
    assert "falls with height" in reasons["higher height 200 with OLDER time (not monotone)"]


def attested(tag, data, count=3):
    digest = attestation_digest(tag, data)
    return AttestationProof(data, tuple(key.sign_digest(digest) for key in KEYS[:count]))


def bring(store, height, time_s, now_ns=LATER_NS):
    data = encode_state_attestation(height, time_s)
    return STRICT.update(store, proof_as_any(attested(STATE_TAG, data)), now_ns)


def test_an_attested_time_beyond_the_drift_is_refused(strict_store):
    time_s = 1_795_262_500
    edge_ns = time_s * 10**9 - CLOCK_DRIFT_NS_MAX
    with pytest.raises(ClientRefused, match="future"):
        bring(strict_store, 101, time_s, edge_ns - 1)
    assert bring(strict_store, 101, time_s, edge_ns).heights == (Height(0, 101),)


def test_a_height_filled_in_must_fit_between_its_neighbours(strict_store):
    first_s = CLIENT["consensus_timestamp_ns"] // 10**9
    bring(strict_store, 110, first_s + 10)
    for height, time_s in ((105, first_s - 1), (105, first_s + 11), (90, first_s + 1)):
        with pytest.raises(ClientRefused, match="falls with height"):
            bring(strict_store, height, time_s)
    assert bring(strict_store, 105, first_s + 10).heights
    assert bring(strict_store, 90, first_s).heights
    assert STRICT.latest_height(strict_store) == Height(0, 110)
    with pytest.raises(ConsensusStateNotFound):
        STRICT.timestamp_ns(strict_store, Height(0, 91))


def test_a_path_listed_twice_is_refused(strict_store):
    entries = [(keccak(b"key"), b"\x01" * 32), (keccak(b"key"), bytes(32))]
    data = encode_packet_attestation(100, entries)
    proof = attested(PACKET_TAG, data).encode()
    shown = STRICT.verify_membership(strict_store, Height(0, 100), proof, (b"key",), b"\x01" * 32)
    assert not shown
    assert "listed twice" in shown.refusal


def test_zeros_are_absence_and_never_a_value(strict_store):
    data = encode_packet_attestation(100, [(keccak(b"key"), bytes(32))])
    proof = attested(PACKET_TAG, data).encode()
    height = Height(0, 100)
    assert STRICT.verify_non_membership(strict_store, height, proof, (b"key",))
    assert not STRICT.verify_membership(strict_store, height, proof, (b"key",), bytes(32))
    assert not STRICT.verify_membership(strict_store, height, proof, (b"key",), b"\x02")
    assert not STRICT.verify_non_membership(strict_store, height, proof, (b"", b"key"))


def test_no_byte_of_an_attestation_can_be_changed(strict_store):
    data = encode_packet_attestation(100, [(keccak(b"key"), b"\x07" * 32)])
    proof = attested(PACKET_TAG, data).encode()
    height, value = Height(0, 100), b"\x07" * 32
    assert STRICT.verify_membership(strict_store, height, proof, (b"key",), value)
    for place in range(0, len(proof), 3):
        bad = proof[:place] + bytes([proof[place] ^ 1]) + proof[place + 1 :]
        assert not STRICT.verify_membership(strict_store, height, bad, (b"key",), value), place


SPOILED_STATES = [
    ("malformed", {"attestor_addresses": ("0x12",)}),
    ("malformed", {"attestor_addresses": ("0x" + "g" * 40,)}),
    ("unique", {"attestor_addresses": ()}),
    ("unique", {"attestor_addresses": (address_text(b"\x01" * 20),) * 2}),
    ("required signatures out", {"min_required_sigs": 0}),
    ("required signatures out", {"min_required_sigs": 5}),
    ("two thirds", {"min_required_sigs": 2}),
    ("born", {"is_frozen": True}),
    ("born", {"latest_height": 0}),
]


@pytest.mark.parametrize(("reason", "change"), SPOILED_STATES)
def test_a_client_with_a_bad_parameter_is_not_created(store, reason, change):
    fields = {
        "attestor_addresses": tuple(address_text(key.address) for key in KEYS),
        "min_required_sigs": 3,
        "latest_height": 100,
    }
    state = ClientState(**(fields | change))
    with pytest.raises(ClientRefused, match=reason):
        STRICT.initialise(store, state.as_any(), ConsensusState(5).as_any())
    assert not store
