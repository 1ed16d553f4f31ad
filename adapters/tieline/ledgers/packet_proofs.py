"""Which transactions of a ledger's blocks can have proved packets: those that did something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from tieline.interfaces.ledger import BlockEvents, PacketProof
from tieline.protocol.events import Event
from tieline.protocol.messages import AcknowledgePacket, RecvPacket, TimeoutPacket

PROVING = frozenset({"recv_packet", "acknowledge_packet", "timeout_packet"})
"""Events of transactions that bring proofs."""


def proofs_of_done(
    blocks: Sequence[BlockEvents],
    transactions: Iterable[Sequence[bytes]],
    proofs_of: Callable[[bytes, Sequence[Event]], Iterable[PacketProof]],
) -> list[PacketProof]:
    """
    Return the proof of each packet message that took effect.

    Args:
        blocks: What the transactions did, from height 1.
        transactions: Of the same blocks, as bytes.
        proofs_of: Reads the proofs of a transaction that led to events.
    """
    return [
        proof
        for block, raws in zip(blocks, transactions, strict=True)
        for done, raw in zip(block.transactions, raws, strict=True)
        if done.code == 0
        for proof in proofs_of(raw, done.events)
    ]


def proofs_of_messages(messages: Iterable[object]) -> Iterator[PacketProof]:
    """Yield the proof that each packet message brings; others bring none."""
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
