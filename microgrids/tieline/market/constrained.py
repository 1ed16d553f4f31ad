"""
Clearing under the network's cuts: a linear programme finds who must give way, floored to whole Wh.

The only place of the market where numbers are floats. What leaves it are integer caps by order;
``clear_slot`` clears the same book under them, in integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from tieline.interfaces.limits import LinearCut
from tieline.market.clearing import ClearingRules
from tieline.market.order import BookOrder
from tieline.swap.records import DeliveryKind, Level, Levels, Side

SECONDS_PER_HOUR = 3600
WATTS_PER_KILOWATT = 1000
WELFARE_TOLERANCE = 1e-6
"""Relative distance to the own bound that cells accept."""
_FLOOR_SLACK = 1e-6
"""Wh: an optimum of 499.9999999 means 500."""
_BINDING_SLACK = 1e-9


class NoSolution(ArithmeticError):
    """The solver gave up. No trade at all is always feasible, so this is numerical trouble."""


@dataclass(frozen=True, slots=True)
class ConstrainedCaps:
    """What the cuts leave."""

    caps_wh: Mapping[bytes, int]
    """Most Wh by order id, ascending, every order once."""
    welfare_bound: float
    """Nano-EUR: no clearing of this book under the cuts reaches more."""
    binding: tuple[str, ...]
    """Names of the cuts that bind, in the order of the cuts."""


class _Column(NamedTuple):
    """One variable: Wh of an order at a level."""

    order: BookOrder
    level: Level


class _Rows:
    """Linear rows over the columns, collected one by one."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.values: list[float] = []
        self.places: list[tuple[int, int]] = []
        self.bounds: list[float] = []

    def add(self, terms: Iterable[tuple[int, float]], bound: float) -> None:
        """Add one row: (column, coefficient), and its right side."""
        for column, value in terms:
            self.values.append(value)
            self.places.append((len(self.bounds), column))
        self.bounds.append(bound)

    def matrix(self) -> Any:
        """Return the rows as one sparse matrix; linprog takes it, its stubs do not say so."""
        row = [place[0] for place in self.places]
        column = [place[1] for place in self.places]
        shape = (len(self.bounds), self.width)
        return csr_array((np.array(self.values, dtype=np.float64), (row, column)), shape=shape)


def order_weights(cut: LinearCut, orders: Iterable[BookOrder]) -> dict[bytes, int]:
    """
    Return what one Wh of each order that worsens a cut does to it, on the scale of
    ``scaled_bound``.

    Orders that relieve the limit weigh nothing: any subset of a batch must hold too, so before a
    lock nobody can rely on them. Firm orders weigh nothing: they are in the forecast.
    """
    by_bus = dict(cut.buses)
    weights: dict[bytes, int] = {}
    for order in orders:
        if order.delivery is DeliveryKind.DISPATCHABLE:
            sign = 1 if order.side is Side.SELL else -1
            weight = sign * by_bus.get(order.bus, 0)
            if weight > 0:
                weights[order.order_id] = weight
    return weights


def scaled_bound(cut: LinearCut, slot_length: int) -> int:
    """
    Return the bound on the scale of ``order_weights``, rounded down, at least 0.

    Mean kW of a slot = Wh x 3600 / (1000 x slot length). A negative bound asks for relief that no
    market can promise: then those who worsen the limit get nothing.
    """
    return max(0, cut.bound * slot_length * WATTS_PER_KILOWATT // SECONDS_PER_HOUR)


def violated_cuts(
    orders: Sequence[BookOrder],
    wh: Mapping[bytes, int],
    cuts: Iterable[LinearCut],
    slot_length: int,
) -> list[str]:
    """Return the names of the cuts that *wh* by order id breaks in the worst subset; integers."""
    found: list[str] = []
    for cut in cuts:
        weights = order_weights(cut, orders)
        load = sum(weight * wh.get(order_id, 0) for order_id, weight in weights.items())
        bound = scaled_bound(cut, slot_length)
        if load > bound:
            found.append(f"{cut.limit}: {load} above {bound}")
    return found


def caps_under_cuts(
    orders: Sequence[BookOrder],
    rules: ClearingRules,
    cuts: Sequence[LinearCut],
    slot_length: int,
) -> ConstrainedCaps:
    """
    Maximise welfare under the cuts; return what it leaves to each order.

    Every clearing within the caps holds all cuts, because relief is not counted.
    A direct sale keeps all of its energy or nothing.

    Args:
        orders: The same book that was cleared.
        rules: The same rules; fees and the grid's tag are read.
        cuts: From the network's check, all rounds so far.
        slot_length: Seconds.

    Raises:
        NoSolution: The solver gave up; trying again gives the same.
    """
    book = sorted(orders, key=lambda order: order.order_id)
    limits = {order.order_id: order.energy_wh for order in book}
    bounds = [scaled_bound(cut, slot_length) for cut in cuts]
    weights = [order_weights(cut, book) for cut in cuts]
    used, welfare = _solve(book, rules, limits, list(zip(weights, bounds, strict=True)))
    caps = {o.order_id: min(o.energy_wh, int(used[o.order_id] + _FLOOR_SLACK)) for o in book}
    for row, bound in zip(weights, bounds, strict=True):
        _shave(caps, row, bound)
    for order in book:
        if order.is_direct and caps[order.order_id] < order.energy_wh:
            caps[order.order_id] = 0
    binding = tuple(
        cut.limit
        for cut, row, bound in zip(cuts, weights, bounds, strict=True)
        if row and _load(row, used) >= bound * (1 - _BINDING_SLACK)
    )
    return ConstrainedCaps(caps, welfare, binding)


def refused_caps(
    orders: Sequence[BookOrder],
    rules: ClearingRules,
    cuts: Sequence[LinearCut],
    slot_length: int,
    caps_wh: Mapping[bytes, int],
) -> str | None:
    """
    Judge another cell's caps; return None to agree, else what is wrong first.

    Checked: every order has a cap within its energy, every cut holds in integers, and the welfare
    that the caps still allow is within 1e-6 of what the own caps allow, less the floored Wh.
    """
    book = sorted(orders, key=lambda order: order.order_id)
    for order in book:
        cap = caps_wh.get(order.order_id)
        if cap is None or not 0 <= cap <= order.energy_wh:
            return f"order limit: order={order.order_id.hex()} cap={cap} energy={order.energy_wh}"
    if strange := sorted(caps_wh.keys() - {order.order_id for order in book}):
        return f"order limit: no such order {strange[0].hex()}"
    if broken := violated_cuts(book, caps_wh, cuts, slot_length):
        return f"cut: {broken[0]}"
    own = caps_under_cuts(book, rules, cuts, slot_length)
    _, mine = _solve(book, rules, own.caps_wh, [])
    _, theirs = _solve(book, rules, caps_wh, [])
    # One of several optima may lose another Wh of each order to the floor.
    floored = sum(1 for o in book if caps_wh[o.order_id] < o.energy_wh)
    dearest = max((order.limit for order in book if order.side is Side.BUY), default=0)
    if theirs < mine - WELFARE_TOLERANCE * abs(own.welfare_bound) - floored * dearest:
        return f"welfare: {theirs:.0f} of {mine:.0f} nano-EUR"
    return None


def _load(row: Mapping[bytes, int], used: Mapping[bytes, float]) -> float:
    """Return the left side of a cut."""
    return sum(weight * used[order_id] for order_id, weight in row.items())


def _shave(caps: dict[bytes, int], row: Mapping[bytes, int], bound: int) -> None:
    """Take away the Wh by which the solver's tolerance breaks an integer cut."""
    excess = sum(weight * caps[order_id] for order_id, weight in row.items()) - bound
    for order_id in sorted(row, key=lambda key: (-row[key], key)):
        if excess <= 0:
            return
        less = min(caps[order_id], -(-excess // row[order_id]))
        caps[order_id] -= less
        excess -= less * row[order_id]


def _solve(
    book: Sequence[BookOrder],
    rules: ClearingRules,
    limits_wh: Mapping[bytes, int],
    cuts: Sequence[tuple[Mapping[bytes, int], int]],
) -> tuple[dict[bytes, float], float]:
    """Return Wh by order and the welfare, nano-EUR, of the best clearing over all levels."""
    columns = _columns(book, rules)
    if not columns:
        return {order.order_id: 0.0 for order in book}, 0.0
    most, equal = _Rows(len(columns)), _Rows(len(columns))
    by_order: dict[bytes, list[int]] = {}
    for place, column in enumerate(columns):
        by_order.setdefault(column.order.order_id, []).append(place)
    for order_id, places in by_order.items():
        most.add([(place, 1.0) for place in places], float(limits_wh[order_id]))
    _balance(columns, rules, most, equal)
    for row, bound in cuts:
        # Scaled to the largest coefficient, so that the solver's tolerance means something.
        scale = float(max(row.values(), default=1))
        terms = [(p, row[key] / scale) for key in row for p in by_order.get(key, ())]
        most.add(terms, bound / scale)
    cost = np.array([_cost(column, rules) for column in columns], dtype=np.float64)
    result = linprog(
        cost,
        A_ub=most.matrix(),
        b_ub=np.array(most.bounds),
        A_eq=equal.matrix(),
        b_eq=np.array(equal.bounds),
        bounds=(0, None),
        method="highs",
    )
    if result.x is None or result.fun is None:
        raise NoSolution(f"linear programme: status={result.status} {result.message}")
    used = dict.fromkeys((order.order_id for order in book), 0.0)
    for column, value in zip(columns, result.x.tolist(), strict=True):
        used[column.order.order_id] += value
    return used, -float(result.fun)


def _columns(book: Iterable[BookOrder], rules: ClearingRules) -> list[_Column]:
    """Return the variables: each order at each level it may trade at."""
    columns: list[_Column] = []
    for order in book:
        for level in Level:
            if Levels(level) not in order.levels:
                continue
            if level is Level.GRID:
                is_open = rules.grid is not None and not order.is_direct
            else:
                is_open = order.microgrid != rules.grid
            if is_open:
                columns.append(_Column(order, level))
    return columns


def _cost(column: _Column, rules: ClearingRules) -> float:
    """Return what one Wh costs society: the ask and the connector's fee, less the bid."""
    if column.order.side is Side.BUY:
        return float(-column.order.limit)
    return float(column.order.limit + rules.fee(column.level))


def _balance(columns: Sequence[_Column], rules: ClearingRules, most: _Rows, equal: _Rows) -> None:
    """Add conservation: who trades with whom at each level."""
    groups: dict[tuple[Level, bytes], list[tuple[int, float]]] = {}
    inter: dict[bytes, list[tuple[int, float]]] = {}
    for place, column in enumerate(columns):
        order = column.order
        buys = order.side is Side.BUY
        sign = 1.0 if buys else -1.0
        if column.level is Level.INTRA:
            group = order.microgrid
        elif column.level is Level.INTER:
            group = b""
            inter.setdefault(order.microgrid, []).append((place, sign))
        else:
            # Import: microgrids buy, the operator sells. Export: the other way round.
            group = b"import" if buys is (order.microgrid != rules.grid) else b"export"
        groups.setdefault((column.level, group), []).append((place, sign))
    for terms in groups.values():
        equal.add(terms, 0.0)
    for tag in sorted(inter):
        # Nobody trades with themselves: own purchases <= sales of all others.
        mine = [(place, 1.0) for place, sign in inter[tag] if sign > 0]
        others = [
            (place, -1.0)
            for other, terms in inter.items()
            if other != tag
            for place, sign in terms
            if sign < 0
        ]
        most.add(mine + others, 0.0)
