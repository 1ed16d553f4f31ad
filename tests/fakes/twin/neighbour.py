"""
Ledger y as ledger x sees it: packets, acknowledgements and absences that y's attestors sign.
There is no y; its cells' attestors say what tests let them say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fakes.trade_records import TAU
from fakes.twin.book import Deal
from fakes.twin.parties import (
    CELL,
    CLIENT,
    PEER_CLIENT,
    account,
    attestors_needed,
    attestors_of_y,
)
from tieline.contract.energy_trade import payload_of
from tieline.contract.terms import lock_id_out
from tieline.light_clients.attestations.messages import (
    ClientState,
    ConsensusState,
    address_text,
    proof_as_any,
)
from tieline.protocol.commitment import (
    ERROR_ACKNOWLEDGEMENT,
    acknowledgement_key,
    commit_acknowledgement,
    commit_packet,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.height import Height
from tieline.protocol.messages import (
    AcknowledgePacket,
    CreateClient,
    RecvPacket,
    RegisterCounterparty,
    TimeoutPacket,
    UpdateClient,
)
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.messages import MsgTradeEvidence
from tieline.swap.records import EnergyTrade, TradeAck
from tieline.wire.abi import TRADE_ACK_VERSION, encode_trade_ack
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

RELAYER = account("relayer")
FIRST_HEIGHT = 10
SENTINEL = Acknowledgement((ERROR_ACKNOWLEDGEMENT,))


class Neighbour:
    """Attestations of y, and the messages that carry them to x."""

    def __init__(self, cells: int, now_s: int) -> None:
        self.keys = attestors_of_y(cells)
        self.needed = attestors_needed(cells)
        self.height = FIRST_HEIGHT
        self.time_s = now_s
        self.sequence = 0

    def birth(self) -> tuple[CreateClient, RegisterCounterparty]:
        """What cell x sends to make and pair the client."""
        signer = account(CELL)
        addresses = tuple(address_text(one.address) for one in self.keys)
        state = ClientState(addresses, self.needed, self.height).as_any()
        consensus = ConsensusState(self.time_s * 10**9).as_any()
        return (
            CreateClient(signer, state, consensus),
            RegisterCounterparty(signer, CLIENT, PEER_CLIENT, (b"",)),
        )

    def signed(
        self, tag: int, data: bytes, signers: Sequence[SecpKey] | None = None
    ) -> AttestationProof:
        """Bytes with as many signatures as are needed, ascending."""
        keys = self.keys[: self.needed] if signers is None else signers
        digest = attestation_digest(tag, data)
        return AttestationProof(data, tuple(one.sign_digest(digest) for one in keys))

    def update(self, now_s: int, height: int | None = None) -> UpdateClient:
        """News of y's next height (or a given one) at a time."""
        if height is None:
            self.height += 1
            self.time_s = max(self.time_s, now_s)
            height = self.height
        proof = self.signed(STATE_TAG, encode_state_attestation(height, now_s))
        return UpdateClient(RELAYER, CLIENT, proof_as_any(proof))

    def proof(self, key: bytes, value: bytes | None, height: int | None = None) -> bytes:
        """What is at a key of y's at its newest height, attested."""
        entries = [(keccak(key), bytes(32) if value is None else value)]
        data = encode_packet_attestation(self.height if height is None else height, entries)
        return self.signed(PACKET_TAG, data).encode()

    def at(self) -> Height:
        """The newest height."""
        return Height(0, self.height)

    # --- packets from y -----------------------------------------------------------------------

    def packet(self, deal: Deal, **change: Any) -> Packet:
        """The next packet of y to x, carrying a deal."""
        self.sequence += 1
        payload = change.pop("payload", None) or payload_of(deal.wire)
        fields: dict[str, Any] = {
            "sequence": self.sequence,
            "source_client": PEER_CLIENT,
            "destination_client": CLIENT,
            "timeout_s": TAU,
            "payloads": (payload,),
        }
        return Packet(**{**fields, **change})

    def receive(
        self, deal: Deal, packet: Packet, now_s: int, evidence: MsgTradeEvidence | None = None
    ) -> list[Any]:
        """Update, evidence and packet; true evidence unless another is given."""
        beside = evidence or MsgTradeEvidence(RELAYER, deal.evidence)
        update = self.update(now_s)
        key = packet_commitment_key(packet.source_client, packet.sequence)
        proof = self.proof(key, commit_packet(packet))
        return [update, beside, RecvPacket(RELAYER, packet, proof, self.at())]

    # --- answers of y to x --------------------------------------------------------------------

    def acknowledge(self, packet: Packet, answer: Acknowledgement, now_s: int) -> list[Any]:
        """Update and acknowledgement."""
        update = self.update(now_s)
        key = acknowledgement_key(packet.destination_client, packet.sequence)
        proof = self.proof(key, commit_acknowledgement(answer))
        return [update, AcknowledgePacket(RELAYER, packet, answer, proof, self.at())]

    def time_out(self, packet: Packet, proof_time_s: int) -> list[Any]:
        """Update to a time, and absence of the receipt there."""
        update = self.update(proof_time_s)
        key = packet_receipt_key(packet.destination_client, packet.sequence)
        return [update, TimeoutPacket(RELAYER, packet, self.proof(key, None), self.at())]


def accepted(trade: EnergyTrade, cap_wh: int, **change: Any) -> Acknowledgement:
    """A success of y for a trade."""
    fields: dict[str, Any] = {
        "version": TRADE_ACK_VERSION,
        "trade_id": trade.trade_id,
        "lock_id_out": lock_id_out(trade),
        "verdict_root": b"\x77" * 32,
        "cap_wh": cap_wh,
        "expiry_out": trade.expiry_out,
    }
    return Acknowledgement((encode_trade_ack(TradeAck(**{**fields, **change})),))
