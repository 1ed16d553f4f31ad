"""
ABI encodings of static records: the packet's payload, its acknowledgement, and Merkle leaves.

Decoders refuse other lengths and dirty high bits, as the Solidity ones do.

Sources:
    ``docs/spec/bytes.md``; golden cases ``tests/vectors/trade_bytes.json``.
"""

from __future__ import annotations

from tieline.swap.records import (
    Allocation,
    DeliveryLeaf,
    EnergyTrade,
    Level,
    PendingLeaf,
    TradeAck,
    VerdictLeaf,
)
from tieline.wire.errors import Malformed
from tieline.wire.words import RecordWords, Words

ENERGY_TRADE_VERSION = 1
TRADE_ACK_VERSION = 1

_ENERGY_TRADE = RecordWords(
    EnergyTrade,
    "uint16 version,uint8 level,bytes32 tradeId,bytes32 cellSetId,uint64 cellSetEpoch,"
    "uint64 slotStart,uint32 slotLength,bytes32 sourceChainTag,bytes32 destChainTag,"
    "bytes32 allocationsRoot,address buyer,address seller,address connectorIn,"
    "address connectorOut,uint64 energyWh,uint64 priceIn,uint64 priceOut,bytes32 hashlock,"
    "uint64 expiryIn,uint64 expiryOut,uint64 verdictDeadline,bytes32 lockIdIn,"
    "bytes32 clearingRoot",
)
_TRADE_ACK = RecordWords(
    TradeAck,
    "uint16 version,bytes32 tradeId,bytes32 lockIdOut,bytes32 verdictRoot,uint64 capWh,"
    "uint64 expiryOut",
)
_ALLOCATION = RecordWords(
    Allocation, "bytes32 orderId,address account,uint64 energyWh,uint64 price,uint64 offsetWh"
)
_VERDICT_LEAF = RecordWords(
    VerdictLeaf,
    "bytes32 destChainTag,bytes32 destClient,uint64 sequence,bytes32 packetCommitment,"
    "bytes32 tradeId,uint8 decision,uint64 capWh,uint16 reason,uint8 group,uint16 groupSize,"
    "uint64 owners",
)
_PENDING_LEAF = RecordWords(
    PendingLeaf,
    "bytes32 destChainTag,bytes32 destClient,uint64 sequence,bytes32 packetCommitment",
)
_DELIVERY_LEAF = RecordWords(DeliveryLeaf, "bytes32 tradeId,uint64 deliveredWh")
_ID_LEAF = Words("bytes32")
_ZONE_LEAF = Words("bytes32", "uint32", "int64", "int64")
_ZONE_ROOT_LEAF = Words("bytes32", "bytes32")
_SCENARIO_LEAF = Words("uint16", "bytes32")

ENERGY_TRADE_BYTES = _ENERGY_TRADE.size
TRADE_ACK_BYTES = _TRADE_ACK.size


def encode_energy_trade(trade: EnergyTrade) -> bytes:
    """Return the 736 bytes of a packet's payload."""
    return _ENERGY_TRADE.encode(trade)


def decode_energy_trade(data: bytes) -> EnergyTrade:
    """
    Read a packet's payload.

    Raises:
        Malformed: Not 736 bytes, dirty high bits, a version other than 1, a level other than
            INTER or GRID.
    """
    trade = _ENERGY_TRADE.decode(data)
    if trade.version != ENERGY_TRADE_VERSION:
        raise Malformed(f"unknown payload version: {trade.version}")
    if trade.level not in {Level.INTER, Level.GRID}:
        raise Malformed(f"level cannot cross ledgers: {trade.level}")
    return trade


def encode_trade_ack(acknowledgement: TradeAck) -> bytes:
    """Return the 192 bytes of a success acknowledgement."""
    return _TRADE_ACK.encode(acknowledgement)


def decode_trade_ack(data: bytes) -> TradeAck:
    """
    Read a success acknowledgement.

    Raises:
        Malformed: Not 192 bytes, dirty high bits, or a version other than 1.
    """
    acknowledgement = _TRADE_ACK.decode(data)
    if acknowledgement.version != TRADE_ACK_VERSION:
        raise Malformed(f"unknown acknowledgement version: {acknowledgement.version}")
    return acknowledgement


def encode_allocation(allocation: Allocation) -> bytes:
    """Return a leaf of the allocations tree, before hashing."""
    return _ALLOCATION.encode(allocation)


def decode_allocation(data: bytes) -> Allocation:
    """Read a leaf of the allocations tree. Raises Malformed."""
    return _ALLOCATION.decode(data)


def encode_verdict_leaf(leaf: VerdictLeaf) -> bytes:
    """Return a leaf of the decisions tree, before hashing."""
    return _VERDICT_LEAF.encode(leaf)


def decode_verdict_leaf(data: bytes) -> VerdictLeaf:
    """Read a leaf of the decisions tree. Raises Malformed."""
    return _VERDICT_LEAF.decode(data)


def encode_pending_leaf(leaf: PendingLeaf) -> bytes:
    """Return a leaf of the tree of pending packets, before hashing."""
    return _PENDING_LEAF.encode(leaf)


def decode_pending_leaf(data: bytes) -> PendingLeaf:
    """Read a leaf of the tree of pending packets. Raises Malformed."""
    return _PENDING_LEAF.decode(data)


def encode_delivery_leaf(leaf: DeliveryLeaf) -> bytes:
    """Return a leaf of the deliveries tree, before hashing."""
    return _DELIVERY_LEAF.encode(leaf)


def decode_delivery_leaf(data: bytes) -> DeliveryLeaf:
    """Read a leaf of the deliveries tree. Raises Malformed."""
    return _DELIVERY_LEAF.decode(data)


def encode_id_leaf(identifier: bytes) -> bytes:
    """
    Return a leaf of one 32-byte word: an order id (ordersRoot), a trade id (tradesRoot) or the
    struct hash of a reading (readingsRoot, boundaryRoot).
    """
    return _ID_LEAF.pack(identifier)


def encode_zone_leaf(salt: bytes, bus: int, p_milliwatt: int, q_millivar: int) -> bytes:
    """Return a leaf of a zone's baseline: injections into the network, signed; fresh salt."""
    return _ZONE_LEAF.pack(salt, bus, p_milliwatt, q_millivar)


def decode_zone_leaf(data: bytes) -> tuple[bytes, int, int, int]:
    """Read salt, bus, p_milliwatt, q_millivar. Raises Malformed."""
    salt, bus, p_milliwatt, q_millivar = _ZONE_LEAF.unpack(data)
    return salt, bus, p_milliwatt, q_millivar


def encode_zone_root_leaf(zone_tag: bytes, zone_root: bytes) -> bytes:
    """Return a leaf of the baseline tree; the zone tag is the chain tag of the zone's cell."""
    return _ZONE_ROOT_LEAF.pack(zone_tag, zone_root)


def encode_scenario_leaf(scenario: int, flow_proof: bytes) -> bytes:
    """Return a leaf of the tree of flow proofs; scenario 0 is the base case."""
    return _SCENARIO_LEAF.pack(scenario, flow_proof)
