"""
What the cells publish about one slot: the evidence behind its trades, as plain frozen data.

Relayers carry clearings, verdicts and statements from it; audits re-check it. Power in mW and mvar,
positive into the network; energy in Wh; times in unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.swap.records import (
    Allocation,
    CellSet,
    Clearing,
    Delivery,
    DeliveryLeaf,
    EnergyTrade,
    LocalTrade,
    PendingLeaf,
    Reading,
    RegistryRow,
    SignedOrder,
    Verdict,
    VerdictLeaf,
)


@dataclass(frozen=True, slots=True)
class SignedCellSet:
    """A cell set, its rows, its predecessor's signatures (the first: of its own cells)."""

    cell_set: CellSet
    rows: tuple[RegistryRow, ...]
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SignedClearing:
    """A sealed clearing of one level."""

    clearing: Clearing
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """One trade of a slot: exactly one of ``packet`` and ``local``, and whose orders it fills."""

    delivery: int
    source_client: str
    """The client on the source ledger that the packet is sent over; empty for a local trade."""
    packet: EnergyTrade | None
    local: LocalTrade | None
    buyers: tuple[Allocation, ...]
    sellers: tuple[Allocation, ...]

    @property
    def trade_id(self) -> bytes:
        """Return the trade's id."""
        if self.packet is not None:
            return self.packet.trade_id
        assert self.local is not None, "a position is a packet or local"
        return self.local.trade_id


@dataclass(frozen=True, slots=True)
class ZoneLeaf:
    """The forecast injection of one bus, salted so that its neighbours cannot be guessed."""

    salt: bytes
    bus: int
    p_milliwatt: int
    q_millivar: int


@dataclass(frozen=True, slots=True)
class Zone:
    """One cell's part of the base case."""

    zone_tag: bytes
    leaves: tuple[ZoneLeaf, ...]


@dataclass(frozen=True, slots=True)
class BusInjection:
    """What a trade adds at one bus in full, milliwatt into the network."""

    trade_id: bytes
    """Trade id; order id before the seal."""
    bus: int
    p_milliwatt: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """One solved case with its flow proof."""

    number: int
    name: str
    slack_ppm: int
    """Slack voltage over the measured one, millionths."""
    taps: tuple[tuple[int, int], ...]
    """(transformer, position) where they differ from the network table's."""
    trades: tuple[bytes, ...]
    """Keys of the trades that are in this case, each at its cap."""
    flow_proof: bytes
    """Bytes whose keccak is the leaf of the flow proof tree."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What the gate left of one trade that moves the network."""

    key: bytes
    """Trade id; order id before the seal."""
    cap_ppm: int
    """Accepted share, millionths; 0 refused."""
    reason: int
    limit: str
    """Name of the limit that caps or refuses it."""
    owners: tuple[bytes, ...]
    """Cells whose zone it touches, ascending address."""


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """The gate's answer with its proofs."""

    kind: str
    """FEASIBLE, INFEASIBLE, NOT_CERTIFIED or BASE_VIOLATED."""
    slack_ppm: int
    """Measured slack voltage over the network table's, millionths."""
    injections: tuple[BusInjection, ...]
    """What each trade moves in full, in merit order of the trades."""
    decisions: tuple[GateDecision, ...]
    """One a trade that moves the network, in merit order."""
    scenarios: tuple[Scenario, ...]


@dataclass(frozen=True, slots=True)
class PublishedVerdict:
    """A verdict and all that it stands on."""

    verdict: Verdict
    signatures: tuple[bytes, ...]
    leaves: tuple[VerdictLeaf, ...]
    pending: tuple[PendingLeaf, ...]
    baseline: tuple[Zone, ...]
    gate: GateEvidence
    setpoints: tuple[tuple[bytes, int], ...]
    """Order id and watt into the network, ascending."""
    explanation: str
    """Tightest limit, margin and marginal trade, in words and numbers; not signed."""


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A meter's reading under its own key."""

    reading: Reading
    signature: bytes


@dataclass(frozen=True, slots=True)
class PublishedDelivery:
    """A delivery statement and all that it stands on."""

    delivery: Delivery
    signatures: tuple[bytes, ...]
    leaves: tuple[DeliveryLeaf, ...]
    readings: tuple[SignedReading, ...]
    boundary: tuple[SignedReading, ...]
    estimates: tuple[tuple[bytes, int], ...]
    """Meter id and Wh into the network, ascending."""


@dataclass(frozen=True, slots=True)
class SlotEvidence:
    """Everything published about one slot, as far as it has come."""

    slot_start: int
    slot_length: int
    orders: tuple[SignedOrder, ...] = ()
    positions: tuple[Position, ...] = ()
    clearings: tuple[SignedClearing, ...] = ()
    verdict: PublishedVerdict | None = None
    delivery: PublishedDelivery | None = None
