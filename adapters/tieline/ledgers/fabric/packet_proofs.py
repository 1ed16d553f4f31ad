"""Finds, in the blocks of a Fabric ledger, what proved each packet message that took effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tieline.interfaces.ledger import PacketProof
from tieline.ledgers.fabric.seen_blocks import SeenBlock
from tieline.protocol.messages import AcknowledgePacket, RecvPacket, TimeoutPacket
from tieline.wire.codec import decode_transaction
from tieline.wire.fabric.invocations import Function, decode_events

_PROVING = frozenset({"recv_packet", "acknowledge_packet", "timeout_packet"})
"""Events of transactions that bring proofs."""
_SUBMIT = Function.SUBMIT.encode()


def packet_proofs(blocks: Sequence[SeenBlock]) -> list[PacketProof]:
    """Return the proof of each packet message that took effect, in the order of the blocks."""
    return [
        proof
        for block in blocks
        for invocation in block.invocations
        if invocation.is_valid and invocation.function == _SUBMIT
        if any(event.type in _PROVING for event in decode_events(invocation.event))
        for proof in _proofs_of(decode_transaction(invocation.args[1]).messages)
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
