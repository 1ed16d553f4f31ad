"""
tests/vectors/attestations.json against the host's byte code: what a stock ibc-go chain refused is
refused, for the same reason; what it accepted is accepted, but for what trust.md lets ours refuse.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coincurve import PublicKey
from fakes.artifact import Contract, artifact
from fakes.bare_evm import BareEvm, Called

from tieline.wire.codec import decode_packet
from tieline.wire.evm.abi_types import parse_type
from tieline.wire.hashes import keccak
from tieline.wire.keys import SecpKey

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "attestations.json").read_text())
CLIENT, CASES = VECTORS["client"], VECTORS["cases"]
UPDATES = [case for case in CASES if case["tag"] == 1]
RECEIVES = [case for case in CASES if case["name"].startswith("recv")]
NUMBER = int(CLIENT["client_id"].removeprefix("attestations-"))
CELL, APP = b"\x01" * 20, b"\x02" * 20
PROVED = "LanguageUnknown"
LATER_S = 2 * 10**9

NAME_OF_CODE = {
    4: "QuorumNotMet",
    5: "SignerInvalid",
    6: "SignerInvalid",
    7: "AttestationMalformed|HeightUnknown",
    8: "CommitmentMismatch",
    11: "PathMismatch",
    12: "SignatureInvalid",
    29: "ClientIsFrozen",
}
SPELLED_OTHERWISE = {
    "update: ok 3 of 4, v=0/1": "SignatureInvalid",
    "update: high-s signatures": "SignatureInvalid",
    "update: ok 4 of 4, reverse order": "SignerInvalid",
}
STRICTER = SPELLED_OTHERWISE | {
    "update: higher height 200 with OLDER time (not monotone)": "TimestampNotMonotone",
}
"""What ibc-go takes and we do not (``docs/spec/trust.md`` 2)."""
OTHERWISE = {
    "recv: attestation for 102, proof_height 103": "",
    "update: 64-byte signatures": "QuorumNotMet|SignatureInvalid",
}
"""
No proof height is given apart from the attestation's own; signatures are one string of bytes, of
which three times 64 are two and a half.
"""


def make_host() -> Contract:
    """A host on which the vector's client has the vector's number."""
    evm = BareEvm(LATER_S)
    host = Contract.create(evm, artifact("Host"), b"\x03" * 32, b"\x04" * 32, CELL, APP)
    attestors = sorted(bytes.fromhex(one[2:]) for one in CLIENT["attestor_addresses"])
    for _ in range(NUMBER + 1):
        born = host.send(
            CELL,
            "createClient",
            attestors,
            CLIENT["min_required_sigs"],
            CLIENT["initial_height"],
            CLIENT["consensus_timestamp_ns"] // 10**9,
        )
        assert born.is_success
    paired = host.send(CELL, "registerCounterparty", NUMBER, CLIENT["counterparty_client_id"])
    assert paired.is_success
    return host


def signer_of(case: dict[str, Any], signature: bytes) -> bytes:
    """Whoever signed, in whatever spelling."""
    if len(signature) != 65:
        return b""
    recovery = bytes((signature[64] % 27,))
    digest = bytes.fromhex(case["digest"])
    key = PublicKey.from_signature_and_message(signature[:64] + recovery, digest, hasher=None)
    return keccak(key.format(compressed=False)[1:])[-20:]


def proof_of(case: dict[str, Any]) -> tuple[bytes, bytes]:
    """Data and signatures, as a relayer sorts them; but for the case about their order."""
    signatures = [bytes.fromhex(text) for text in case["signatures"]]
    if "order" not in case["name"]:
        signatures.sort(key=lambda one: signer_of(case, one))
    return bytes.fromhex(case["attestation_data"]), b"".join(signatures)


def respelled(case: dict[str, Any]) -> tuple[bytes, bytes]:
    """The same statement as our attestors sign it."""
    keys = (SecpKey(bytes.fromhex(text)) for text in CLIENT["attestor_private_keys"])
    digest = bytes.fromhex(case["digest"])
    signers = sorted(keys, key=lambda key: key.address)[:3]
    data = bytes.fromhex(case["attestation_data"])
    return data, b"".join(key.sign_digest(digest) for key in signers)


def name_of(host: Contract, called: Called) -> str:
    """The custom error's name, empty if there is none."""
    return "" if called.is_success else host.abi.error(called.output)[0]


def skipped_for(host: Contract, called: Called) -> str:
    """Why a packet was skipped: not proved, or proved and of no language that is spoken here."""
    (told,) = called.logs
    (reason,) = parse_type("(bytes)").decode(told.data)
    return host.abi.error(reason)[0]


def is_expected(case: dict[str, Any], name: str) -> bool:
    """Whether the answer is the stock chain's, or one that ours may give."""
    allowed = STRICTER.get(case["name"], NAME_OF_CODE.get(case["chain_code"], ""))
    return name in OTHERWISE.get(case["name"], allowed).split("|")


def test_updates_in_the_vectors_order_are_answered_as_by_ibc_go() -> None:
    """One client lives through all of them; the last but one freezes it."""
    host = make_host()
    for case in UPDATES:
        called = host.send(b"\x05" * 20, "updateClient", NUMBER, proof_of(case))
        assert is_expected(case, name_of(host, called)), (case["name"], called)
        if case["name"] in SPELLED_OTHERWISE:
            again = host.send(b"\x05" * 20, "updateClient", NUMBER, respelled(case))
            assert again.is_success, case["name"]
    assert host.ask("client", NUMBER)[8] is True, "frozen"
    times = {
        int(case["attestation_data"][:64], 16): int(case["attestation_data"][64:], 16)
        for case in UPDATES
        if case["chain_code"] == 0 and "OLDER" not in case["name"] and "freezes" not in case["name"]
    }
    assert {height: host.ask("timestampAt", NUMBER, height) for height in times} == times


@pytest.fixture
def host() -> Contract:
    """A host that knows the heights that the receives are proved under."""
    host = make_host()
    for case in UPDATES:
        if case["chain_code"] == 0 and "freezes" not in case["name"]:
            host.send(b"\x05" * 20, "updateClient", NUMBER, respelled(case))
    return host


@pytest.mark.parametrize("case", RECEIVES, ids=lambda case: case["name"])
def test_proofs_of_packets_are_judged_as_by_ibc_go(host: Contract, case: dict[str, Any]) -> None:
    """The vector's packets speak another port, so the host proves them only to skip them."""
    packet = decode_packet(bytes.fromhex(case["packet_protobuf"]))
    (payload,) = packet.payloads
    whole = (
        packet.sequence,
        packet.source_client,
        packet.destination_client,
        packet.timeout_s,
        [
            (
                payload.source_port,
                payload.destination_port,
                payload.version,
                payload.encoding,
                payload.value,
            )
        ],
    )
    host.evm.now_s = packet.timeout_s - 1
    path = keccak(bytes.fromhex(case["path"]))
    assert path == bytes.fromhex(case["path_keccak"])
    data, signatures = proof_of(case)
    listed = [data[place : place + 32] for place in range(128, len(data), 64)]
    entry = listed.index(path) if path in listed else 0
    proof = (data, signatures)
    called = host.send(b"\x05" * 20, "skipPacket", NUMBER, (b"", b""), proof, whole, entry)
    name = skipped_for(host, called) if called.is_success else name_of(host, called)
    assert is_expected(case, name.replace(PROVED, "")), (name, called)
