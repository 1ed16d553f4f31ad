"""
End a packet that was not received in time.

Time and absence are judged at one height, the proof's: there the counterparty's clock had reached
the timeout and no receipt was stored, so none ever will be.

Sources:
    ibc-go v11 ``04-channel/v2/keeper/packet.go`` (timeoutPacket).
"""

from __future__ import annotations

from tieline.protocol.commitment import packet_commitment_key, packet_receipt_key
from tieline.protocol.errors import HeightTooHigh, TimeoutNotReached
from tieline.protocol.handlers.acknowledge_packet import is_closed
from tieline.protocol.handlers.context import (
    Freshness,
    ReadContext,
    WriteContext,
    packet_event,
    require_active,
    require_client,
    require_counterparty,
)
from tieline.protocol.messages import TimeoutPacket
from tieline.protocol.packet import Packet
from tieline.protocol.proof import NonMembershipProof, require_proof
from tieline.protocol.time import to_seconds
from tieline.protocol.timeout import has_elapsed
from tieline.protocol.well_formed import require_packet


def validate(ctx: ReadContext, message: TimeoutPacket) -> Freshness:
    """
    Say whether the absence is proved and the packet still open.

    Raises:
        InvalidPacket: It is not well formed, or not the one that was sent.
        CounterpartyNotFound, CounterpartyMismatch: It went to another client.
        ClientNotActive: The proof cannot be relied upon.
        TimeoutNotReached: At the proof height it could still be received.
        ProofInvalid, HeightTooHigh, ConsensusStateNotFound: The absence is not proved.
    """
    packet = message.packet
    require_packet(packet)
    local = packet.source_client
    counterparty = require_counterparty(ctx, local, packet.destination_client)
    if is_closed(ctx, packet):
        return Freshness.ALREADY_DONE
    client = require_client(ctx, local)
    require_active(ctx, client)
    latest = client.rules.latest_height(client.store)
    if message.proof_height > latest:
        raise HeightTooHigh(
            "client height below proof height", latest=latest, proof=message.proof_height
        )
    seen_s = to_seconds(client.rules.timestamp_ns(client.store, message.proof_height))
    if not has_elapsed(packet.timeout_s, seen_s):
        raise TimeoutNotReached("timeout not reached", timeout_s=packet.timeout_s, seen_s=seen_s)
    claim = NonMembershipProof(
        packet_receipt_key(packet.destination_client, packet.sequence),
        message.proof_height,
        message.proof_unreceived,
    )
    require_proof(client, counterparty, claim)
    return Freshness.FRESH


def execute(ctx: WriteContext, packet: Packet) -> None:
    """Clear the commitment: the packet has ended. The application is called after it."""
    ctx.delete(packet_commitment_key(packet.source_client, packet.sequence))
    ctx.emit(packet_event(ctx, "timeout_packet", packet))
