"""Metered energy finds its trades: level by level, pro rata, never above a cap."""

from __future__ import annotations

import pytest

from tieline.market.delivery import (
    CappedPosition,
    MissingReading,
    attribute,
    capped_shares,
    delivered,
)
from tieline.market.position import Position
from tieline.swap.records import Allocation, DeliveryKind, Level, Side

A, B, G = (bytes([n]) * 32 for n in (1, 2, 3))
ONE, TWO, BUYER = (bytes([n]) * 32 for n in (11, 12, 20))


def position(level: Level, destination: bytes, sells: dict[bytes, int], index: int = 0) -> Position:
    total = sum(sells.values())
    rows, offset = [], 0
    for order_id, wh in sorted(sells.items()):
        rows.append(Allocation(order_id, order_id[:20], wh, 100, offset))
        offset += wh
    return Position(
        level=level,
        source=A,
        destination=destination,
        delivery=DeliveryKind.FIRM,
        index=index,
        energy_wh=total,
        price_in=100,
        price_out=100,
        buys=(Allocation(BUYER, BUYER[:20], total, 100, 0),),
        sells=tuple(rows),
    )


INTRA = position(Level.INTRA, A, {ONE: 300})
INTER = position(Level.INTER, B, {ONE: 200, TWO: 200})
GRID = position(Level.GRID, G, {ONE: 100})
ALL = [CappedPosition(p, p.energy_wh) for p in (GRID, INTER, INTRA)]


@pytest.mark.parametrize(
    ("one_wh", "intra", "inter_one", "grid"),
    [(600, 300, 200, 100), (550, 300, 200, 50), (450, 300, 150, 0), (299, 299, 0, 0), (0, 0, 0, 0)],
)
def test_a_short_meter_serves_intra_first_and_grid_last(
    one_wh: int, intra: int, inter_one: int, grid: int
) -> None:
    result = delivered(ALL, {ONE: one_wh, TWO: 200})
    assert {INTRA.key: intra, INTER.key: inter_one + 200, GRID.key: grid} == result.by_position
    assert inter_one == result.by_order[INTER.key, ONE]


def test_more_than_was_sold_is_nobody_s_delivery() -> None:
    result = delivered(ALL, {ONE: 9_999, TWO: 9_999})
    assert {row.position.key: row.cap_wh for row in ALL} == result.by_position


def test_inside_a_level_a_short_meter_serves_pro_rata() -> None:
    small, large = (position(Level.INTER, B, {ONE: wh}, i) for i, wh in enumerate((100, 300)))
    result = delivered([CappedPosition(small, 100), CappedPosition(large, 300)], {ONE: 201})
    assert tuple(result.by_position.values()) == (50, 151)


def test_a_cap_is_never_exceeded_and_a_refused_position_takes_nothing() -> None:
    rows = [CappedPosition(INTER, 101), CappedPosition(GRID, 0)]
    result = delivered(rows, {ONE: 500, TWO: 500})
    assert {INTER.key: 101, GRID.key: 0} == result.by_position
    assert capped_shares(INTER.sells, 101, INTER.energy_wh) == [50, 51]


def test_orders_of_one_meter_share_its_reading() -> None:
    meter = b"m" * 32
    result = delivered([CappedPosition(INTER, 400)], {meter: 100}, {ONE: meter, TWO: meter})
    assert {INTER.key: 100} == result.by_position


def test_what_a_buyer_took_is_told_but_lowers_nothing() -> None:
    assert {INTRA.key: 10} == attribute(
        [CappedPosition(INTRA, 300)], Side.BUY, {BUYER: 10}
    ).by_position
    assert {INTRA.key: 300} == delivered([CappedPosition(INTRA, 300)], {ONE: 300}).by_position


def test_a_missing_reading_holds_the_slot() -> None:
    with pytest.raises(MissingReading, match=TWO.hex()):
        delivered(ALL, {ONE: 600})


@pytest.mark.parametrize(("cap", "wh"), [(401, 1), (-1, 1), (400, -1)])
def test_impossible_numbers_are_refused(cap: int, wh: int) -> None:
    with pytest.raises(ValueError, match=r"cap|reading"):
        delivered([CappedPosition(INTER, cap)], {ONE: wh, TWO: 1})
