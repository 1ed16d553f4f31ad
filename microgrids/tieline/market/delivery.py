"""
Whose metered Wh serve which trade: INTRA first, then INTER, then GRID; inside a level pro rata.

A seller's shortfall lowers what was delivered. A buyer who took less has still bought: the
difference is its imbalance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from tieline.market.position import Position
from tieline.market.rationing import share_pro_rata
from tieline.swap.records import Allocation, Level, Side
from tieline.units.rounding import floor_share

ORDER_IS_METER: Mapping[bytes, bytes] = MappingProxyType({})


class MissingReading(ValueError):
    """A meter of a trade has no reading: the slot is held, not judged as zero."""


@dataclass(frozen=True, slots=True)
class CappedPosition:
    """A position with the cap that the verdict left it."""

    position: Position
    cap_wh: int
    """0..energy_wh; 0 when it was refused."""


class _Claim(NamedTuple):
    """What one order owes under one position."""

    level: Level
    key: bytes
    order_id: bytes
    wh: int


@dataclass(frozen=True, slots=True)
class Attribution:
    """One side's metered energy, given to trades."""

    by_position: Mapping[bytes, int]
    """Wh by position key, every position once, ascending; never above its cap."""
    by_order: Mapping[tuple[bytes, bytes], int]
    """Wh by (position key, order id)."""


def capped_shares(leaves: Sequence[Allocation], cap_wh: int, energy_wh: int) -> list[int]:
    """
    Return the Wh of each leaf under a cap; they sum to the cap exactly.

    The ledgers share a pool by the same formula: floor((offset + wh) cap / energy) less
    floor(offset cap / energy).
    """
    return [floor_share(cap_wh, leaf.offset_wh, leaf.energy_wh, energy_wh) for leaf in leaves]


def delivered(
    capped: Iterable[CappedPosition],
    metered_wh: Mapping[bytes, int],
    meter_of: Mapping[bytes, bytes] = ORDER_IS_METER,
) -> Attribution:
    """
    Return what was delivered under each trade: what its sellers put into the grid for it.

    Args:
        capped: All accepted positions of the slot; sums over the ticks for a longer trade.
        metered_wh: Wh put into the grid by meter, >= 0, or by order id where an order is its own
            meter. The grid operator's order: what flowed at the point of common coupling.
        meter_of: Meter by order id; several orders of one meter share its reading.

    Raises:
        MissingReading: A seller's meter has none.
    """
    return attribute(capped, Side.SELL, metered_wh, meter_of)


def attribute(
    capped: Iterable[CappedPosition],
    side: Side,
    metered_wh: Mapping[bytes, int],
    meter_of: Mapping[bytes, bytes] = ORDER_IS_METER,
) -> Attribution:
    """
    Give one side's metered Wh to its trades.

    Args:
        capped: All accepted positions of the slot.
        side: SELL gives what was delivered, BUY what was taken (for reports; it moves no money).
        metered_wh: Wh in the direction of the side, >= 0.
        meter_of: Meter by order id.

    Raises:
        MissingReading: A meter of the side has none.
        ValueError: A negative reading or a cap out of range.
    """
    rows = sorted(capped, key=lambda row: row.position.key)
    by_meter: dict[bytes, list[_Claim]] = {}
    for row in rows:
        for claim in _claims(row, side):
            by_meter.setdefault(meter_of.get(claim.order_id, claim.order_id), []).append(claim)
    by_order: dict[tuple[bytes, bytes], int] = {}
    for meter in sorted(by_meter):
        if meter not in metered_wh:
            raise MissingReading(f"no reading of meter {meter.hex()}")
        for claim, wh in _share(metered_wh[meter], by_meter[meter]):
            by_order[claim.key, claim.order_id] = wh
    by_position = {row.position.key: 0 for row in rows}
    for (key, _), wh in by_order.items():
        by_position[key] += wh
    return Attribution(MappingProxyType(by_position), MappingProxyType(by_order))


def _claims(row: CappedPosition, side: Side) -> list[_Claim]:
    """Return what each order of one side owes under the cap."""
    position = row.position
    if not 0 <= row.cap_wh <= position.energy_wh:
        raise ValueError(f"cap out of range: {row.cap_wh} of {position.energy_wh}")
    leaves = position.allocations(side)
    shares = capped_shares(leaves, row.cap_wh, position.energy_wh)
    return [
        _Claim(position.level, position.key, leaf.order_id, share)
        for leaf, share in zip(leaves, shares, strict=True)
    ]


def _share(available_wh: int, claims: Sequence[_Claim]) -> list[tuple[_Claim, int]]:
    """Serve one meter's claims level by level."""
    if available_wh < 0:
        raise ValueError(f"negative reading: {available_wh}")
    left = available_wh
    served: list[tuple[_Claim, int]] = []
    for level in Level:
        mine = [claim for claim in claims if claim.level is level]
        weights = [claim.wh for claim in mine]
        given = min(left, sum(weights))
        places = [claim.key + claim.order_id for claim in mine]
        shares = share_pro_rata(given, weights, places.__getitem__)
        served.extend(zip(mine, shares, strict=True))
        left -= given
    return served
