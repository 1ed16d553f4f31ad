"""
Answer a received packet, at once or later. A late answer finds the packet where it waits.

Sources:
    ibc-go v11 ``04-channel/v2/keeper/packet.go`` (WriteAcknowledgement).
"""

from __future__ import annotations

from tieline.protocol.commitment import (
    acknowledgement_key,
    async_packet_key,
    commit_acknowledgement,
)
from tieline.protocol.errors import AcknowledgementExists, AsyncPacketNotFound
from tieline.protocol.handlers.context import ReadContext, WriteContext, packet_event
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.protocol.well_formed import require_acknowledgement


def keep_for_later(ctx: WriteContext, packet: Packet) -> None:
    """Keep a received packet until it is answered."""
    key = async_packet_key(packet.destination_client, packet.sequence)
    ctx.set(key, ctx.encode_packet(packet))


def find_kept(ctx: WriteContext, destination_client: str, sequence: int) -> Packet:
    """
    Return a packet that waits for its answer.

    Raises:
        AcknowledgementExists: It was answered.
        AsyncPacketNotFound: It was never received, or not kept.
    """
    data = ctx.get(async_packet_key(destination_client, sequence))
    if data is not None:
        return ctx.decode_packet(data)
    facts = {"client_id": destination_client, "sequence": sequence}
    if ctx.get(acknowledgement_key(destination_client, sequence)) is not None:
        raise AcknowledgementExists("packet was answered already", **facts)
    raise AsyncPacketNotFound("no packet waits for an answer", **facts)


def validate(ctx: ReadContext, packet: Packet, acknowledgement: Acknowledgement) -> None:
    """
    Check that an answer may be written.

    Raises:
        InvalidAcknowledgement: It is not well formed.
        AcknowledgementExists: There is one already.
    """
    require_acknowledgement(acknowledgement)
    key = acknowledgement_key(packet.destination_client, packet.sequence)
    if ctx.get(key) is not None:
        raise AcknowledgementExists(
            "packet was answered already",
            client_id=packet.destination_client,
            sequence=packet.sequence,
        )


def execute(ctx: WriteContext, packet: Packet, acknowledgement: Acknowledgement) -> None:
    """Write the answer's commitment; whoever waited does no longer."""
    ctx.set(
        acknowledgement_key(packet.destination_client, packet.sequence),
        commit_acknowledgement(acknowledgement),
    )
    waiting = async_packet_key(packet.destination_client, packet.sequence)
    if ctx.get(waiting) is not None:
        ctx.delete(waiting)
    event = packet_event(ctx, "write_acknowledgement", packet)
    answer = ("encoded_acknowledgement_hex", ctx.encode_acknowledgement(acknowledgement).hex())
    ctx.emit(type(event)(event.type, (*event.attributes, answer)))
