"""
Cell to cell: a proposer sends what it would have signed, with all that is needed to check it; the
answer is a signature or a refusal.

Plain frozen data, so that a link in one process and one over a network carry the same thing.
Power in mW and mvar, positive into the network; energy in Wh; times in unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tieline.interfaces.ledger import StoredValue
from tieline.protocol.messages import AnyMessage
from tieline.swap.evidence import (
    GateEvidence,
    PublishedDelivery,
    PublishedVerdict,
    SignedReading,
    SlotEvidence,
    Zone,
)
from tieline.swap.records import SignedOrder


@dataclass(frozen=True, slots=True)
class OrderCap:
    """The most that a cut of the network leaves to an order."""

    order_id: bytes
    cap_wh: int


@dataclass(frozen=True, slots=True)
class HashlockRequest:
    """Asks the cell of a position's sellers for its hash lock."""

    slot_start: int
    position: str
    """Name of the position: the same in each round that leaves it unchanged."""


@dataclass(frozen=True, slots=True)
class ClosingHeight:
    """The first block of a ledger with time >= tau: its pending set is judged."""

    chain_tag: bytes
    height: int
    """Height of the header that proves the state at closing."""
    header: AnyMessage


@dataclass(frozen=True, slots=True)
class PendingProof:
    """What became of a sent packet by the time the batch closed, proved at the closing heights."""

    trade_id: bytes
    sequence: int
    commitment: StoredValue
    """On the source."""
    receipt: StoredValue
    """On the destination; absent if it was not received."""
    acknowledgement: StoredValue
    """On the destination; present if it was refused at once."""


@dataclass(frozen=True, slots=True)
class MeteredSlot:
    """What one cell's meters say of a slot."""

    readings: tuple[SignedReading, ...]
    boundary: tuple[SignedReading, ...]
    """At the point of common coupling."""
    estimates: tuple[tuple[bytes, int], ...]
    """Meter id and Wh into the network, ascending."""


@dataclass(frozen=True, slots=True)
class ProposeClearing:
    """All levels of a slot, before anything is locked."""

    evidence: SlotEvidence
    """Orders valid at gate closure, positions, clearings without signatures."""
    baseline: tuple[Zone, ...]
    rounds: tuple[tuple[OrderCap, ...], ...]
    """Caps after each round of the network's check, ascending id; the last ones are in force."""
    gate: GateEvidence
    """On orders: what each dispatchable one would move."""


@dataclass(frozen=True, slots=True)
class ProposeVerdict:
    """The decisions on the set that was really received."""

    verdict: PublishedVerdict
    """Without signatures."""
    closings: tuple[ClosingHeight, ...]
    receipts: tuple[PendingProof, ...]


@dataclass(frozen=True, slots=True)
class ProposeDelivery:
    """What was delivered under each trade of a tick."""

    delivery: PublishedDelivery
    """Without signatures."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A cell agrees."""

    cell: bytes
    """EVM address, 20 bytes."""
    signatures: tuple[bytes, ...]
    """65 bytes over the EIP-712 digest of each proposed record, in the proposal's order."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A cell does not agree, and says where it looked first."""

    cell: bytes
    rule: str
    """Name of the broken rule, such as ``pending set`` or ``voltage band``."""
    first_difference: str
    """The first thing that differs: what was expected, what was found."""


class CellLink(Protocol):
    """A utility cell as the other cells see it. Each call raises Unavailable when it is silent."""

    @property
    def cell(self) -> bytes:
        """EVM address of the utility cell, 20 bytes."""
        ...

    async def coin_commitment(self, slot_start: int) -> bytes:
        """Return keccak of the cell's secret for the slot's coin; asked before gate closure."""
        ...

    async def coin(self, slot_start: int) -> bytes:
        """Return the secret; Raises NotYet before gate closure."""
        ...

    async def book(self, slot_start: int) -> tuple[SignedOrder, ...]:
        """Return the orders valid at gate closure on the cell's own ledger."""
        ...

    async def zone(self, slot_start: int) -> Zone:
        """Return the cell's committed forecast of its zone."""
        ...

    async def hashlock(self, request: HashlockRequest) -> bytes:
        """Return the hash lock of a position whose sellers the cell stands for."""
        ...

    async def metered(self, slot_start: int) -> MeteredSlot:
        """Return the cell's readings of a slot. Raises NotYet before its end."""
        ...

    async def slack_ppm(self, slot_start: int) -> int:
        """
        Return the slack voltage as measured last, over the network table's, millionths. Asked of
        the grid operator's cell.
        """
        ...

    async def propose_clearing(self, proposal: ProposeClearing) -> Signature | Refusal:
        """Ask for the signatures over a slot's clearings."""
        ...

    async def propose_verdict(self, proposal: ProposeVerdict) -> Signature | Refusal:
        """Ask for the signature over a verdict."""
        ...

    async def propose_delivery(self, proposal: ProposeDelivery) -> Signature | Refusal:
        """Ask for the signature over a statement."""
        ...

    async def publish(self, evidence: SlotEvidence) -> Refusal | None:
        """
        Hand over what reached its quorum; the cell checks the signatures before it keeps it, and
        says why it does not.
        """
        ...
