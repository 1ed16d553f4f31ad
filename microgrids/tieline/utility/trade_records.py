"""
From cleared positions to the records that ledgers and signatures need: trades, roots, clearings.

Deterministic integers: the proposer makes them and every other cell makes them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieline.market.position import Position as ClearedPosition
from tieline.swap.evidence import Position, SignedClearing
from tieline.swap.records import (
    ZERO_HASH,
    Allocation,
    Clearing,
    EnergyTrade,
    Level,
    LocalTrade,
    Side,
)
from tieline.swap.topology import Topology
from tieline.wire.abi import encode_allocation, encode_id_leaf
from tieline.wire.ids import lock_id, pool_account, trade_id
from tieline.wire.merkle import merkle_root

PAYLOAD_VERSION = 1


@dataclass(frozen=True, slots=True)
class SlotTerms:
    """What all trades of a slot have in common."""

    slot_start: int
    slot_length: int
    cell_set_id: bytes
    cell_set_epoch: int
    verdict_deadline: int
    """D, unix seconds."""
    expiry_out: int
    """T_B; also the expiry of a local lock."""
    expiry_in: int
    """T_A."""


def build_positions(
    cleared: Sequence[ClearedPosition],
    hashlocks: Mapping[bytes, bytes],
    terms: SlotTerms,
    topology: Topology,
) -> tuple[Position, ...]:
    """
    Return the positions with their trades, in the order of *cleared*.

    Args:
        cleared: What the market found.
        hashlocks: Hash lock by key of the cleared position; the anchor for a direct sale.
        terms: Deadlines and cell set of the slot.
        topology: Routes and cells.
    """
    ids = [_trade_id(position, hashlocks[position.key], terms) for position in cleared]
    roots = {
        level: merkle_root(
            encode_id_leaf(trade)
            for trade, position in zip(ids, cleared, strict=True)
            if position.level == level
        )
        for level in {position.level for position in cleared}
    }
    return tuple(
        _position(position, trade, hashlocks[position.key], roots[position.level], terms, topology)
        for trade, position in zip(ids, cleared, strict=True)
    )


def build_clearings(
    positions: Sequence[Position], order_ids: Sequence[bytes], terms: SlotTerms
) -> tuple[SignedClearing, ...]:
    """
    Return the clearings of all levels that have trades, INTRA first, without signatures.

    Args:
        positions: All positions of the slot.
        order_ids: Every order valid at gate closure on any ledger of the set.
        terms: Cell set and slot.
    """
    by_level: dict[int, list[bytes]] = {}
    for position in positions:
        level = Level.INTRA if position.packet is None else position.packet.level
        by_level.setdefault(int(level), []).append(position.trade_id)
    orders_root = merkle_root(map(encode_id_leaf, order_ids)) if by_level else ZERO_HASH
    return tuple(
        SignedClearing(
            Clearing(
                terms.cell_set_id,
                terms.cell_set_epoch,
                terms.slot_start,
                terms.slot_length,
                level,
                orders_root,
                merkle_root(map(encode_id_leaf, by_level[level])),
            ),
            (),
        )
        for level in sorted(by_level)
    )


def party(
    chain_tag: bytes, trade: bytes, side: Side, leaves: Sequence[Allocation], *, direct: bool
) -> bytes:
    """
    Return who stands on one side of a trade: the one leaf's account, or the pool.

    Args:
        chain_tag: Ledger of that side.
        trade: The trade's id.
        side: Buyers or sellers.
        leaves: Allocations of that side.
        direct: Whether the hash lock is the seller's own anchor.
    """
    if len(leaves) == 1 and (side is Side.BUY or direct):
        return leaves[0].account
    return pool_account(chain_tag, trade, int(side))


def _trade_id(position: ClearedPosition, hashlock: bytes, terms: SlotTerms) -> bytes:
    return trade_id(
        position.source,
        position.destination,
        terms.slot_start,
        terms.slot_length,
        int(position.level),
        merkle_root(map(encode_allocation, position.buys + position.sells)),
        hashlock,
    )


def _position(
    position: ClearedPosition,
    trade: bytes,
    hashlock: bytes,
    clearing_root: bytes,
    terms: SlotTerms,
    topology: Topology,
) -> Position:
    buyer = party(position.source, trade, Side.BUY, position.buys, direct=position.is_direct)
    seller = party(
        position.destination, trade, Side.SELL, position.sells, direct=position.is_direct
    )
    root = merkle_root(map(encode_allocation, position.buys + position.sells))
    if position.level is Level.INTRA:
        local = LocalTrade(
            trade,
            terms.cell_set_id,
            terms.cell_set_epoch,
            terms.slot_start,
            terms.slot_length,
            root,
            buyer,
            seller,
            position.energy_wh,
            position.price_in,
            hashlock,
            terms.expiry_out,
            clearing_root,
        )
        return Position(int(position.delivery), "", None, local, position.buys, position.sells)
    route = topology.route(position.source, position.destination)
    lock_in = lock_id(
        position.source,
        trade,
        hashlock,
        buyer,
        route.connector_in,
        position.energy_wh,
        position.price_in,
        terms.expiry_in,
    )
    packet = EnergyTrade(
        PAYLOAD_VERSION,
        int(position.level),
        trade,
        terms.cell_set_id,
        terms.cell_set_epoch,
        terms.slot_start,
        terms.slot_length,
        position.source,
        position.destination,
        root,
        buyer,
        seller,
        route.connector_in,
        route.connector_out,
        position.energy_wh,
        position.price_in,
        position.price_out,
        hashlock,
        terms.expiry_in,
        terms.expiry_out,
        terms.verdict_deadline,
        lock_in,
        clearing_root,
    )
    return Position(
        int(position.delivery), route.source_client, packet, None, position.buys, position.sells
    )
