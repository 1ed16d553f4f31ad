"""Finds, in the blocks of a Tendermint ledger, what proved each packet message that took effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tieline.interfaces.ledger import BlockEvents, PacketProof
from tieline.protocol.messages import AcknowledgePacket, RecvPacket, TimeoutPacket
from tieline.wire.blocks import StoredBlock
from tieline.wire.codec import decode_transaction

_PROVING = frozenset({"recv_packet", "acknowledge_packet", "timeout_packet"})
"""Events of transactions that bring proofs."""


def packet_proofs(
    blocks: Sequence[BlockEvents], whole_blocks: Sequence[StoredBlock]
) -> list[PacketProof]:
    """
    Return the proof of each packet message that took effect.

    Args:
        blocks: What the transactions did, from height 1.
        whole_blocks: The same blocks with their transactions.
    """
    return [
        proof
        for block, stored in zip(blocks, whole_blocks, strict=True)
        for done, raw in zip(block.transactions, stored.block.transactions, strict=True)
        if done.code == 0 and any(event.type in _PROVING for event in done.events)
        for proof in _proofs_of(decode_transaction(raw).messages)
    ]


def _proofs_of(messages: Sequence[object]) -> Iterator[PacketProof]:
    for message in messages:
        match message:
            case RecvPacket(_, packet, proof, height):
                step, client = "recv", packet.destination_client
            case AcknowledgePacket(_, packet, _, proof, height):
                step, client = "ack", packet.source_client
            case TimeoutPacket(_, packet, proof, height):
                step, client = "timeout", packet.source_client
            case _:
                continue
        yield PacketProof(step, client, packet.sequence, height.revision_height, len(proof))
