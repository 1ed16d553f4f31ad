"""
Direct sales: an order that is sold whole to one buyer, or not at all.

It takes the best buyer before the pool clears, but at the pool's price, so that nobody gains by
avoiding the pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from tieline.market.allocation import Bounds, Fill, Piece, Terms
from tieline.market.order import BookOrder, merit
from tieline.swap.records import DeliveryKind, Level, Side


def match(
    orders: Sequence[BookOrder],
    left_wh: Mapping[bytes, int],
    level: Level,
    tags: Sequence[bytes],
    fee: int,
    bounds: Bounds,
) -> list[tuple[Fill, Fill]]:
    """
    Find a buyer for each direct sale, sales and buyers by merit (price, time, id).

    Of sales under one hash lock, in the whole book, the first alone may find one: two positions
    under one secret would be signed by no cell, and stop the slot for everybody.

    Args:
        orders: The whole book.
        left_wh: What is left of each order.
        level: INTRA or INTER.
        tags: Microgrids that take part; at INTER the two must differ.
        fee: Connector's fee, micro-EUR per kWh.
        bounds: A smaller sale than the minimum finds nobody.

    Returns:
        (buy, sell) of equal Wh; the caller subtracts them from what is left.
    """
    left = dict(left_wh)
    able = [o for o in orders if o.microgrid in tags and o.is_for(level)]
    first = {sale.anchor: sale for sale in reversed(_sales(orders))}
    sales = [sale for sale in _sales(able) if first[sale.anchor] is sale]
    buyers = sorted((o for o in able if o.side is Side.BUY), key=merit)
    pairs: list[tuple[Fill, Fill]] = []
    for sale in sales:
        wh = sale.energy_wh
        if left[sale.order_id] < wh or wh < bounds.minimum_wh:
            continue
        for buyer in buyers:
            is_same = buyer.microgrid == sale.microgrid
            if (
                buyer.limit >= sale.limit + fee
                and left[buyer.order_id] >= wh
                and is_same is (level is Level.INTRA)
            ):
                left[buyer.order_id] -= wh
                pairs.append((Fill(buyer, wh), Fill(sale, wh)))
                break
    return pairs


def _sales(orders: Iterable[BookOrder]) -> list[BookOrder]:
    return sorted((order for order in orders if order.is_direct), key=merit)


def piece(
    level: Level, buy: Fill, sell: Fill, fee: int, kappa: Fraction, pool_price: int | None
) -> Piece:
    """
    Price one direct sale: the pool's price_out, held between both limits.

    Args:
        level: INTRA or INTER.
        buy: The one buyer.
        sell: The whole sale, the same Wh.
        fee: Connector's fee, micro-EUR per kWh.
        kappa: Splits the interval when the pool did not trade; rounded in favour of the buyer.
        pool_price: What the pool's sellers get, micro-EUR per kWh; None without trade.
    """
    low, high = sell.order.limit, buy.order.limit - fee
    if pool_price is None:
        price = low + (high - low) * kappa.numerator // kappa.denominator
    else:
        price = min(max(pool_price, low), high)
    is_firm = {buy.order.delivery, sell.order.delivery} == {DeliveryKind.FIRM}
    return Piece(
        Terms(level, buy.order.microgrid, sell.order.microgrid, price + fee, price),
        DeliveryKind.FIRM if is_firm else DeliveryKind.DISPATCHABLE,
        (buy,),
        (sell,),
        sell.order.anchor,
    )
