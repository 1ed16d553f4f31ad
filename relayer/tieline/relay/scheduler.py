"""
Which effects share a transaction: bounded batches, fair turns for the routes, halves of what
failed.

Nothing here knows lanes or keys; a batch is a tuple of effects of one ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tieline.protocol.messages import AcknowledgePacket, RecvPacket, TimeoutPacket
from tieline.relay.effects import Effect, RelayedMessage
from tieline.relay.route import Endpoint
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgCollectShare,
    MsgRefund,
    MsgTradeEvidence,
)

_MESSAGE_BYTES = 320
"""A message without proofs: two accounts, a few ids, signatures."""
_PROOF_BYTES = 3_600
"""Native proof of two levels and an attestation of sixteen entries."""
_PACKET_BYTES = 1_000
_NODE_BYTES = 34


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much one transaction may carry."""

    messages_max: int = 256
    """A quarter of what our hosts allow: a failing batch is halved at most eight times."""
    bytes_max: int = 500_000
    """Half of CometBFT's default; estimated."""

    def __post_init__(self) -> None:
        if self.messages_max < 1 or self.bytes_max < 1:
            raise ValueError("a batch must have room for one message")


def estimated_bytes(effect: Effect) -> int:
    """Return about how many bytes an effect takes in a transaction, its proof included."""
    return sum(_message_bytes(message) for message in effect.messages)


def _message_bytes(message: RelayedMessage) -> int:
    match message:
        case RecvPacket() | AcknowledgePacket() | TimeoutPacket():
            return _PACKET_BYTES + _PROOF_BYTES
        case MsgTradeEvidence(evidence=evidence):
            leaves = sum(180 + _NODE_BYTES * len(leaf.proof) for leaf in evidence.own_leaves)
            return _MESSAGE_BYTES + _NODE_BYTES * len(evidence.clearing_proof) + leaves
        case MsgApplyVerdict(leaves=leaves_proved, signatures=signatures):
            leaves = sum(320 + _NODE_BYTES * len(item.proof) for item in leaves_proved)
            return 2 * _MESSAGE_BYTES + 67 * len(signatures) + leaves
        case MsgCollectShare(proof=proof):
            return _MESSAGE_BYTES + _NODE_BYTES * len(proof)
        case MsgClaim() | MsgRefund():
            return 3 * _MESSAGE_BYTES
        case _:
            return 2 * _MESSAGE_BYTES


def take_turns(effects: Sequence[Effect]) -> list[Effect]:
    """
    Reorder so that inside each step the routes take turns; the order of steps stays.

    A flood on one route then delays the others by one packet each, not by the whole flood.
    """
    turns: dict[str, dict[Endpoint | None, list[Effect]]] = {}
    for effect in effects:
        route = effect.proof.verifier if effect.proof else None
        turns.setdefault(effect.step, {}).setdefault(route, []).append(effect)
    return [
        effect
        for queues in turns.values()
        for turn in zip_longest(*queues.values())
        for effect in turn
        if effect is not None
    ]


class Bisection:
    """Batches that failed, as halves to be tried apart, until the guilty effect stands alone."""

    def __init__(self) -> None:
        self._halves: list[tuple[str, ...]] = []

    def __len__(self) -> int:
        return len(self._halves)

    def split(self, names: Sequence[str]) -> None:
        """Remember a failed batch of two or more effects."""
        assert len(names) > 1, names
        middle = len(names) // 2
        self._halves += [tuple(names[:middle]), tuple(names[middle:])]

    def take(self, effects: Iterable[Effect]) -> tuple[list[tuple[Effect, ...]], list[Effect]]:
        """
        Sort *effects* into halves to try and the rest.

        A half is given out once, whole; what is no longer decided drops out of it.
        """
        rest = {effect.name: effect for effect in effects}
        halves: list[tuple[Effect, ...]] = []
        for names in self._halves:
            half = tuple(rest.pop(name) for name in names if name in rest)
            if half:
                halves.append(half)
        self._halves.clear()
        return halves, list(rest.values())

    def give_back(self, half: Sequence[Effect]) -> None:
        """Keep a half for the next round: there was no lane for it."""
        self._halves.append(tuple(effect.name for effect in half))


def fill_batches(
    effects: Sequence[Effect], limits: BatchLimits, batches_max: int
) -> list[tuple[Effect, ...]]:
    """
    Cut *effects* into at most *batches_max* batches, in order; what is left is decided again later.

    An effect is never cut. One that is larger than the limits goes alone.
    """
    batches: list[tuple[Effect, ...]] = []
    batch: list[Effect] = []
    message_count = byte_count = 0
    for effect in effects:
        size = estimated_bytes(effect)
        is_full = (
            message_count + len(effect.messages) > limits.messages_max
            or byte_count + size > limits.bytes_max
        )
        if batch and is_full:
            batches.append(tuple(batch))
            batch, message_count, byte_count = [], 0, 0
        if len(batches) >= batches_max:
            return batches
        batch.append(effect)
        message_count += len(effect.messages)
        byte_count += size
    if batch and len(batches) < batches_max:
        batches.append(tuple(batch))
    return batches
