"""Cuts become caps: the least welfare gives way, in whole Wh, and other cells can check it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tieline.interfaces.limits import LimitKind, LinearCut
from tieline.market import constrained
from tieline.market.allocation import Bounds, spent
from tieline.market.clearing import ClearingRules, clear_slot
from tieline.market.constrained import (
    NoSolution,
    caps_under_cuts,
    order_weights,
    refused_caps,
    scaled_bound,
    violated_cuts,
)
from tieline.market.order import BookOrder
from tieline.swap.records import DeliveryKind, Levels, Side

A, B, GRID = (bytes([n]) * 32 for n in (1, 2, 9))
RULES = ClearingRules(grid=GRID, inter_fee=10, grid_fee=20, bounds=Bounds(minimum_wh=1))
SEED = b"coin"
SLOT_S = 900
PICO_PER_KW = 10**9
"""A made-up network: one kW more moves the limit by 1e-3 of its unit."""


def order(number: int, tag: bytes, side: Side, price: int, wh: int, **changes) -> BookOrder:
    base = BookOrder(
        order_id=bytes([number]) * 32,
        account=bytes([number]) * 20,
        microgrid=tag,
        bus=tag[0],
        side=side,
        levels=Levels.ALL,
        delivery=DeliveryKind.DISPATCHABLE,
        energy_wh=wh,
        price_min=price if side is Side.SELL else 0,
        price_max=price if side is Side.BUY else 10**6,
        time=number,
    )
    return replace(base, **changes)


def cut(kw: float, bus: int = A[0], sign: int = -1, limit: str = "V_LOW bus 1") -> LinearCut:
    """At most *kw* more consumption (sign -1) or feed-in (+1) at a bus."""
    return LinearCut(
        limit=limit,
        kind=LimitKind.V_LOW,
        bound=int(kw * PICO_PER_KW),
        trades=(),
        buses=((bus, sign * PICO_PER_KW), (99, 5)),
    )


BOOK = [
    order(1, A, Side.BUY, 300, 1_000),
    order(2, A, Side.BUY, 280, 1_000),
    order(3, B, Side.SELL, 100, 5_000),
    order(4, A, Side.BUY, 290, 400, delivery=DeliveryKind.FIRM),
]


def ids(caps) -> dict[int, int]:
    return {order_id[0]: wh for order_id, wh in caps.items()}


def test_without_a_cut_everyone_keeps_what_they_could_trade() -> None:
    found = caps_under_cuts(BOOK, RULES, [], SLOT_S)
    assert ids(found.caps_wh) == {1: 1_000, 2: 1_000, 3: 2_400, 4: 400}
    assert pytest.approx(found.welfare_bound) == (300 + 280) * 1_000 + 290 * 400 - 110 * 2_400


def test_the_buyer_with_the_least_welfare_gives_way() -> None:
    """6 kW over a quarter of an hour are 1,500 Wh; the firm buyer is in the forecast already."""
    found = caps_under_cuts(BOOK, RULES, [cut(6)], SLOT_S)
    assert ids(found.caps_wh) == {1: 1_000, 2: 500, 3: 1_900, 4: 400}
    assert found.binding == ("V_LOW bus 1",)
    assert violated_cuts(BOOK, found.caps_wh, [cut(6)], SLOT_S) == []
    result = clear_slot(BOOK, RULES, SEED, found.caps_wh)
    assert ids(spent(result.positions)) == {1: 1_000, 2: 500, 3: 1_900, 4: 400}


def test_a_longer_slot_holds_more_wh_under_the_same_kw() -> None:
    found = caps_under_cuts(BOOK, RULES, [cut(3)], 2 * SLOT_S)
    assert ids(found.caps_wh)[2] == 500
    assert 2 * scaled_bound(cut(3), SLOT_S) == scaled_bound(cut(3), 2 * SLOT_S)


def test_a_cut_that_asks_for_relief_takes_out_those_who_worsen_it() -> None:
    found = caps_under_cuts(BOOK, RULES, [cut(-1)], SLOT_S)
    assert ids(found.caps_wh) == {1: 0, 2: 0, 3: 400, 4: 400}


def test_relief_of_others_is_not_counted() -> None:
    """A seller at the same bus would lift the voltage, but it may be refused or not deliver."""
    book = [*BOOK, order(5, A, Side.SELL, 50, 2_000)]
    assert {1, 2} == {key[0] for key in order_weights(cut(6), book)}
    assert {3} == {key[0] for key in order_weights(cut(6, B[0], 1), book)}


def test_two_cuts_hold_together_and_the_loose_one_does_not_bind() -> None:
    cuts = [cut(6), cut(40, B[0], 1, "LINE 3"), cut(3.6, B[0], 1, "PCC")]
    found = caps_under_cuts(BOOK, RULES, cuts, SLOT_S)
    assert ids(found.caps_wh)[3] == 900
    assert found.binding == ("PCC",)
    assert violated_cuts(BOOK, found.caps_wh, cuts, SLOT_S) == []


def test_a_direct_sale_is_kept_whole_or_dropped() -> None:
    book = [
        order(1, A, Side.BUY, 300, 1_000, levels=Levels.INTER),
        order(2, B, Side.SELL, 50, 800, anchor=b"\x07" * 32),
    ]
    feed_in = cut(2, B[0], 1)
    assert ids(caps_under_cuts(book, RULES, [], SLOT_S).caps_wh)[2] == 800
    found = caps_under_cuts(book, RULES, [feed_in], SLOT_S)
    assert ids(found.caps_wh)[2] == 0
    assert refused_caps(book, RULES, [feed_in], SLOT_S, found.caps_wh) is None


def test_the_grid_takes_part_at_its_tariff() -> None:
    tariff = [
        order(8, GRID, Side.SELL, 200, 9_000, levels=Levels.GRID, delivery=DeliveryKind.FIRM),
        order(9, GRID, Side.BUY, 60, 9_000, levels=Levels.GRID, delivery=DeliveryKind.FIRM),
    ]
    book = [
        order(1, A, Side.BUY, 300, 500),
        order(2, B, Side.SELL, 30, 100, levels=Levels.GRID),
        *tariff,
    ]
    assert ids(caps_under_cuts(book, RULES, [], SLOT_S).caps_wh) == {1: 500, 2: 100, 8: 500, 9: 100}


def test_nobody_trades_with_themselves_between_microgrids() -> None:
    book = [
        order(1, A, Side.BUY, 300, 500, levels=Levels.INTER),
        order(2, A, Side.SELL, 30, 500, levels=Levels.INTER),
        order(3, B, Side.SELL, 90, 200, levels=Levels.INTER),
    ]
    assert ids(caps_under_cuts(book, RULES, [], SLOT_S).caps_wh) == {1: 200, 2: 0, 3: 200}


def test_a_book_without_a_level_has_caps_of_zero() -> None:
    book = [order(1, A, Side.BUY, 300, 500, levels=Levels.GRID)]
    found = caps_under_cuts(book, replace(RULES, grid=None), [], SLOT_S)
    assert (ids(found.caps_wh), found.welfare_bound) == ({1: 0}, 0.0)


def test_another_cell_agrees_with_good_caps() -> None:
    found = caps_under_cuts(BOOK, RULES, [cut(6)], SLOT_S)
    assert refused_caps(BOOK, RULES, [cut(6)], SLOT_S, found.caps_wh) is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({1: 1_001}, "order limit: order=0101"),
        ({1: -1}, "order limit"),
        ({77: 1}, "no such order 4d4d"),
        ({2: 501}, "cut: V_LOW bus 1"),
        ({1: 500, 2: 1_000}, "welfare"),
        ({1: 900}, "welfare"),
        ({1: 0, 2: 0, 3: 0, 4: 0}, "welfare"),
    ],
)
def test_bad_caps_are_refused_by_name(changes: dict[int, int], named: str) -> None:
    found = dict(caps_under_cuts(BOOK, RULES, [cut(6)], SLOT_S).caps_wh)
    found.update({bytes([number]) * 32: wh for number, wh in changes.items()})
    assert named in (refused_caps(BOOK, RULES, [cut(6)], SLOT_S, found) or "")


def test_a_missing_cap_is_refused() -> None:
    assert "cap=None" in (refused_caps(BOOK, RULES, [], SLOT_S, {}) or "")


def test_the_solver_s_tolerance_never_breaks_an_integer_cut() -> None:
    caps = {b"x": 10, b"y": 10}
    constrained._shave(caps, {b"x": 3, b"y": 7}, 95)
    assert caps == {b"x": 10, b"y": 9}
    constrained._shave(caps, {b"x": 3, b"y": 7}, 0)
    assert caps == {b"x": 0, b"y": 0}


def test_a_solver_that_gives_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        x = fun = None
        status, message = 4, "numerical difficulties"

    monkeypatch.setattr(constrained, "linprog", lambda *a, **k: Silent())
    with pytest.raises(NoSolution, match="status=4"):
        caps_under_cuts(BOOK, RULES, [], SLOT_S)
