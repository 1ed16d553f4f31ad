"""
IBC messages as calls of the host: what comes under one attestation is one call, and a header that
stands before it goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tieline.contract.energy_trade import ENCODING, PORT, VERSION
from tieline.contract.errors import InvalidMessage
from tieline.contract.twin.state import client_number_of
from tieline.interfaces.errors import Rejected
from tieline.light_clients.attestations.messages import (
    ATTESTATION_PROOF_URL,
    CLIENT_STATE_URL,
    CONSENSUS_STATE_URL,
    ClientState,
    ConsensusState,
)
from tieline.protocol.commitment import (
    acknowledgement_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.errors import (
    ClientRefused,
    ClientTypeUnknown,
    InvalidAcknowledgement,
    InvalidIdentifier,
    InvalidPayload,
    ProofInvalid,
    ProtocolError,
)
from tieline.protocol.messages import (
    AcknowledgePacket,
    AnyMessage,
    CreateClient,
    RecvPacket,
    RegisterCounterparty,
    TimeoutPacket,
)
from tieline.protocol.packet import Packet
from tieline.protocol.time import TimestampNanoseconds, to_seconds
from tieline.swap.records import TradeEvidence
from tieline.wire.abi import decode_energy_trade
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.attestations import decode_packet_attestation
from tieline.wire.errors import Malformed
from tieline.wire.evm import contract_calls as calls
from tieline.wire.evm.declarations import Function
from tieline.wire.hashes import keccak

Proved = RecvPacket | AcknowledgePacket | TimeoutPacket
_PREFIX: Final = (b"",)
_NO_UPDATE: Final = (b"", b"")


def refusal(kind: type[ProtocolError], text: str) -> Rejected:
    """Return what the Python contract would refuse with."""
    return Rejected(kind.codespace, kind.code, text)


def client_number(client_id: str) -> int:
    """Return N of ``attestations-N``. Raises Rejected."""
    try:
        return client_number_of(client_id)
    except ValueError as exc:
        raise refusal(InvalidIdentifier, str(exc)) from exc


def create_client(message: CreateClient) -> bytes:
    """Return the call that creates an attestations client. Raises Rejected for other types."""
    states = (message.client_state.type_url, message.consensus_state.type_url)
    if states != (CLIENT_STATE_URL, CONSENSUS_STATE_URL):
        raise refusal(ClientTypeUnknown, f"an EVM ledger runs attestations clients only: {states}")
    try:
        client = ClientState.decode(message.client_state.value)
        consensus = ConsensusState.decode(message.consensus_state.value)
        attestors = sorted(client.attestors)
    except Malformed as exc:
        raise refusal(ClientRefused, f"state malformed: {exc}") from exc
    time_s = to_seconds(TimestampNanoseconds(consensus.time_ns))
    return calls.CREATE_CLIENT.encode(
        attestors, client.min_required_sigs, client.latest_height, time_s
    )


def register_counterparty(message: RegisterCounterparty) -> bytes:
    """Return the call that pairs a client. Raises Rejected."""
    if message.counterparty_merkle_prefix != _PREFIX:
        raise refusal(InvalidMessage, 'attestations clients have the merkle prefix ("",)')
    number = client_number(message.client_id)
    return calls.REGISTER_COUNTERPARTY.encode(number, message.counterparty_client_id)


def read_update(message: AnyMessage) -> tuple[bytes, bytes]:
    """Return an attested state as the host takes it. Raises Rejected."""
    if message.type_url != ATTESTATION_PROOF_URL:
        raise refusal(ClientRefused, f"an EVM ledger takes attested states: {message.type_url}")
    return _read_proof(message.value, ClientRefused)


def _read_proof(raw: bytes, kind: type[ProtocolError]) -> tuple[bytes, bytes]:
    try:
        proof = AttestationProof.decode(raw)
    except Malformed as exc:
        raise refusal(kind, f"not an attestation: {exc}") from exc
    return proof.data, b"".join(proof.signatures)


@dataclass(slots=True)
class ProvedGroup:
    """Packet messages of one kind and client under one attestation."""

    kind: type[Proved]
    client: int
    raw_proof: bytes
    update: tuple[bytes, bytes]
    """The header before it; empty data: none."""
    items: list[Any]

    def takes(self, message: Proved) -> bool:
        """Say whether a message belongs to this group."""
        return (type(message), proof_of(message)) == (self.kind, self.raw_proof) and (
            local_client_of(message) == self.client
        )

    def encode(self) -> bytes:
        """Return the call."""
        proof = _read_proof(self.raw_proof, ProofInvalid)
        return _FUNCTIONS[self.kind].encode(self.client, self.update, proof, self.items)


_FUNCTIONS: Final[Mapping[type[Any], Function]] = {
    RecvPacket: calls.RECEIVE_PACKETS,
    AcknowledgePacket: calls.ACKNOWLEDGE_PACKETS,
    TimeoutPacket: calls.TIMEOUT_PACKETS,
}


def proof_of(message: Proved) -> bytes:
    """Return a packet message's proof."""
    match message:
        case RecvPacket(proof_commitment=proof):
            return proof
        case AcknowledgePacket(proof_acked=proof):
            return proof
        case TimeoutPacket(proof_unreceived=proof):
            return proof


def local_client_of(message: Proved) -> int:
    """Return the number of this ledger's client. Raises Rejected."""
    packet = message.packet
    is_received = isinstance(message, RecvPacket)
    return client_number(packet.destination_client if is_received else packet.source_client)


def item_of(message: Proved, evidence: Mapping[bytes, TradeEvidence]) -> Any:
    """Return a packet as its call lists it. Raises Rejected."""
    packet = message.packet
    wire = packet_tuple(packet)
    match message:
        case RecvPacket():
            key = packet_commitment_key(packet.source_client, packet.sequence)
            return (wire, _entry_of(message, key), _evidence_of(packet, evidence))
        case AcknowledgePacket(acknowledgement=answer):
            if len(answer.app_acknowledgements) != 1:
                raise refusal(InvalidAcknowledgement, "a packet of one payload has one answer")
            key = acknowledgement_key(packet.destination_client, packet.sequence)
            return (wire, _entry_of(message, key), answer.app_acknowledgements[0])
        case TimeoutPacket():
            key = packet_receipt_key(packet.destination_client, packet.sequence)
            return (wire, _entry_of(message, key))


def packet_tuple(packet: Packet) -> tuple[int, int, bytes]:
    """Return what the host does not know of a packet of the energy trade. Raises Rejected."""
    if not is_spoken(packet):
        raise refusal(InvalidPayload, "an EVM ledger speaks the energy trade only")
    return packet.sequence, packet.timeout_s, packet.payloads[0].value


def is_spoken(packet: Packet) -> bool:
    """Say whether a packet is in the only language of an EVM host."""
    if len(packet.payloads) != 1:
        return False
    payload = packet.payloads[0]
    return (
        payload.source_port,
        payload.destination_port,
        payload.version,
        payload.encoding,
    ) == (PORT, PORT, VERSION, ENCODING)


def skip_packet(message: RecvPacket, update: tuple[bytes, bytes]) -> bytes:
    """Return the call that says on chain that nobody there speaks a packet's language."""
    packet = message.packet
    key = packet_commitment_key(packet.source_client, packet.sequence)
    whole = (
        packet.sequence,
        packet.source_client,
        packet.destination_client,
        packet.timeout_s,
        [
            (one.source_port, one.destination_port, one.version, one.encoding, one.value)
            for one in packet.payloads
        ],
    )
    return calls.SKIP_PACKET.encode(
        client_number(packet.destination_client),
        update,
        _read_proof(message.proof_commitment, ProofInvalid),
        whole,
        _entry_of(message, key),
    )


def _entry_of(message: Proved, key: bytes) -> int:
    """Return where in a message's attestation a store key stands."""
    data, _ = _read_proof(proof_of(message), ProofInvalid)
    try:
        height, entries = decode_packet_attestation(data)
    except Malformed as exc:
        raise refusal(ProofInvalid, f"not a packet attestation: {exc}") from exc
    if height != message.proof_height.revision_height:
        said = message.proof_height.revision_height
        raise refusal(ProofInvalid, f"attestation of another height: attested={height} said={said}")
    wanted = keccak(key)
    for place, (path, _) in enumerate(entries):
        if path == wanted:
            return place
    raise refusal(ProofInvalid, f"not in the attestation: key={key.hex()}")


def _evidence_of(packet: Packet, evidence: Mapping[bytes, TradeEvidence]) -> bytes:
    """Return ``abi.encode(TradeEvidence)`` for a packet; empty if none was brought."""
    try:
        trade = decode_energy_trade(packet.payloads[0].value)
    except Malformed:
        return b""
    found = evidence.get(trade.trade_id)
    return b"" if found is None else calls.EVIDENCE.encode([evidence_tuple(found)])


def evidence_tuple(evidence: TradeEvidence) -> Sequence[Any]:
    """Return evidence as the application takes it."""
    leaves = [
        (
            (
                leaf.allocation.order_id,
                leaf.allocation.account,
                leaf.allocation.energy_wh,
                leaf.allocation.price,
                leaf.allocation.offset_wh,
            ),
            leaf.proof,
        )
        for leaf in evidence.own_leaves
    ]
    return evidence.clearing_proof, leaves
