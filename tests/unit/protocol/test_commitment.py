"""Commitments to the byte, against vectors that ibc-go and the trade specification produced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tieline.protocol import commitment
from tieline.protocol.packet import Acknowledgement, Packet, Payload

VECTORS = Path(__file__).parents[2] / "vectors"
IBC = json.loads((VECTORS / "ibc_v2_commitments.json").read_text())
TRADE = json.loads((VECTORS / "trade_bytes.json").read_text())


def transfer_packet() -> Packet:
    said = IBC["packet"]
    payload = {**said["payload"], "value": said["payload"]["value"].encode()}
    return Packet(
        said["sequence"],
        said["source_client"],
        said["destination_client"],
        said["timeout_timestamp_s"],
        (Payload(**payload),),
    )


def trade_packet() -> Packet:
    payload = Payload(
        "energytrade",
        "energytrade",
        "tieline-trade-1",
        "application/x-solidity-abi",
        bytes.fromhex(TRADE["expected"]["payload"]),
    )
    inputs = TRADE["inputs"]
    return Packet(1, "07-tendermint-0", inputs["client"], inputs["tau"], (payload,))


def test_a_transfer_commits_as_in_ibc_go() -> None:
    assert commitment.commit_packet(transfer_packet()).hex() == IBC["packet_commitment"]


def test_a_trade_commits_as_in_the_specification() -> None:
    expected = TRADE["expected"]["packetCommitment"]
    assert commitment.commit_packet(trade_packet()).hex() == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"some bytes", IBC["ack_some_bytes_commitment"]),
        (commitment.ERROR_ACKNOWLEDGEMENT, IBC["universal_error_ack_commitment"]),
        (bytes.fromhex(TRADE["expected"]["ack"]), TRADE["expected"]["ackCommitment"]),
    ],
)
def test_an_answer_commits_as_in_the_vectors(answer: bytes, expected: str) -> None:
    assert commitment.commit_acknowledgement(Acknowledgement((answer,))).hex() == expected


def test_the_sentinel_is_the_one_all_of_ibc_knows() -> None:
    assert commitment.ERROR_ACKNOWLEDGEMENT.hex() == IBC["universal_error_ack"]
    assert commitment.is_error(Acknowledgement((commitment.ERROR_ACKNOWLEDGEMENT,)))
    assert not commitment.is_error(Acknowledgement((b"some bytes",)))


def test_keys_are_client_tag_and_sequence_in_eight_bytes() -> None:
    ours = b"07-tendermint-0"
    tail = bytes(6) + b"\x01\x02"
    assert commitment.packet_commitment_key(ours.decode(), 258) == ours + b"\x01" + tail
    assert commitment.packet_receipt_key(ours.decode(), 258) == ours + b"\x02" + tail
    assert commitment.acknowledgement_key(ours.decode(), 258) == ours + b"\x03" + tail
    assert commitment.RECEIPT == b"\x02"


def test_a_key_joins_the_last_part_of_the_prefix() -> None:
    assert commitment.merkle_path((b"ibc", b""), b"key") == (b"ibc", b"key")
    assert commitment.merkle_path((b"",), b"key") == (b"key",)
    assert commitment.merkle_path((b"ibc", b"x/"), b"key") == (b"ibc", b"x/key")
