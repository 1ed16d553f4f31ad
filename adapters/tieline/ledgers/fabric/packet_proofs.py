"""Finds, in the blocks of a Fabric ledger, what proved each packet message that took effect."""

from __future__ import annotations

from collections.abc import Sequence

from tieline.interfaces.ledger import PacketProof
from tieline.ledgers.fabric.seen_blocks import SeenBlock
from tieline.ledgers.packet_proofs import PROVING, proofs_of_messages
from tieline.wire.codec import decode_transaction
from tieline.wire.fabric.invocations import Function, decode_events

_SUBMIT = Function.SUBMIT.encode()


def packet_proofs(blocks: Sequence[SeenBlock]) -> list[PacketProof]:
    """Return the proof of each packet message that took effect, in the order of the blocks."""
    return [
        proof
        for block in blocks
        for invocation in block.invocations
        if invocation.is_valid and invocation.function == _SUBMIT
        if any(event.type in PROVING for event in decode_events(invocation.event))
        for proof in proofs_of_messages(decode_transaction(invocation.args[1]).messages)
    ]
