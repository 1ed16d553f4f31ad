"""Which transactions of a ledger's blocks can have proved packets: those that did something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tieline.interfaces.ledger import BlockEvents, PacketProof
from tieline.protocol.events import Event


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
