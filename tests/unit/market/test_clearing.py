"""A slot's three levels by hand: prices, pairs, delivery kinds, leaves, crumbs, direct sales."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest

from tieline.market.allocation import Bounds
from tieline.market.clearing import ClearingRules, LevelPrice, SlotClearing, clear_slot
from tieline.market.order import BookOrder, InvalidOrder, book_order, merit
from tieline.market.pairing import Flow, crowded, pair
from tieline.market.rationing import share_pro_rata
from tieline.market.verification import first_difference
from tieline.swap.records import ZERO_HASH, DeliveryKind, Level, Levels, Order, Side

A, B, C, GRID = (bytes([n]) * 32 for n in (1, 2, 3, 9))
FIRM, DISPATCHABLE = DeliveryKind.FIRM, DeliveryKind.DISPATCHABLE
SEED = b"coin"
RULES = ClearingRules(grid=GRID, inter_fee=10, grid_fee=20)
PRICE_MAX = 10**6


def order(number: int, tag: bytes, side: Side, price: int, wh: int, **changes) -> BookOrder:
    base = BookOrder(
        order_id=number.to_bytes(32, "big"),
        account=number.to_bytes(20, "big"),
        microgrid=tag,
        bus=1,
        side=side,
        levels=Levels.ALL,
        delivery=FIRM,
        energy_wh=wh,
        price_min=price if side is Side.SELL else 0,
        price_max=price if side is Side.BUY else PRICE_MAX,
        time=number,
    )
    return replace(base, **changes)


def buy(number: int, tag: bytes, price: int, wh: int, **changes) -> BookOrder:
    return order(number, tag, Side.BUY, price, wh, **changes)


def sell(number: int, tag: bytes, price: int, wh: int, **changes) -> BookOrder:
    return order(number, tag, Side.SELL, price, wh, **changes)


def lines(result: SlotClearing) -> list[tuple]:
    return [
        (p.level, p.source, p.destination, p.delivery, p.energy_wh, p.price_in, p.price_out)
        for p in result.positions
    ]


TARIFF = [
    sell(900, GRID, 300, 10**6, levels=Levels.GRID),
    buy(901, GRID, 80, 10**6, levels=Levels.GRID),
]


def test_what_intra_leaves_goes_inter_and_then_to_the_grid() -> None:
    book = [
        buy(1, A, 350, 1_000),
        sell(2, A, 100, 400),
        sell(3, B, 150, 500),
        buy(4, B, 90, 200),
        sell(5, C, 50, 300, levels=Levels.INTRA | Levels.GRID),
        *TARIFF,
    ]
    result = clear_slot(book, RULES, SEED)
    assert lines(result) == [
        (Level.INTRA, A, A, FIRM, 400, 350, 350),
        (Level.INTER, A, B, FIRM, 500, 350, 340),
        (Level.GRID, A, GRID, FIRM, 100, 320, 300),
        (Level.GRID, GRID, C, FIRM, 300, 80, 60),
    ]
    assert result.prices == (
        LevelPrice(Level.INTRA, A, 350, 350),
        LevelPrice(Level.INTER, b"", 350, 340),
        LevelPrice(Level.GRID, GRID, 320, 300),
        LevelPrice(Level.GRID, GRID, 80, 60),
    )
    assert result.residual_wh[book[3].order_id] == 200


def test_a_bid_one_below_ask_and_fee_does_not_trade_between_microgrids() -> None:
    asks = [sell(2, B, 100, 500)]
    rules = replace(RULES, grid=None)
    assert lines(clear_slot([buy(1, A, 109, 500), *asks], rules, SEED)) == []
    found = lines(clear_slot([buy(1, A, 110, 500), *asks], rules, SEED))
    assert found == [(Level.INTER, A, B, FIRM, 500, 110, 100)]


def test_a_buyer_below_the_tariff_and_fee_stays_without() -> None:
    result = clear_slot([buy(1, A, 319, 500), *TARIFF], RULES, SEED)
    assert lines(result) == []
    assert lines(clear_slot([buy(1, A, 319, 500)], RULES, SEED)) == []


def test_cheaper_tariff_steps_go_first_each_with_its_own_position() -> None:
    steps = [sell(900 + i, GRID, p, 300, levels=Levels.GRID) for i, p in enumerate((310, 300))]
    found = lines(clear_slot([buy(1, A, 400, 500), *steps], RULES, SEED))
    assert [(line[4], line[5]) for line in found] == [(300, 320), (200, 330)]


def test_an_export_tariff_below_the_fee_buys_nothing() -> None:
    tariff = [buy(901, GRID, 19, 10**6, levels=Levels.GRID)]
    assert lines(clear_slot([sell(1, A, 0, 500), *tariff], RULES, SEED)) == []


def test_scarce_import_goes_to_the_highest_bidders_of_all_microgrids() -> None:
    step = [sell(900, GRID, 300, 600, levels=Levels.GRID)]
    book = [buy(1, A, 400, 500), buy(2, B, 380, 300), buy(3, C, 380, 100), *step]
    result = clear_slot(book, replace(RULES, bounds=Bounds(minimum_wh=1)), SEED)
    assert [line[4] for line in lines(result)] == [500, 75, 25]


def test_firm_meets_firm_first_and_the_rest_is_dispatchable() -> None:
    book = [
        buy(1, A, 200, 500),
        buy(2, A, 210, 300, delivery=DISPATCHABLE),
        sell(3, A, 100, 300),
        sell(4, A, 90, 500, delivery=DISPATCHABLE),
    ]
    result = clear_slot(book, RULES, SEED)
    assert [(x[3], x[4]) for x in lines(result)] == [(FIRM, 300), (DISPATCHABLE, 500)]
    firm, other = result.positions
    assert [int.from_bytes(leaf.order_id, "big") for leaf in firm.buys] == [1]
    assert [int.from_bytes(leaf.order_id, "big") for leaf in other.buys] == [1, 2]
    assert [leaf.offset_wh for leaf in other.buys] == [0, 200]


@pytest.mark.parametrize(
    ("firm", "other", "expected"),
    [
        (50, 300, [(DISPATCHABLE, 350)]),
        (300, 50, [(FIRM, 250), (DISPATCHABLE, 100)]),
        (110, 50, [(DISPATCHABLE, 160)]),
        (300, 0, [(FIRM, 300)]),
    ],
)
def test_too_little_for_a_position_of_its_own_counts_as_dispatchable(
    firm: int, other: int, expected: list
) -> None:
    book = [buy(1, A, 200, firm), sell(2, A, 100, firm)]
    if other:
        book += [
            buy(3, A, 200, other, delivery=DISPATCHABLE),
            sell(4, A, 100, other, delivery=DISPATCHABLE),
        ]
    assert expected == [(x[3], x[4]) for x in lines(clear_slot(book, RULES, SEED))]


def test_at_the_grid_the_microgrid_s_side_decides_the_kind() -> None:
    book = [buy(1, A, 400, 500, delivery=DISPATCHABLE), buy(2, B, 400, 500), *TARIFF]
    found = {(x[1], x[3]) for x in lines(clear_slot(book, RULES, SEED))}
    assert {(A, DISPATCHABLE), (B, FIRM)} == found


def test_ninety_nine_wh_are_dropped_and_go_to_the_next_level() -> None:
    book = [buy(1, A, 400, 99), sell(2, A, 100, 99), *TARIFF]
    assert lines(clear_slot(book, RULES, SEED)) == []
    book = [buy(1, A, 400, 150), sell(2, A, 100, 99), *TARIFF]
    assert [(x[0], x[4]) for x in lines(clear_slot(book, RULES, SEED))] == [(Level.GRID, 150)]


def test_a_pair_with_129_households_splits_into_two_positions() -> None:
    book = [buy(i, A, 200, 100) for i in range(1, 130)] + [sell(500, A, 100, 12_900)]
    result = clear_slot(book, RULES, SEED)
    assert [(p.index, len(p.buys), p.energy_wh) for p in result.positions] == [
        (0, 128, 12_800),
        (1, 1, 100),
    ]
    assert [len(p.sells) for p in result.positions] == [1, 1]
    assert len({p.key for p in result.positions}) == 2


def test_a_direct_sale_goes_whole_to_one_buyer_at_the_pool_s_price() -> None:
    anchor = b"\x77" * 32
    book = [
        buy(1, A, 300, 200),
        buy(2, A, 250, 800),
        buy(3, A, 240, 100),
        sell(4, A, 50, 500, anchor=anchor),
        sell(5, A, 100, 400),
    ]
    result = clear_slot(book, RULES, SEED)
    pool, direct = sorted(result.positions, key=lambda p: p.is_direct)
    assert (500, 250, 250, anchor) == (
        direct.energy_wh,
        direct.price_in,
        direct.price_out,
        direct.anchor,
    )
    assert [int.from_bytes(leaf.order_id, "big") for leaf in direct.buys] == [2]
    assert pool.energy_wh == 400
    assert result.prices[0].price_in == direct.price_in


@pytest.mark.parametrize(
    ("kappa", "price_in", "price_out"),
    [(Fraction(0), 60, 50), (Fraction(1, 2), 180, 170), (Fraction(1), 300, 290)],
)
def test_a_direct_sale_without_a_pool_splits_what_both_limits_leave(
    kappa: Fraction, price_in: int, price_out: int
) -> None:
    book = [buy(1, A, 300, 500), sell(2, B, 50, 500, anchor=b"\x77" * 32, delivery=DISPATCHABLE)]
    found = lines(clear_slot(book, replace(RULES, kappa=kappa), SEED))
    assert [(Level.INTER, A, B, DISPATCHABLE, 500, price_in, price_out)] == found


@pytest.mark.parametrize("seller", [A, B])
def test_two_direct_sales_under_one_hash_lock_do_not_both_find_a_buyer(seller: bytes) -> None:
    """No cell signs one secret for two positions: one household would stop everybody's slot."""
    anchor = b"\x77" * 32
    book = [
        buy(1, A, 300, 500),
        buy(2, A, 300, 500),
        sell(3, A, 60, 500, anchor=anchor),
        sell(4, seller, 50, 500, anchor=anchor),
    ]
    for orders in (book, book[::-1]):
        (only,) = clear_slot(orders, RULES, SEED).positions
        assert (only.anchor, only.sells[0].order_id) == (anchor, book[3].order_id)
    (alone,) = clear_slot(book[:3], RULES, SEED).positions
    assert alone.sells[0].order_id == book[2].order_id


def test_a_direct_sale_finds_nobody_when_no_buyer_takes_it_whole() -> None:
    book = [buy(1, A, 300, 499), buy(2, A, 300, 499), sell(3, A, 50, 500, anchor=b"\x77" * 32)]
    assert lines(clear_slot(book, RULES, SEED)) == []
    fits = [buy(1, A, 300, 500), book[2]]
    assert lines(clear_slot(fits, RULES, SEED, {book[2].order_id: 499})) == []
    assert len(lines(clear_slot(fits, RULES, SEED))) == 1


def test_a_microgrid_never_trades_with_itself_between_microgrids() -> None:
    """Without the INTRA bit its own bid and ask would meet at INTER."""
    inter = Levels.INTER
    book = [
        buy(1, A, 300, 500, levels=inter),
        sell(2, A, 100, 400, levels=inter),
        sell(3, B, 100, 200, levels=inter),
    ]
    assert [(x[1], x[2], x[4]) for x in lines(clear_slot(book, RULES, SEED))] == [(A, B, 200)]
    turned = [
        sell(1, A, 100, 500, levels=inter),
        buy(2, A, 300, 400, levels=inter),
        buy(3, B, 300, 200, levels=inter),
    ]
    assert [(x[1], x[2], x[4]) for x in lines(clear_slot(turned, RULES, SEED))] == [(B, A, 200)]


def test_caps_bound_orders_and_zero_takes_them_out() -> None:
    book = [buy(1, A, 300, 500), sell(2, A, 100, 500)]
    capped = clear_slot(book, RULES, SEED, {book[0].order_id: 120})
    assert [x[4] for x in lines(capped)] == [120]
    assert {book[0].order_id: 0, book[1].order_id: 380} == dict(capped.residual_wh)
    assert lines(clear_slot(book, RULES, SEED, {book[1].order_id: 0})) == []


def test_impossible_books_and_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        clear_slot([buy(1, A, 1, 500), sell(1, A, 1, 500)], RULES, SEED)
    with pytest.raises(ValueError, match="negative cap"):
        clear_slot([buy(1, A, 1, 500)], RULES, SEED, {(1).to_bytes(32, "big"): -1})
    with pytest.raises(ValueError, match="fee"):
        ClearingRules(inter_fee=-1)


@pytest.mark.parametrize(
    "changes",
    [
        {"energy_wh": 0},
        {"energy_wh": 2**40},
        {"order_id": b"short"},
        {"account": bytes(32)},
        {"price_min": 11, "price_max": 10},
        {"price_max": 2**62},
        {"anchor": b"\x01" * 32},
        {"bus": -1},
        {"levels": Levels(0)},
    ],
)
def test_an_order_no_ledger_would_carry_is_refused(changes: dict) -> None:
    with pytest.raises(InvalidOrder):
        buy(1, A, 10, 500, **changes)


def test_a_signed_order_becomes_a_book_order_or_is_refused() -> None:
    signed = Order(A, bytes(20), bytes(32), 2, 7, 1, 900, 900, 500, 10, 99, ZERO_HASH, 1)
    found = book_order(signed, b"\x05" * 32, bus=4, time=17)
    assert (found.side, found.levels, found.limit, found.bus) == (Side.SELL, Levels.ALL, 10, 4)
    with pytest.raises(InvalidOrder, match="side, levels or delivery: 3, 7, 1"):
        book_order(replace(signed, side=3), b"\x05" * 32, bus=4, time=17)


def test_merit_is_price_then_time_then_id() -> None:
    bids = [buy(3, A, 10, 1, time=5), buy(2, A, 10, 1, time=5), buy(4, A, 11, 1, time=9)]
    assert [int.from_bytes(o.order_id, "big") for o in sorted(bids, key=merit)] == [4, 2, 3]


def test_flows_between_many_microgrids_never_lead_home() -> None:
    bought, sold = {A: 50, B: 30, C: 20}, {A: 40, B: 30, C: 30}
    flows = pair(bought, sold)
    assert all(flow.source != flow.destination and flow.energy_wh > 0 for flow in flows)
    for tag in (A, B, C):
        assert bought[tag] == sum(f.energy_wh for f in flows if f.source == tag)
        assert sold[tag] == sum(f.energy_wh for f in flows if f.destination == tag)
    assert [Flow(A, B, 7)] == pair({A: 7, C: 0}, {B: 7})


def test_every_small_market_is_paired_or_refused() -> None:
    """Three microgrids, all amounts up to 3: no dead end, such as (0, 1, 3) against (3, 1, 0)."""
    amounts = list(itertools.product(range(4), repeat=3))
    for bought, sold in itertools.product(amounts, repeat=2):
        paired_or_refused(bought, sold)


def paired_or_refused(bought: tuple, sold: tuple) -> None:
    buys, sells = (dict(zip((A, B, C), wh, strict=True)) for wh in (bought, sold))
    if sum(bought) != sum(sold) or max(map(sum, zip(bought, sold, strict=True))) > sum(bought):
        if sum(bought) == sum(sold):
            assert crowded(buys, sells) is not None
        return
    flows = pair(buys, sells)
    assert all(flow.source != flow.destination and flow.energy_wh > 0 for flow in flows)
    for tag in (A, B, C):
        assert buys[tag] == sum(f.energy_wh for f in flows if f.source == tag)
        assert sells[tag] == sum(f.energy_wh for f in flows if f.destination == tag)


@pytest.mark.parametrize(
    ("bought", "sold", "message"),
    [({A: 1}, {B: 2}, "differ"), ({A: 5, B: 1}, {A: 5, B: 1}, "itself")],
)
def test_impossible_pairs_are_refused(bought: dict, sold: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pair(bought, sold)


def test_shares_of_nothing_are_refused() -> None:
    assert share_pro_rata(0, [0, 0], lambda i: i) == [0, 0]
    with pytest.raises(ValueError, match="nothing to share"):
        share_pro_rata(1, [0, 0], lambda i: i)
    with pytest.raises(ValueError, match="non-negative"):
        share_pro_rata(1, [2, -1], lambda i: i)


BOOK = [buy(1, A, 300, 500), buy(2, A, 310, 300), sell(3, A, 100, 400), sell(4, B, 120, 300)]


def spoil(position: int, **changes) -> tuple:
    found = list(clear_slot(BOOK, RULES, SEED).positions)
    found[position] = replace(found[position], **changes)
    return tuple(found)


def spoil_leaf(**changes) -> tuple:
    first = clear_slot(BOOK, RULES, SEED).positions[0]
    return spoil(0, buys=(*first.buys[:-1], replace(first.buys[-1], **changes)))


@pytest.mark.parametrize(
    ("proposed", "named"),
    [
        (spoil(0, price_in=299, price_out=299), "price_in: expected="),
        (spoil(0, index=1), "position: expected="),
        (spoil(1, energy_wh=1), "energy_wh: expected=300 actual=1"),
        (spoil(0, anchor=b"\x01" * 32), "anchor: expected=00"),
        (spoil_leaf(energy_wh=1), "].energy_wh: expected="),
        (spoil_leaf(account=b"\x09" * 20), "].account: expected="),
        (spoil(0, sells=()), "sells: expected=1 leaves actual=0"),
        (spoil(0)[:1], "number of positions: expected=2 actual=1"),
        ((*spoil(0), spoil(0)[0]), "number of positions: expected=2 actual=3"),
    ],
)
def test_the_first_difference_is_named(proposed: tuple, named: str) -> None:
    assert named in (first_difference(proposed, BOOK, RULES, SEED) or "")


def test_the_same_book_with_other_rules_differs() -> None:
    positions = clear_slot(BOOK, RULES, SEED).positions
    assert first_difference(positions, BOOK, RULES, SEED) is None
    assert first_difference(positions, BOOK, replace(RULES, inter_fee=11), SEED) is not None
