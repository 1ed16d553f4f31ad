"""Finds, in the blocks of a Tendermint ledger, what proved each packet message that took effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tieline.interfaces.ledger import BlockEvents, PacketProof
from tieline.ledgers.packet_proofs import PROVING, proofs_of_done, proofs_of_messages
from tieline.protocol.events import Event
from tieline.wire.blocks import StoredBlock
from tieline.wire.codec import decode_transaction


def packet_proofs(
    blocks: Sequence[BlockEvents], whole_blocks: Sequence[StoredBlock]
) -> list[PacketProof]:
    """Return the proof of each packet message that took effect, as ``proofs_of_done``."""
    transactions = [stored.block.transactions for stored in whole_blocks]
    return proofs_of_done(blocks, transactions, _proofs_of)


def _proofs_of(raw: bytes, events: Sequence[Event]) -> Iterator[PacketProof]:
    if not any(event.type in PROVING for event in events):
        return
    yield from proofs_of_messages(decode_transaction(raw).messages)
