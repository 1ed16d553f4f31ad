"""
Cell to cell: a proposer sends a record with all that is needed to check it; the answer is a
signature or a refusal.

Plain frozen data, so that a link in one process and one over a network carry the same thing.
Power in mW and mvar, positive into the grid; energy in Wh; times in unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tieline.interfaces.ledger import StoredValue
from tieline.protocol.messages import AnyMessage
from tieline.swap.records import (
    Allocation,
    Clearing,
    Delivery,
    DeliveryLeaf,
    Reading,
    SignedOrder,
    Verdict,
    VerdictLeaf,
)


@dataclass(frozen=True, slots=True)
class ZoneLeaf:
    """One bus of a zone's committed forecast."""

    salt: bytes
    bus: int
    p_milliwatt: int
    """Positive into the grid."""
    q_millivar: int


@dataclass(frozen=True, slots=True)
class ZoneTable:
    """The forecast of one zone: its leaves make the zone's root."""

    zone_tag: bytes
    """Chain tag of the zone's cell."""
    leaves: tuple[ZoneLeaf, ...]


@dataclass(frozen=True, slots=True)
class ScenarioProof:
    """One solved scenario: canonical flow proof bytes, the preimage of its hash."""

    number: int
    """Place in the limits table, 0 = base."""
    name: str
    flow_proof: bytes


@dataclass(frozen=True, slots=True)
class SetPoint:
    """Mean power that an order's device is told to keep, W, positive into the grid."""

    order_id: bytes
    power_w: int


@dataclass(frozen=True, slots=True)
class ClearedTrade:
    """One trade of a clearing, with the allocations that its root is made of."""

    trade_id: bytes
    level: int
    delivery: int
    """1 firm, 2 dispatchable."""
    source_chain_tag: bytes
    dest_chain_tag: bytes
    """Equal to the source for INTRA."""
    hashlock: bytes
    energy_wh: int
    price_in: int
    price_out: int
    buyers: tuple[Allocation, ...]
    sellers: tuple[Allocation, ...]


@dataclass(frozen=True, slots=True)
class OrderCap:
    """The most a cut of the network leaves to an order."""

    order_id: bytes
    cap_wh: int


@dataclass(frozen=True, slots=True)
class PendingPacket:
    """A receipt that stood when the batch closed, with its proof at the ledger's closing height."""

    dest_chain_tag: bytes
    dest_client: str
    """``local`` for INTRA."""
    sequence: int
    packet_commitment: bytes
    trade_id: bytes
    lock_id: bytes
    energy_wh: int
    receipt: StoredValue | None
    """None for INTRA, which each cell reads on its own ledger."""


@dataclass(frozen=True, slots=True)
class ClosingHeight:
    """The block at which a ledger's pending set was taken: the first with time >= tau."""

    chain_tag: bytes
    height: int
    time_s: int
    header: AnyMessage | None
    """Native header that proves it; None for the receiver's own ledger."""


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A meter's reading with the meter's signature."""

    reading: Reading
    signature: bytes


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated energy of one meter in the slot, Wh, positive into the grid."""

    meter_id: bytes
    energy_wh: int


@dataclass(frozen=True, slots=True)
class ProposeClearing:
    """One level's cleared set, before anything is locked."""

    clearing: Clearing
    orders: tuple[SignedOrder, ...]
    """Every order valid at gate closure on any ledger of the set, ascending order id."""
    trades: tuple[ClearedTrade, ...]
    baseline: tuple[ZoneTable, ...]
    scenarios: tuple[ScenarioProof, ...]
    order_caps: tuple[OrderCap, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposeVerdict:
    """The decisions on the set that was really received."""

    verdict: Verdict
    leaves: tuple[VerdictLeaf, ...]
    pending: tuple[PendingPacket, ...]
    closings: tuple[ClosingHeight, ...]
    baseline: tuple[ZoneTable, ...]
    scenarios: tuple[ScenarioProof, ...]
    setpoints: tuple[SetPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposeDelivery:
    """What was delivered under each trade of a tick."""

    delivery: Delivery
    leaves: tuple[DeliveryLeaf, ...]
    readings: tuple[SignedReading, ...]
    boundary_readings: tuple[SignedReading, ...]
    estimates: tuple[Estimate, ...]
    """Ascending meter id."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A cell agrees."""

    cell: bytes
    """EVM address, 20 bytes."""
    signature: bytes
    """65 bytes over the EIP-712 digest of the proposed record."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A cell does not agree, and says where it looked first."""

    cell: bytes
    rule: str
    """Name of the broken rule, such as ``pending set`` or ``voltage band``."""
    first_difference: str
    """The first thing that differs: what was expected, what was found."""


class CellLink(Protocol):
    """A utility cell as the other cells see it."""

    @property
    def cell(self) -> bytes:
        """EVM address of the utility cell, 20 bytes."""
        ...

    async def propose_clearing(self, proposal: ProposeClearing) -> Signature | Refusal:
        """Ask for the signature over a clearing. Raises Unavailable when the cell is silent."""
        ...

    async def propose_verdict(self, proposal: ProposeVerdict) -> Signature | Refusal:
        """Ask for the signature over a verdict. Raises Unavailable when the cell is silent."""
        ...

    async def propose_delivery(self, proposal: ProposeDelivery) -> Signature | Refusal:
        """Ask for the signature over a statement. Raises Unavailable when the cell is silent."""
        ...
