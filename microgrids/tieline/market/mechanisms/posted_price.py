"""
Trade at a price that stands before the book opens: the grid operator's signed tariff.

The posting side has one limit and a capacity; those who accept it are served best limit first,
pro rata at the margin.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.market.mechanisms.k_double_auction import Quote
from tieline.market.rationing import coin, share_pro_rata


def serve(
    capacity_wh: int, takers: Sequence[Quote], seed: bytes, *, highest_first: bool
) -> list[int]:
    """
    Hand out at most *capacity_wh* to those who accept the price.

    Args:
        capacity_wh: >= 0 Wh.
        takers: Only quotes that accept the price; any order.
        seed: The slot's coin.
        highest_first: True when takers buy, False when they sell.

    Returns:
        Wh in the order of *takers*.
    """
    filled = [0] * len(takers)
    left = capacity_wh
    for price in sorted({taker.price for taker in takers}, reverse=highest_first):
        places = [index for index, taker in enumerate(takers) if taker.price == price]
        weights = [takers[index].energy_wh for index in places]
        amount = min(left, sum(weights))
        coins = [coin(seed, takers[index].order_id) for index in places]
        shares = share_pro_rata(amount, weights, coins.__getitem__)
        for index, share in zip(places, shares, strict=True):
            filled[index] = share
        left -= amount
    return filled
