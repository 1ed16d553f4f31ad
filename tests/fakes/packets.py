"""Packets between a test ledger and the other one, with the proofs that only a test can make."""

from __future__ import annotations

from collections.abc import Callable

from fakes.light_client import prove
from fakes.microgrid import LOCAL, REMOTE, START_S, Ledger, key
from tieline.contract.results import TxResult
from tieline.contract.store import IBC
from tieline.protocol import commitment
from tieline.protocol.events import Event
from tieline.protocol.height import Height
from tieline.protocol.messages import (
    AcknowledgePacket,
    RecvPacket,
    SendPacket,
    TimeoutPacket,
    UpdateClient,
)
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.wire.codec import decode_packet

RELAYER = key("relayer").cosmos_account
CELL = key("cell").cosmos_account
TIMEOUT_S = START_S + 600
H = Height(0, 11)


def payload(value: bytes = b"ok", **change: str) -> Payload:
    names = {"source_port": "echo", "destination_port": "echo", "version": "echo-1"}
    return Payload(**{**names, "encoding": "text", **change}, value=value)


def incoming(value: bytes = b"ok", sequence: int = 1) -> Packet:
    return Packet(sequence, REMOTE, LOCAL, TIMEOUT_S, (payload(value),))


def receive(packet: Packet, height: Height = H) -> RecvPacket:
    path = (b"ibc", commitment.packet_commitment_key(packet.source_client, packet.sequence))
    proof = prove(height.revision_height, path, commitment.commit_packet(packet))
    return RecvPacket(RELAYER, packet, proof, height)


def acknowledge(packet: Packet, *answers: bytes, height: Height = H) -> AcknowledgePacket:
    whole = Acknowledgement(answers)
    path = (b"ibc", commitment.acknowledgement_key(packet.destination_client, packet.sequence))
    proof = prove(height.revision_height, path, commitment.commit_acknowledgement(whole))
    return AcknowledgePacket(RELAYER, packet, whole, proof, height)


def time_out(packet: Packet, height: Height = H) -> TimeoutPacket:
    path = (b"ibc", commitment.packet_receipt_key(packet.destination_client, packet.sequence))
    return TimeoutPacket(RELAYER, packet, prove(height.revision_height, path, None), height)


def send(ledger: Ledger) -> Packet:
    message = SendPacket(RELAYER, LOCAL, TIMEOUT_S, (payload(),))
    result = ledger.must("relayer", message)
    return decode_packet(bytes.fromhex(event(result, "send_packet").get("encoded_packet_hex")))


def event(result: TxResult, name: str) -> Event:
    (found,) = [item for item in result.events if item.type == name]
    return found


def names(result: TxResult) -> list[str]:
    return [item.type for item in result.events]


def stored(ledger: Ledger, key_of: Callable[[str, int], bytes], sequence: int = 1) -> bytes | None:
    return ledger.application.query(IBC, key_of(LOCAL, sequence))


def open_ledger(ledger: Ledger) -> Ledger:
    """Give it one client, paired, with consensus states at heights 10 and 11."""
    ledger.open_client()
    ledger.must("relayer", UpdateClient(RELAYER, LOCAL, ledger.header(11)))
    return ledger
