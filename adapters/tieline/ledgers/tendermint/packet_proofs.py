"""Finds, in the blocks of a Tendermint ledger, what proved each packet message that took effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tieline.interfaces.ledger import BlockEvents, PacketProof
from tieline.ledgers.packet_proofs import proofs_of_done
from tieline.protocol.events import Event
from tieline.protocol.messages import AcknowledgePacket, RecvPacket, TimeoutPacket
from tieline.wire.blocks import StoredBlock
from tieline.wire.codec import decode_transaction

_PROVING = frozenset({"recv_packet", "acknowledge_packet", "timeout_packet"})
"""Events of transactions that bring proofs."""


def packet_proofs(
    blocks: Sequence[BlockEvents], whole_blocks: Sequence[StoredBlock]
) -> list[PacketProof]:
    """Return the proof of each packet message that took effect, as ``proofs_of_done``."""
    transactions = [stored.block.transactions for stored in whole_blocks]
    return proofs_of_done(blocks, transactions, _proofs_of)


def _proofs_of(raw: bytes, events: Sequence[Event]) -> Iterator[PacketProof]:
    if not any(event.type in _PROVING for event in events):
        return
    for message in decode_transaction(raw).messages:
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
