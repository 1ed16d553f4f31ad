"""
What the utility cells publish for relayers: sealed records with their signatures, evidence, proofs.

Everything here is checked again by the ledger that it is brought to; a relayer only carries it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tieline.swap.messages import ProvedVerdictLeaf
from tieline.swap.records import (
    CellSet,
    Clearing,
    Delivery,
    DeliveryLeaf,
    OwnLeaf,
    RegistryRow,
    TradeEvidence,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class PublishedCellSet:
    """A cell set, its registry rows and the signatures of its predecessor."""

    cell_set: CellSet
    rows: tuple[RegistryRow, ...]
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PublishedClearing:
    """A sealed clearing, with the chain tags of the ledgers that its trades touch."""

    clearing: Clearing
    signatures: tuple[bytes, ...]
    chain_tags: tuple[bytes, ...]
    """Where it is to be posted; empty: on every ledger of the set."""


@dataclass(frozen=True, slots=True)
class SidedLeaf:
    """An allocation with its proof and the side it stands on."""

    side: int
    """1 buy, 2 sell."""
    leaf: OwnLeaf


@dataclass(frozen=True, slots=True)
class VerdictGroup:
    """
    Decisions that one transaction applies on one ledger: a whole accept group, or one refusal.
    """

    dest_chain_tag: bytes
    group: int
    """0 for a refusal."""
    leaves: tuple[ProvedVerdictLeaf, ...]


@dataclass(frozen=True, slots=True)
class PublishedVerdict:
    """A signed verdict with all its decisions, proved and sorted into transactions."""

    verdict: Verdict
    signatures: tuple[bytes, ...]
    verdict_hash: bytes
    """Struct hash of the verdict, 32 bytes."""
    groups: tuple[VerdictGroup, ...]


@dataclass(frozen=True, slots=True)
class PublishedLeaf:
    """Delivered energy of one trade with its place in the statement's tree."""

    leaf: DeliveryLeaf
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PublishedDelivery:
    """
    A signed delivery statement with its leaves. A statement is known by its deliveries root: its
    index differs between ledgers.
    """

    delivery: Delivery
    signatures: tuple[bytes, ...]
    leaves: tuple[PublishedLeaf, ...]
    signers: int
    """Whose signatures these are: bit i is the i-th cell of the set by ascending address."""


class Bulletin(Protocol):
    """
    The board the relayer reads. Reads are cheap and from memory; nothing is ever taken down.
    """

    @property
    def revision(self) -> int:
        """Rises with every publication, so that a reader knows when to read again."""
        ...

    def cell_sets(self) -> Sequence[PublishedCellSet]:
        """Return all cell sets, ascending epoch."""
        ...

    def clearings(self, slot_start: int) -> Sequence[PublishedClearing]:
        """Return the sealed clearings of a slot (unix seconds), one a level, oldest first."""
        ...

    def evidence(self, trade_id: bytes, chain_tag: bytes) -> TradeEvidence | None:
        """Return the evidence of a trade for the side of the ledger *chain_tag*."""
        ...

    def allocations(self, trade_id: bytes) -> Sequence[SidedLeaf]:
        """Return all leaves of a trade, buyers then sellers, each side by ascending order id."""
        ...

    def verdict(self, slot_start: int) -> PublishedVerdict | None:
        """Return the verdict on what was received for a slot, once enough cells signed it."""
        ...

    def deliveries(self, slot_start: int) -> Sequence[PublishedDelivery]:
        """Return the delivery statements of a tick, oldest first; rarely more than one."""
        ...

    def preimage(self, trade_id: bytes) -> bytes | None:
        """
        Return the preimage of a trade once its seller has revealed it, 32 bytes.

        Note:
            Sellers reveal only after a delivery leaf of the trade is known. Never logged.
        """
        ...

    def slots(self) -> Sequence[int]:
        """Return the starts of the slots that have something published, ascending."""
        ...
