"""
Receive a packet.

The receipt is looked up before the timeout, so that a repeat is a no-op at any time; ibc-go does
it the other way round, and there a late repeat fails its whole transaction.

Sources:
    ibc-go v11 ``04-channel/v2/keeper/packet.go`` (recvPacket); ``docs/spec/trade.md`` 4, B1.
"""

from __future__ import annotations

from tieline.protocol.commitment import (
    RECEIPT,
    commit_packet,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.errors import TimeoutElapsed
from tieline.protocol.handlers.context import (
    Freshness,
    ReadContext,
    WriteContext,
    packet_event,
    require_active,
    require_client,
    require_counterparty,
)
from tieline.protocol.messages import RecvPacket
from tieline.protocol.packet import Packet
from tieline.protocol.proof import MembershipProof, require_proof
from tieline.protocol.timeout import has_elapsed
from tieline.protocol.well_formed import require_packet


def validate(ctx: ReadContext, message: RecvPacket) -> Freshness:
    """
    Say whether the packet is proved and new.

    Raises:
        InvalidPacket, InvalidPayload, InvalidTimeout: It is not well formed.
        CounterpartyNotFound, CounterpartyMismatch: It does not come from the client's counterparty.
        TimeoutElapsed: It came too late.
        ClientNotActive: Its proof cannot be relied upon.
        ProofInvalid, HeightTooHigh, ConsensusStateNotFound: It is not proved.
    """
    packet = message.packet
    require_packet(packet)
    local = packet.destination_client
    counterparty = require_counterparty(ctx, local, packet.source_client)
    if ctx.get(packet_receipt_key(local, packet.sequence)) is not None:
        return Freshness.ALREADY_DONE
    if has_elapsed(packet.timeout_s, ctx.now_s):
        raise TimeoutElapsed("timeout elapsed", timeout_s=packet.timeout_s, now_s=ctx.now_s)
    client = require_client(ctx, local)
    require_active(ctx, client)
    claim = MembershipProof(
        packet_commitment_key(packet.source_client, packet.sequence),
        commit_packet(packet),
        message.proof_height,
        message.proof_commitment,
    )
    require_proof(client, counterparty, claim)
    return Freshness.FRESH


def execute(ctx: WriteContext, packet: Packet) -> None:
    """Write the receipt, which is never deleted. The application is called after it."""
    ctx.set(packet_receipt_key(packet.destination_client, packet.sequence), RECEIPT)
    ctx.emit(packet_event(ctx, "recv_packet", packet))
