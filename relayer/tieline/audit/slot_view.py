"""One slot's evidence, indexed the way its checks ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.topology_check import World
from tieline.swap.evidence import Position, SignedReading, SlotEvidence
from tieline.swap.records import (
    LOCAL_CLIENT,
    ZERO_HASH,
    Allocation,
    EnergyTrade,
    Level,
    LocalTrade,
    Order,
    Side,
)
from tieline.wire.hashes import tag
from tieline.wire.merkle import merkle_root
from tieline.wire.typed_data import order_id

TICK_S = 900
"""Verdicts and statements are for one tick."""
LOCAL_TAG = tag(LOCAL_CLIENT)


@dataclass(frozen=True)
class SlotView:
    """A slot's evidence beside the world it happened in."""

    world: World
    evidence: SlotEvidence
    readings: Mapping[tuple[bytes, int], SignedReading]
    """Readings of all slots by meter and counter."""

    @property
    def slot_start(self) -> int:
        """Unix seconds."""
        return self.evidence.slot_start

    @property
    def place(self) -> Place:
        """The slot, for findings."""
        return Place(slot_start=self.slot_start)

    @cached_property
    def cells(self) -> tuple[bytes, ...]:
        """Addresses of the slot's cell set, ascending; empty if there is none."""
        signed = self.world.cell_set_of(self.slot_start)
        return () if signed is None else tuple(row.cell for row in signed.rows)

    @cached_property
    def orders(self) -> dict[bytes, Order]:
        """Orders by id."""
        return {order_id(signed.order): signed.order for signed in self.evidence.orders}

    @cached_property
    def positions(self) -> dict[bytes, Position]:
        """Positions by trade id."""
        return {position.trade_id: position for position in self.evidence.positions}

    @cached_property
    def bus_of_meter(self) -> dict[bytes, int]:
        """Bus by meter id, boundary meters included."""
        topology = self.world.topology
        meters = (*topology.meters, *topology.boundary_meters)
        return {meter.meter_id: meter.bus for meter in meters}

    @cached_property
    def account_of_meter(self) -> dict[bytes, bytes]:
        """Account by meter id, boundary meters included."""
        topology = self.world.topology
        meters = (*topology.meters, *topology.boundary_meters)
        return {meter.meter_id: meter.account for meter in meters}

    def tags(self, position: Position) -> tuple[bytes, bytes]:
        """Return chain tags of buyers and sellers; empty if the orders are not known."""
        if position.packet is not None:
            return position.packet.source_chain_tag, position.packet.dest_chain_tag
        leaves = position.buyers + position.sellers
        known = (self.orders.get(leaf.order_id) for leaf in leaves)
        local = next((order.chain_tag for order in known if order is not None), b"")
        return local, local


def terms_of(position: Position) -> EnergyTrade | LocalTrade:
    """Return the packet's or the local trade."""
    terms = position.packet if position.packet is not None else position.local
    assert terms is not None, "checked by well_formed"
    return terms


def well_formed(position: Position) -> bool:
    """Say whether exactly one of packet and local trade is there."""
    return (position.packet is None) != (position.local is None)


def level_of(position: Position) -> int:
    """Return 1 INTRA, 2 INTER, 4 GRID."""
    return int(Level.INTRA) if position.packet is None else position.packet.level


def price_of(position: Position, side: Side) -> int:
    """Return what a side pays or gets, micro-EUR per kWh."""
    if position.packet is None:
        assert position.local is not None, "checked by well_formed"
        return position.local.price
    return position.packet.price_in if side is Side.BUY else position.packet.price_out


def leaves_of(position: Position, side: Side) -> tuple[Allocation, ...]:
    """Return the allocations of a side."""
    return position.buyers if side is Side.BUY else position.sellers


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return a tree's root; zero where there is no tree: no leaf, or one that stands twice."""
    try:
        return merkle_root(leaves)
    except ValueError:
        return ZERO_HASH


def check_cell_set(
    view: SlotView, check: Check, named: tuple[bytes, int], name: str, findings: Findings
) -> bool:
    """Check that a record names the slot's cell set and its epoch."""
    signed = view.world.cell_set_of(view.slot_start)
    expected = None if signed is None else (view.world.cell_set_id(signed), signed.cell_set.epoch)
    return findings.expect(view.place, check, f"{name}: cell set and epoch", expected, named)
