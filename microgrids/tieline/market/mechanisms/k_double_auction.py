"""
The uniform-price k-double auction over divisible energy, in integers.

All Wh whose bid reaches its ask trade, at one price inside the interval that supports exactly
that volume. Budget is balanced, nobody trades outside their limit, welfare on reports is maximal;
truth is not dominant.

Sources:
    Chatterjee and Samuelson 1983; Satterthwaite and Williams 1989. Golden case:
    ``tests/vectors/double_auctions.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tieline.market.rationing import coin, share_pro_rata

IntArray = NDArray[np.int64]
HALF = Fraction(1, 2)
_PRODUCT_MAX = 2**62
"""Below it ``share x Wh`` is exact in int64; above it Python's integers do the work."""


class Quote(NamedTuple):
    """One side's wish as the mechanism sees it."""

    order_id: bytes
    price: int
    """Micro-EUR per kWh; the limit."""
    energy_wh: int
    """>= 1 Wh."""


@dataclass(frozen=True, slots=True)
class UniformPrice:
    """Who trades how much at one price."""

    energy_wh: int
    """Traded volume; 0 when no bid reaches an ask."""
    price: int
    """Micro-EUR per kWh; 0 without trade."""
    low: int
    """Least price that supports the volume."""
    high: int
    """Largest price that supports the volume."""
    bought: tuple[int, ...]
    """Wh in the order of the bids."""
    sold: tuple[int, ...]
    """Wh in the order of the asks."""


class ArrayFills(NamedTuple):
    """The same result as arrays, in the order of the input."""

    energy_wh: int
    price: int
    low: int
    high: int
    bought: IntArray
    sold: IntArray


class _Margin(NamedTuple):
    """Where one side stops."""

    price: int
    """Of the last Wh that trades."""
    next_price: int | None
    """Of the first Wh that does not; None when all trade."""


TieKey = Callable[[int], bytes]


def clear(
    bids: Sequence[Quote], asks: Sequence[Quote], seed: bytes, kappa: Fraction = HALF
) -> UniformPrice:
    """
    Clear one book.

    Args:
        bids: Any order; the result does not depend on it.
        asks: The same.
        seed: The slot's coin; decides who gets the last Wh among equal remainders.
        kappa: 0..1, how much of the price interval goes to the sellers.

    Returns:
        Fills in the order of the input. The price is rounded down, in favour of the buyers.
        At the marginal price the long side is served pro rata by Wh.

    Raises:
        ValueError: Kappa or a quote out of range.
    """
    fills = clear_arrays(
        _column(bids, 1),
        _column(bids, 2),
        _column(asks, 1),
        _column(asks, 2),
        kappa,
        lambda index: coin(seed, bids[index].order_id),
        lambda index: coin(seed, asks[index].order_id),
    )
    return UniformPrice(
        energy_wh=fills.energy_wh,
        price=fills.price,
        low=fills.low,
        high=fills.high,
        bought=tuple(fills.bought.tolist()),
        sold=tuple(fills.sold.tolist()),
    )


def clear_arrays(
    bid_price: IntArray,
    bid_wh: IntArray,
    ask_price: IntArray,
    ask_wh: IntArray,
    kappa: Fraction,
    bid_tie: TieKey,
    ask_tie: TieKey,
) -> ArrayFills:
    """
    Clear one book given as int64 columns: prices in micro-EUR per kWh >= 0, energy in Wh >= 1.

    Args:
        bid_price: Shape (m,).
        bid_wh: Shape (m,); the sum stays below 2^62.
        ask_price: Shape (n,).
        ask_wh: Shape (n,).
        kappa: 0..1.
        bid_tie: Coin of bid i; asked only where equal remainders compete.
        ask_tie: The same for asks.

    Raises:
        ValueError: Kappa or a column out of range.
    """
    if not 0 <= kappa <= 1:
        raise ValueError(f"kappa outside 0..1: {kappa}")
    for column, least in ((bid_price, 0), (ask_price, 0), (bid_wh, 1), (ask_wh, 1)):
        if column.size and int(column.min()) < least:
            raise ValueError(f"quote below {least}: {int(column.min())}")
    bid_steps, bid_cumulated = _steps(bid_price, bid_wh, descending=True)
    ask_steps, ask_cumulated = _steps(ask_price, ask_wh, descending=False)
    volume = _volume(bid_steps, bid_cumulated, ask_steps, ask_cumulated)
    if volume == 0:
        return ArrayFills(0, 0, 0, 0, np.zeros_like(bid_wh), np.zeros_like(ask_wh))
    bid = _margin(bid_steps, bid_cumulated, volume)
    ask = _margin(ask_steps, ask_cumulated, volume)
    low = ask.price if bid.next_price is None else max(ask.price, bid.next_price)
    high = bid.price if ask.next_price is None else min(bid.price, ask.next_price)
    return ArrayFills(
        energy_wh=volume,
        price=low + (high - low) * kappa.numerator // kappa.denominator,
        low=low,
        high=high,
        bought=_fill(bid_price > bid.price, bid_price == bid.price, bid_wh, volume, bid_tie),
        sold=_fill(ask_price < ask.price, ask_price == ask.price, ask_wh, volume, ask_tie),
    )


def _column(quotes: Sequence[Quote], field: int) -> IntArray:
    """Return one field of all quotes as int64."""
    return np.fromiter((quote[field] for quote in quotes), dtype=np.int64, count=len(quotes))


def _steps(price: IntArray, wh: IntArray, *, descending: bool) -> tuple[IntArray, IntArray]:
    """Return the curve of one side, best price first: price of each step, Wh up to its end."""
    order = np.argsort(-price if descending else price)
    return price[order], np.cumsum(wh[order])


def _volume(
    bid_steps: IntArray, bid_cumulated: IntArray, ask_steps: IntArray, ask_cumulated: IntArray
) -> int:
    """Return the largest volume whose last Wh is bid at no less than it is asked for."""
    if not bid_steps.size or not ask_steps.size:
        return 0
    # Supply at the price of each bid step; the best of min(demand, supply) is where curves cross.
    reach = np.searchsorted(ask_steps, bid_steps, side="right")
    supply = np.concatenate((np.zeros(1, dtype=np.int64), ask_cumulated))[reach]
    return int(np.minimum(bid_cumulated, supply).max())


def _margin(steps: IntArray, cumulated: IntArray, volume: int) -> _Margin:
    """Return the prices on both sides of the last traded Wh."""
    last = int(np.searchsorted(cumulated, volume, side="left"))
    following = int(np.searchsorted(cumulated, volume, side="right"))
    beyond = int(steps[following]) if following < steps.size else None
    return _Margin(int(steps[last]), beyond)


def _fill(
    better: NDArray[np.bool_], marginal: NDArray[np.bool_], wh: IntArray, volume: int, tie: TieKey
) -> IntArray:
    """Serve the better orders in full and share the rest among the marginal ones."""
    filled = np.where(better, wh, 0)
    rest = volume - int(filled.sum())
    places = np.flatnonzero(marginal)
    filled[places] = _share(rest, wh[places], lambda index: tie(int(places[index])))
    return filled


def _share(total: int, weights: IntArray, tie: TieKey) -> IntArray:
    """Do what ``share_pro_rata`` does, in int64 where that is exact."""
    weight_sum = int(weights.sum())
    if total == weight_sum:
        return weights
    if int(weights.max()) * total >= _PRODUCT_MAX:
        return np.array(share_pro_rata(total, weights.tolist(), tie), dtype=np.int64)
    products = weights * total
    shares, remainders = np.divmod(products, weight_sum)
    missing = total - int(shares.sum())
    if missing:
        kth = weights.size - missing
        cut = np.partition(remainders, kth)[kth]
        shares[remainders > cut] += 1
        level = np.flatnonzero(remainders == cut)
        wanted = missing - int((remainders > cut).sum())
        if wanted < level.size:
            level = np.array(sorted(level.tolist(), key=tie)[:wanted], dtype=np.int64)
        shares[level] += 1
    return shares
