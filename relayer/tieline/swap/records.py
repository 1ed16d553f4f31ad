"""
The records of an energy trade: what is signed, hashed or sent, as plain frozen data.

Layouts, hashes and signatures are made of them in ``tieline.wire``; nothing here computes.

Units: energy in Wh, price in micro-EUR per kWh, money in nano-EUR (= price x Wh, exact), time in
unix seconds.
Hashes and tags are 32 bytes, accounts 20, signatures 65 (r, s, v; low s; v 27 or 28).

Sources:
    ``docs/spec/bytes.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

ZERO_HASH = bytes(32)
LOCAL_CLIENT = "local"
"""Stands for the destination client in the verdict leaf of an INTRA trade."""


class Side(IntEnum):
    """Which side of the market an order or a pool stands on."""

    BUY = 1
    SELL = 2


class Level(IntEnum):
    """Where a trade is made: inside a microgrid, between two, or with the grid operator."""

    INTRA = 1
    INTER = 2
    GRID = 4


class Levels(IntFlag):
    """The levels an order may be matched at, as bits."""

    INTRA = 1
    INTER = 2
    GRID = 4
    ALL = 7


class DeliveryKind(IntEnum):
    """Firm energy is in the forecast already; dispatchable energy moves the network."""

    FIRM = 1
    DISPATCHABLE = 2


class Role(IntEnum):
    """What a utility cell answers for."""

    MICROGRID = 1
    GRID = 2


class Decision(IntEnum):
    """What the cells say of one received trade."""

    ACCEPT = 1
    REFUSE = 2


class Reason(IntEnum):
    """Why a trade was refused. Numbers are bytes on ledgers and never change."""

    NONE = 0
    V_LOW = 1
    V_HIGH = 2
    LINE = 3
    TRAFO = 4
    NOT_CERTIFIED = 5
    CONTINGENCY = 6
    MARGINAL = 7
    PCC = 8
    NO_VERDICT = 9
    BASE_VIOLATED = 10
    STEP = 11
    OWNER_SILENT = 12
    PAYLOAD = 16
    MANDATE = 17
    VAULT = 18
    ORDER = 19
    LADDER = 20
    H_USED = 21
    CELL_SET = 22
    CAP = 23
    PAUSED = 24


@dataclass(frozen=True, slots=True)
class Order:
    """One household's wish for one slot. Its struct hash is the order id."""

    chain_tag: bytes
    account: bytes
    meter_id: bytes
    side: int
    levels: int
    delivery: int
    slot_start: int
    slot_length: int
    energy_wh: int
    price_min: int
    price_max: int
    anchor: bytes
    """The hash lock of a direct sale (then all or none, to one buyer), else 32 zero bytes."""
    nonce: int


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order with its account's signature."""

    order: Order
    signature: bytes


@dataclass(frozen=True, slots=True)
class Cancel:
    """Withdraws an order before gate closure."""

    order_id: bytes


@dataclass(frozen=True, slots=True)
class Mandate:
    """What a connector lets be locked from its vault. ``expiry`` 0 revokes."""

    chain_tag: bytes
    source_chain_tag: bytes
    client: bytes
    """T(client id) on this ledger."""
    connector_in: bytes
    connector_out: bytes
    max_trade: int
    max_open: int
    min_fee: int
    min_margin: int
    expiry: int
    nonce: int


@dataclass(frozen=True, slots=True)
class Waive:
    """The grid cell's co-signature when a pool gives money away."""

    lock_id: bytes
    wh: int


@dataclass(frozen=True, slots=True)
class RegistryRow:
    """One utility cell: whose ledger, which role."""

    cell: bytes
    chain_tag: bytes
    role: int


@dataclass(frozen=True, slots=True)
class CellSet:
    """The cells whose feeders are electrically joined, from a slot on."""

    previous: bytes
    network_epoch: bytes
    epoch: int
    cells_hash: bytes
    registry_hash: bytes
    from_slot: int


@dataclass(frozen=True, slots=True)
class Clearing:
    """The sealed result of one level of one slot."""

    cell_set_id: bytes
    epoch: int
    slot_start: int
    slot_length: int
    level: int
    orders_root: bytes
    trades_root: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the cells sign about the trades received for a slot."""

    cell_set_id: bytes
    epoch: int
    slot_start: int
    slot_length: int
    network_epoch: bytes
    baseline_hash: bytes
    pending_root: bytes
    decisions_root: bytes
    flow_proof_hash: bytes
    setpoints_hash: bytes


@dataclass(frozen=True, slots=True)
class VerdictLeaf:
    """The decision on one trade."""

    dest_chain_tag: bytes
    dest_client: bytes
    """T(destination client id), T("local") for INTRA."""
    sequence: int
    packet_commitment: bytes
    """The packet's commitment; the trade id for INTRA."""
    trade_id: bytes
    decision: int
    cap_wh: int
    reason: int
    group: int
    group_size: int
    owners: int
    """Bit i: the i-th cell of the set by ascending address must have signed."""


@dataclass(frozen=True, slots=True)
class PendingLeaf:
    """One packet that was pending when the batch closed."""

    dest_chain_tag: bytes
    dest_client: bytes
    sequence: int
    packet_commitment: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the cells sign after delivery: how much of each trade was delivered."""

    cell_set_id: bytes
    epoch: int
    slot_start: int
    slot_length: int
    verdict_hash: bytes
    readings_root: bytes
    boundary_root: bytes
    estimate_hash: bytes
    deliveries_root: bytes


@dataclass(frozen=True, slots=True)
class DeliveryLeaf:
    """Energy delivered under one trade, never above the applied cap."""

    trade_id: bytes
    delivered_wh: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A meter's cumulative registers at the end of a period."""

    chain_tag: bytes
    meter_id: bytes
    period_start: int
    period_length: int
    import_register_wh: int
    export_register_wh: int
    counter: int
    quality: int


@dataclass(frozen=True, slots=True)
class AttestorKey:
    """Binds an attestor's key to a cell and to one ledger instance. Signed by both."""

    chain_tag: bytes
    cell: bytes
    attestor: bytes
    from_epoch: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """One order's part of a position: a leaf of the allocations tree."""

    order_id: bytes
    account: bytes
    energy_wh: int
    price: int
    offset_wh: int
    """Wh of the leaves of the same side before it, in ascending order id."""


@dataclass(frozen=True, slots=True)
class OwnLeaf:
    """An allocation of the executing ledger's side with its proof."""

    allocation: Allocation
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class TradeEvidence:
    """
    Shows that a trade was cleared and whose orders it fills on this ledger. Travels beside the
    packet, never in it.
    """

    trade_id: bytes
    clearing_proof: tuple[bytes, ...]
    own_leaves: tuple[OwnLeaf, ...]


@dataclass(frozen=True, slots=True)
class EnergyTrade:
    """The packet payload: 23 words, 736 bytes."""

    version: int
    level: int
    trade_id: bytes
    cell_set_id: bytes
    cell_set_epoch: int
    slot_start: int
    slot_length: int
    source_chain_tag: bytes
    dest_chain_tag: bytes
    allocations_root: bytes
    buyer: bytes
    seller: bytes
    connector_in: bytes
    connector_out: bytes
    energy_wh: int
    price_in: int
    price_out: int
    hashlock: bytes
    expiry_in: int
    expiry_out: int
    verdict_deadline: int
    lock_id_in: bytes
    clearing_root: bytes


@dataclass(frozen=True, slots=True)
class LocalTrade:
    """The terms of an INTRA trade: one lock from the buying to the selling side on one ledger."""

    trade_id: bytes
    cell_set_id: bytes
    cell_set_epoch: int
    slot_start: int
    slot_length: int
    allocations_root: bytes
    buyer: bytes
    seller: bytes
    energy_wh: int
    price: int
    hashlock: bytes
    expiry: int
    clearing_root: bytes


@dataclass(frozen=True, slots=True)
class TradeAck:
    """The success acknowledgement: 192 bytes."""

    version: int
    trade_id: bytes
    lock_id_out: bytes
    verdict_root: bytes
    cap_wh: int
    expiry_out: int
