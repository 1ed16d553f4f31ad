"""
Take the answer to a packet that was sent from here.

Sources:
    ibc-go v11 ``04-channel/v2/keeper/packet.go`` (acknowledgePacket).
"""

from __future__ import annotations

from tieline.protocol.commitment import (
    acknowledgement_key,
    commit_acknowledgement,
    commit_packet,
    packet_commitment_key,
)
from tieline.protocol.errors import InvalidPacket
from tieline.protocol.handlers.context import (
    Freshness,
    ReadContext,
    WriteContext,
    packet_event,
    require_active,
    require_client,
    require_counterparty,
)
from tieline.protocol.messages import AcknowledgePacket
from tieline.protocol.packet import Packet
from tieline.protocol.proof import MembershipProof, require_proof
from tieline.protocol.well_formed import require_acknowledgement, require_packet


def validate(ctx: ReadContext, message: AcknowledgePacket) -> Freshness:
    """
    Say whether the answer is proved and the packet still open.

    Raises:
        InvalidPacket: It is not well formed, or not the one that was sent.
        InvalidPayload, InvalidTimeout, InvalidAcknowledgement: Not well formed.
        CounterpartyNotFound, CounterpartyMismatch: It went to another client.
        ClientNotActive: The proof cannot be relied upon.
        ProofInvalid, HeightTooHigh, ConsensusStateNotFound: The answer is not proved.
    """
    packet = message.packet
    require_packet(packet)
    require_acknowledgement(message.acknowledgement)
    local = packet.source_client
    counterparty = require_counterparty(ctx, local, packet.destination_client)
    if is_closed(ctx, packet):
        return Freshness.ALREADY_DONE
    client = require_client(ctx, local)
    require_active(ctx, client)
    claim = MembershipProof(
        acknowledgement_key(packet.destination_client, packet.sequence),
        commit_acknowledgement(message.acknowledgement),
        message.proof_height,
        message.proof_acked,
    )
    require_proof(client, counterparty, claim)
    return Freshness.FRESH


def is_closed(ctx: ReadContext, packet: Packet) -> bool:
    """
    Say whether the packet has ended, acknowledged or timed out.

    Raises:
        InvalidPacket: Another packet is open under this client and sequence.
    """
    stored = ctx.get(packet_commitment_key(packet.source_client, packet.sequence))
    if stored is not None and stored != commit_packet(packet):
        raise InvalidPacket(
            "packet is not the one that was sent",
            client_id=packet.source_client,
            sequence=packet.sequence,
        )
    return stored is None


def execute(ctx: WriteContext, packet: Packet) -> None:
    """Clear the commitment: the packet has ended. The application is called after it."""
    ctx.delete(packet_commitment_key(packet.source_client, packet.sequence))
    ctx.emit(packet_event(ctx, "acknowledge_packet", packet))
