"""
The bulletin as the steps read it: what cannot change any more is read once.

A trade's evidence and a signed statement are final when a step asks for them, and making their
proofs anew in every round would be most of a round's work.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from tieline.interfaces.bulletin import (
    Bulletin,
    PublishedCellSet,
    PublishedClearing,
    PublishedDelivery,
    PublishedLeaf,
    PublishedVerdict,
    SidedLeaf,
)
from tieline.swap.records import TradeEvidence

REMEMBERED_MAX = 4_096
"""Trades whose evidence is kept: some hundred slots of a busy hub."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Published:
    """A bulletin with a memory. Rereads what may still grow when the revision rises."""

    def __init__(self, bulletin: Bulletin) -> None:
        self._bulletin = bulletin
        self._evidence: dict[tuple[bytes, bytes], TradeEvidence] = {}
        self._allocations: dict[bytes, Sequence[SidedLeaf]] = {}
        self._clearings: dict[int, tuple[int, Sequence[PublishedClearing]]] = {}
        self._deliveries: dict[int, tuple[int, Sequence[PublishedDelivery]]] = {}
        self._leaves: dict[bytes, dict[bytes, PublishedLeaf]] = {}

    @property
    def revision(self) -> int:
        """The bulletin's revision."""
        return self._bulletin.revision

    def slots(self) -> Sequence[int]:
        """Return the slots with something published, ascending."""
        return self._bulletin.slots()

    def cell_sets(self) -> Sequence[PublishedCellSet]:
        """Return all cell sets, ascending epoch."""
        return self._bulletin.cell_sets()

    def verdict(self, slot_start: int) -> PublishedVerdict | None:
        """Return the verdict of a slot."""
        return self._bulletin.verdict(slot_start)

    def preimage(self, trade_id: bytes) -> bytes | None:
        """Return a revealed preimage. Never kept here."""
        return self._bulletin.preimage(trade_id)

    def clearings(self, slot_start: int) -> Sequence[PublishedClearing]:
        """Return the sealed clearings of a slot."""
        return self._reread(self._clearings, slot_start, self._bulletin.clearings)

    def deliveries(self, tick: int) -> Sequence[PublishedDelivery]:
        """Return the delivery statements of a tick."""
        return self._reread(self._deliveries, tick, self._bulletin.deliveries)

    def leaf(self, delivery: PublishedDelivery, trade_id: bytes) -> PublishedLeaf | None:
        """Return a statement's leaf of one trade."""
        root = delivery.delivery.deliveries_root
        leaves = self._leaves.get(root)
        if leaves is None:
            leaves = {item.leaf.trade_id: item for item in delivery.leaves}
            _keep(self._leaves, root, leaves)
        return leaves.get(trade_id)

    def evidence(self, trade_id: bytes, chain_tag: bytes) -> TradeEvidence | None:
        """Return the evidence of a trade that has been sent, hence sealed."""
        known = self._evidence.get((trade_id, chain_tag))
        if known is None:
            known = self._bulletin.evidence(trade_id, chain_tag)
            if known is not None:
                _keep(self._evidence, (trade_id, chain_tag), known)
        return known

    def allocations(self, trade_id: bytes) -> Sequence[SidedLeaf]:
        """Return all leaves of a trade that has been locked, hence sealed."""
        known = self._allocations.get(trade_id, ())
        if not known:
            known = self._bulletin.allocations(trade_id)
            if known:
                _keep(self._allocations, trade_id, known)
        return known

    def _reread(
        self,
        memory: dict[int, tuple[int, Sequence[V]]],
        slot_start: int,
        read: Callable[[int], Sequence[V]],
    ) -> Sequence[V]:
        revision = self._bulletin.revision
        known = memory.get(slot_start)
        if known is None or known[0] != revision:
            known = (revision, read(slot_start))
            _keep(memory, slot_start, known)
        return known[1]


def _keep(memory: dict[K, V], key: K, value: V) -> None:
    memory[key] = value
    if len(memory) > REMEMBERED_MAX:
        del memory[next(iter(memory))]
