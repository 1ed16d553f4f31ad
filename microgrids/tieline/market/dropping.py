"""
Who goes when four rounds of cuts did not help: least welfare per unit of relief first.

The cell sets one order's cap to zero after the other, clears again and asks the network, until it
holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from tieline.interfaces.limits import LinearCut
from tieline.market.constrained import order_weights
from tieline.market.order import BookOrder
from tieline.market.position import Position
from tieline.swap.records import Side


def drop_sequence(
    orders: Sequence[BookOrder], positions: Iterable[Position], cuts: Iterable[LinearCut]
) -> tuple[bytes, ...]:
    """
    Return the ids of orders in the order in which they should give way.

    Relief is the largest share of any cut's load that an order carries; welfare is its own
    surplus, |limit - price| x Wh. Orders that worsen no cut, or trade nothing, are not named.
    Equals go by id.
    """
    book = {order.order_id: order for order in orders}
    filled: dict[bytes, int] = {}
    surplus: dict[bytes, int] = {}
    for position in positions:
        for leaf in (*position.buys, *position.sells):
            order = book[leaf.order_id]
            sign = 1 if order.side is Side.BUY else -1
            gain = sign * (order.limit - leaf.price) * leaf.energy_wh
            filled[leaf.order_id] = filled.get(leaf.order_id, 0) + leaf.energy_wh
            surplus[leaf.order_id] = surplus.get(leaf.order_id, 0) + gain
    relief = _relief(orders, filled, cuts)
    return tuple(sorted(relief, key=lambda key: (surplus[key] / relief[key], key)))


def _relief(
    orders: Sequence[BookOrder], filled: Mapping[bytes, int], cuts: Iterable[LinearCut]
) -> dict[bytes, Fraction]:
    """Return each trading order's largest share of a cut's load, 0 < share <= 1."""
    relief: dict[bytes, Fraction] = {}
    for cut in cuts:
        loads = {
            order_id: weight * filled[order_id]
            for order_id, weight in order_weights(cut, orders).items()
            if filled.get(order_id)
        }
        total = sum(loads.values())
        for order_id, load in loads.items():
            share = Fraction(load, total)
            relief[order_id] = max(relief.get(order_id, share), share)
    return relief
