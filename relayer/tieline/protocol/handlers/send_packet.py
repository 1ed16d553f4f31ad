"""
Send a packet.

Sources:
    ibc-go v11 ``04-channel/v2/keeper/packet.go`` (sendPacket) and ``msg_server.go``.
"""

from __future__ import annotations

from tieline.protocol.commitment import commit_packet, next_sequence_key, packet_commitment_key
from tieline.protocol.errors import CounterpartyNotFound, TimeoutElapsed
from tieline.protocol.handlers.context import (
    ReadContext,
    WriteContext,
    packet_event,
    require_active,
    require_client,
)
from tieline.protocol.packet import Packet, Payload
from tieline.protocol.time import to_seconds
from tieline.protocol.timeout import has_elapsed, require_sendable
from tieline.protocol.well_formed import require_packet


def validate(
    ctx: ReadContext, source_client: str, timeout_s: int, payloads: tuple[Payload, ...]
) -> Packet:
    """
    Return the packet that would be sent.

    Raises:
        CounterpartyNotFound: The client is not paired.
        InvalidPacket, InvalidPayload, InvalidTimeout: It is not well formed.
        TimeoutElapsed: The timeout has passed here, or at the client's latest height.
        ClientNotActive: Nothing that comes back could be verified.
    """
    counterparty = ctx.counterparty(source_client)
    stored = ctx.get(next_sequence_key(source_client))
    if counterparty is None or stored is None:
        raise CounterpartyNotFound("client has no counterparty", client_id=source_client)
    packet = Packet(
        sequence=int.from_bytes(stored, "big"),
        source_client=source_client,
        destination_client=counterparty.client_id,
        timeout_s=timeout_s,
        payloads=payloads,
    )
    require_packet(packet)
    require_sendable(timeout_s, ctx.now_s)
    client = require_client(ctx, source_client)
    require_active(ctx, client)
    latest = client.rules.latest_height(client.store)
    latest_s = to_seconds(client.rules.timestamp_ns(client.store, latest))
    if has_elapsed(timeout_s, latest_s):
        raise TimeoutElapsed(
            "timeout elapsed on the destination", timeout_s=timeout_s, latest_s=latest_s
        )
    return packet


def execute(ctx: WriteContext, packet: Packet) -> None:
    """Write the commitment and count on; the sequence is one key a client."""
    key = packet_commitment_key(packet.source_client, packet.sequence)
    ctx.set(key, commit_packet(packet))
    ctx.set(next_sequence_key(packet.source_client), (packet.sequence + 1).to_bytes(8, "big"))
    ctx.emit(packet_event(ctx, "send_packet", packet))
