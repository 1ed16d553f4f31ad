"""
Clearing under the network's cuts: a linear programme finds who must give way, floored to whole Wh.

The only place of the market where numbers are floats. What leaves it are integer caps by order;
``clear_slot`` clears the same book under them, in integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog  # type: ignore[import-untyped]
from scipy.sparse import coo_array  # type: ignore[import-untyped]

from tieline.interfaces.limits import LinearCut
from tieline.market.clearing import ClearingRules
from tieline.market.order import BookOrder
from tieline.market.position import Position
from tieline.swap.records import DeliveryKind, Level, Levels, Side

SECONDS_PER_HOUR = 3600
WATTS_PER_KILOWATT = 1000
WELFARE_TOLERANCE = 1e-6
"""Relative distance to the own bound that cells accept."""
_FLOOR_SLACK = 1e-6
"""Wh: an optimum of 499.9999999 means 500."""


class NoSolution(ValueError):
    """The programme has none; without trade every cut that needs no relief holds, so look there."""


@dataclass(frozen=True, slots=True)
class ConstrainedCaps:
    """What the cuts leave."""

    caps_wh: Mapping[bytes, int]
    """Most Wh by order id, ascending, every order once."""
    welfare_bound: float
    """Largest welfare any clearing under the cuts can reach, nano-EUR."""
    binding: tuple[str, ...]
    """Names of the cuts that bind."""


class _Column(NamedTuple):
    """One variable: Wh of an order at a level."""

    order: BookOrder
    level: Level


def order_weights(
    cut: LinearCut, orders: Iterable[BookOrder], slot_length: int, *, count_relief: bool = False
) -> dict[bytes, int]:
    """
    Return what one Wh of each order does to a cut, scaled by slot_length x 1000 / 3600.

    Args:
        cut: With coefficients by bus, per kW of injection.
        orders: Firm orders and buses without coefficient weigh nothing: they are in the forecast.
        slot_length: Seconds.
        count_relief: False, the rule before a lock: any subset of the batch must hold too, so
            what relieves a limit cannot be relied on.
    """
    by_bus = dict(cut.buses)
    weights: dict[bytes, int] = {}
    for order in orders:
        if order.delivery is DeliveryKind.FIRM:
            continue
        sign = 1 if order.side is Side.SELL else -1
        weight = sign * by_bus.get(order.bus, 0)
        if weight > 0 or (count_relief and weight):
            weights[order.order_id] = weight
    return weights


def scaled_bound(cut: LinearCut, slot_length: int) -> int:
    """Return the bound on the scale of ``order_weights``, rounded down."""
    return cut.bound * slot_length * WATTS_PER_KILOWATT // SECONDS_PER_HOUR


def caps_under_cuts(
    orders: Sequence[BookOrder],
    rules: ClearingRules,
    cuts: Sequence[LinearCut],
    slot_length: int,
    *,
    count_relief: bool = False,
) -> ConstrainedCaps:
    """
    Maximise welfare under the cuts; return what it leaves to each order.

    Relief is not counted by default, so every clearing within the caps holds all cuts. A cut with
    a negative bound needs relief that the market cannot promise: its worsening orders get zero.

    Args:
        orders: The same book that was cleared.
        rules: The same rules; only fees and the grid's tag are read.
        cuts: From the network's check.
        slot_length: Seconds.
        count_relief: See ``order_weights``; the caller then checks the result again.

    Raises:
        NoSolution: The solver found none.
    """
    book = sorted((o for o in orders if not o.is_direct), key=lambda order: order.order_id)
    direct = {order.order_id: 0 for order in orders if order.is_direct}
    columns = _columns(book, rules)
    if not columns:
        return ConstrainedCaps(dict.fromkeys(sorted(o.order_id for o in orders), 0), 0.0, ())
    bounds = [max(0, scaled_bound(cut, slot_length)) for cut in cuts]
    rows = [order_weights(cut, book, slot_length, count_relief=count_relief) for cut in cuts]
    result = _solve(columns, book, rules, rows, bounds)
    used: dict[bytes, float] = {}
    for column, value in zip(columns, result.x, strict=True):
        used[column.order.order_id] = used.get(column.order.order_id, 0.0) + float(value)
    caps = {o.order_id: min(o.energy_wh, _floor(used.get(o.order_id, 0.0))) for o in book}
    _shave(caps, rows, bounds)
    binding = tuple(
        cut.limit
        for cut, row, bound in zip(cuts, rows, bounds, strict=True)
        if row and sum(w * used.get(key, 0.0) for key, w in row.items()) >= bound * (1 - 1e-9)
    )
    caps.update(direct)
    return ConstrainedCaps(dict(sorted(caps.items())), -float(result.fun), binding)
