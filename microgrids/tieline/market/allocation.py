"""
From fills to positions: delivery kinds apart, at most so many leaves a side, no crumbs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tieline.market.order import BookOrder, merit
from tieline.market.position import LEAVES_MAX, MINIMUM_WH, Position
from tieline.swap.records import ZERO_HASH, Allocation, DeliveryKind, Level


class Fill(NamedTuple):
    """Wh of one order that trade."""

    order: BookOrder
    wh: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What all positions of one pair and round share."""

    level: Level
    source: bytes
    destination: bytes
    price_in: int
    price_out: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """How small a position may be, and how many leaves a side it may have."""

    minimum_wh: int = MINIMUM_WH
    leaves_max: int = LEAVES_MAX


class Piece(NamedTuple):
    """A position before its place among its kin is known."""

    terms: Terms
    delivery: DeliveryKind
    buys: tuple[Fill, ...]
    sells: tuple[Fill, ...]
    anchor: bytes = ZERO_HASH


def firm_first(fills: Iterable[Fill]) -> list[Fill]:
    """Sort fills: firm before dispatchable, then by merit (price, time, id)."""
    return sorted(fills, key=lambda fill: (fill.order.delivery, merit(fill.order)))


def take(fills: Sequence[Fill], wh: int) -> tuple[list[Fill], list[Fill]]:
    """Split a row of fills after *wh*: (before, after). An order may be cut in two."""
    before: list[Fill] = []
    left = wh
    for place, fill in enumerate(fills):
        if fill.wh > left:
            head = [Fill(fill.order, left)] if left else []
            return before + head, [Fill(fill.order, fill.wh - left), *fills[place + 1 :]]
        before.append(fill)
        left -= fill.wh
    assert left == 0, "more asked for than is there"
    return before, []


def energy(fills: Iterable[Fill]) -> int:
    """Return the sum, Wh."""
    return sum(fill.wh for fill in fills)


def pieces(
    terms: Terms,
    buys: Sequence[Fill],
    sells: Sequence[Fill],
    bounds: Bounds,
    neutral: bytes | None = None,
) -> list[Piece]:
    """
    Cut what one pair trades into pieces that a packet can carry.

    Args:
        terms: Level, pair and prices.
        buys: In the order of ``firm_first``.
        sells: The same, with the same sum.
        bounds: Smallest energy and most leaves.
        neutral: Chain tag whose orders say nothing of the delivery kind: the grid operator's.

    Returns:
        Pieces of at least the minimum; what is smaller is left out, on both sides alike.
        Firm energy that is too little for a piece of its own goes with the dispatchable.
    """
    total = energy(buys)
    firm = min(
        energy(f for f in buys if _is_firm(f.order, neutral)),
        energy(f for f in sells if _is_firm(f.order, neutral)),
    )
    if firm < bounds.minimum_wh:
        firm = 0
    elif 0 < total - firm < bounds.minimum_wh:
        firm = total - bounds.minimum_wh if total >= 2 * bounds.minimum_wh else 0
    firm_buys, other_buys = take(buys, firm)
    firm_sells, other_sells = take(sells, firm)
    return [
        *_by_leaves(terms, DeliveryKind.FIRM, firm_buys, firm_sells, bounds),
        *_by_leaves(terms, DeliveryKind.DISPATCHABLE, other_buys, other_sells, bounds),
    ]


def _is_firm(order: BookOrder, neutral: bytes | None) -> bool:
    """Whether the order stands in no way of a firm position."""
    return order.microgrid == neutral or order.delivery is DeliveryKind.FIRM


def _by_leaves(
    terms: Terms,
    delivery: DeliveryKind,
    buys: Sequence[Fill],
    sells: Sequence[Fill],
    bounds: Bounds,
) -> list[Piece]:
    """Cut where one side reaches its number of leaves; both sides of a piece are equal in Wh."""
    found: list[Piece] = []
    while buys:
        wh = min(energy(buys[: bounds.leaves_max]), energy(sells[: bounds.leaves_max]))
        head_buys, buys = take(buys, wh)
        head_sells, sells = take(sells, wh)
        if wh >= bounds.minimum_wh:
            found.append(Piece(terms, delivery, tuple(head_buys), tuple(head_sells)))
    return found


def positions_of(found: Iterable[Piece]) -> tuple[Position, ...]:
    """Number the pieces of each (level, pair, kind) as they come; return ascending keys."""
    counts: dict[tuple[Level, bytes, bytes, DeliveryKind], int] = {}
    positions: list[Position] = []
    for piece in found:
        terms = piece.terms
        kin = (terms.level, terms.source, terms.destination, piece.delivery)
        index = counts[kin] = counts.get(kin, -1) + 1
        positions.append(
            Position(
                level=terms.level,
                source=terms.source,
                destination=terms.destination,
                delivery=piece.delivery,
                index=index,
                energy_wh=energy(piece.buys),
                price_in=terms.price_in,
                price_out=terms.price_out,
                buys=leaves(piece.buys, terms.price_in),
                sells=leaves(piece.sells, terms.price_out),
                anchor=piece.anchor,
            )
        )
    return tuple(sorted(positions, key=lambda position: position.key))


def leaves(fills: Iterable[Fill], price: int) -> tuple[Allocation, ...]:
    """Return the allocations of one side: one an order, ascending order id, offsets running."""
    wh_of: dict[bytes, int] = {}
    accounts: dict[bytes, bytes] = {}
    for fill in fills:
        wh_of[fill.order.order_id] = wh_of.get(fill.order.order_id, 0) + fill.wh
        accounts[fill.order.order_id] = fill.order.account
    rows: list[Allocation] = []
    offset = 0
    for order_id in sorted(wh_of):
        rows.append(Allocation(order_id, accounts[order_id], wh_of[order_id], price, offset))
        offset += wh_of[order_id]
    return tuple(rows)


def spent(positions: Iterable[Position]) -> Mapping[bytes, int]:
    """Return Wh by order id over all positions."""
    used: dict[bytes, int] = {}
    for position in positions:
        for leaf in (*position.buys, *position.sells):
            used[leaf.order_id] = used.get(leaf.order_id, 0) + leaf.energy_wh
    return used
