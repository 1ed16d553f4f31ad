"""Clearing against a naive second implementation, exhaustive search, and what must always hold."""

from __future__ import annotations

import itertools
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.market.allocation import Bounds
from tieline.market.clearing import ClearingRules, SlotClearing, clear_slot
from tieline.market.identities import check_levels
from tieline.market.mechanisms.k_double_auction import Quote, UniformPrice, clear
from tieline.market.order import BookOrder
from tieline.market.rationing import coin, share_pro_rata
from tieline.market.verification import first_difference
from tieline.swap.records import ZERO_HASH, DeliveryKind, Level, Levels, Side

A, B, C, GRID = (bytes([n]) * 32 for n in (1, 2, 3, 9))
SEED = b"seed"
quantities = st.integers(1, 6)
prices = st.integers(0, 8)


def naive(bids: list[Quote], asks: list[Quote], kappa: Fraction) -> tuple[int, int, list, list]:
    """Every Wh is a unit: sort them, count the crossing, ration the marginal price by hand."""
    demand = sorted((b.price for b in bids for _ in range(b.energy_wh)), reverse=True)
    supply = sorted(a.price for a in asks for _ in range(a.energy_wh))
    volume = sum(1 for b, s in zip(demand, supply, strict=False) if b >= s)
    if not volume:
        return 0, 0, [0] * len(bids), [0] * len(asks)
    low = max([supply[volume - 1], *demand[volume : volume + 1]])
    high = min([demand[volume - 1], *supply[volume : volume + 1]])
    price = low + int((high - low) * kappa)

    def ration(quotes: list[Quote], margin: int, sign: int) -> list[int]:
        filled = [q.energy_wh if sign * q.price > sign * margin else 0 for q in quotes]
        rest = Fraction(volume - sum(filled))
        places = [i for i, q in enumerate(quotes) if q.price == margin]
        total = sum(quotes[i].energy_wh for i in places)
        exact = {i: rest * quotes[i].energy_wh / total for i in places}
        for i in places:
            filled[i] = int(exact[i])
        order = sorted(
            places, key=lambda i: (int(exact[i]) - exact[i], coin(SEED, quotes[i].order_id))
        )
        for i in order[: volume - sum(filled)]:
            filled[i] += 1
        return filled

    bought = ration(bids, demand[volume - 1], 1)
    return volume, price, bought, ration(asks, supply[volume - 1], -1)


@st.composite
def books(draw: st.DrawFn) -> tuple[list[Quote], list[Quote]]:
    def side(base: int) -> list[Quote]:
        rows = draw(st.lists(st.tuples(prices, quantities), max_size=6))
        return [Quote(bytes([base + i]) * 32, p, q) for i, (p, q) in enumerate(rows)]

    return side(0), side(100)


@given(books(), st.fractions(0, 1, max_denominator=7))
def test_the_auction_equals_the_naive_one(book: tuple, kappa: Fraction) -> None:
    bids, asks = book
    result = clear(bids, asks, SEED, kappa)
    expected = naive(bids, asks, kappa)
    actual = (result.energy_wh, result.price, list(result.bought), list(result.sold))
    assert expected == actual


@given(books())
def test_nobody_trades_outside_the_limit_and_every_wh_bought_is_sold(book: tuple) -> None:
    bids, asks = book
    result = clear(bids, asks, SEED)
    assert sum(result.bought) == sum(result.sold) == result.energy_wh
    assert all(q.price >= result.price for q, n in zip(bids, result.bought, strict=True) if n)
    assert all(q.price <= result.price for q, n in zip(asks, result.sold, strict=True) if n)
    for quotes, filled in ((bids, result.bought), (asks, result.sold)):
        assert all(0 <= n <= q.energy_wh for q, n in zip(quotes, filled, strict=True))


def welfare(bids: list[Quote], asks: list[Quote], result: UniformPrice) -> int:
    return sum(q.price * n for q, n in zip(bids, result.bought, strict=True)) - sum(
        q.price * n for q, n in zip(asks, result.sold, strict=True)
    )


small = st.lists(st.tuples(prices, st.integers(1, 2)), max_size=3)


@settings(max_examples=60)
@given(small, small)
def test_no_other_allocation_has_more_welfare(bid_rows: list, ask_rows: list) -> None:
    """Every allocation of every whole Wh is tried."""
    bids = [Quote(bytes([i]) * 32, p, q) for i, (p, q) in enumerate(bid_rows)]
    asks = [Quote(bytes([50 + i]) * 32, p, q) for i, (p, q) in enumerate(ask_rows)]
    choices = [range(q.energy_wh + 1) for q in (*bids, *asks)]
    best = 0
    for chosen in itertools.product(*choices):
        bought, sold = chosen[: len(bids)], chosen[len(bids) :]
        if sum(bought) == sum(sold):
            gained = sum(q.price * n for q, n in zip(bids, bought, strict=True))
            gained -= sum(q.price * n for q, n in zip(asks, sold, strict=True))
            best = max(best, gained)
    assert best == welfare(bids, asks, clear(bids, asks, SEED))


@given(books(), st.randoms(use_true_random=False))
def test_the_order_of_the_book_changes_nothing(book: tuple, shuffle) -> None:
    bids, asks = book
    result = clear(bids, asks, SEED)
    places = list(range(len(bids)))
    shuffle.shuffle(places)
    turned = clear([bids[i] for i in places], asks, SEED)
    assert [result.bought[i] for i in places] == list(turned.bought)
    assert result.price == turned.price


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(0, 400))
def test_shares_are_exact_and_within_one_of_proportional(weights: list[int], total: int) -> None:
    if not sum(weights):
        weights[0] = 1
    total %= sum(weights) + 1
    shares = share_pro_rata(total, weights, lambda i: i)
    assert total == sum(shares)
    for share, weight in zip(shares, weights, strict=True):
        assert share <= weight
        assert abs(Fraction(share) - Fraction(total * weight, sum(weights))) < 1


@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 40), st.integers(0, 39))
def test_splitting_an_order_in_two_changes_its_total_by_at_most_one(
    total: int, mine: int, other: int, cut: int
) -> None:
    cut %= mine + 1
    total = min(total, mine + other)
    whole = share_pro_rata(total, [mine, other], lambda i: i)[0]
    parts = share_pro_rata(total, [cut, mine - cut, other], lambda i: i)
    assert abs(whole - parts[0] - parts[1]) <= 1


@st.composite
def slot_books(draw: st.DrawFn) -> list[BookOrder]:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from([A, B, C]),
                st.sampled_from(list(Side)),
                st.integers(1, 12),
                st.integers(1, 40),
                st.sampled_from([Levels.ALL, Levels.ALL, *map(Levels, range(1, 8))]),
                st.sampled_from(list(DeliveryKind)),
                st.booleans(),
            ),
            max_size=14,
        )
    )
    orders = [
        BookOrder(
            order_id=bytes([i + 1]) * 32,
            account=bytes([i + 1]) * 20,
            microgrid=tag,
            bus=1,
            side=side,
            levels=levels,
            delivery=kind,
            energy_wh=wh,
            price_min=price if side is Side.SELL else 0,
            price_max=price if side is Side.BUY else 99,
            time=i,
            anchor=bytes([i + 1]) * 32 if direct and side is Side.SELL else ZERO_HASH,
        )
        for i, (tag, side, price, wh, levels, kind, direct) in enumerate(rows)
    ]
    for place, (side, price) in enumerate(draw(st.sampled_from([(), TARIFF]))):
        orders.append(operator(200 + place, side, price))
    return orders


TARIFF = ((Side.SELL, 9), (Side.SELL, 11), (Side.BUY, 4))


def operator(number: int, side: Side, price: int) -> BookOrder:
    return BookOrder(
        order_id=bytes([number]) * 32,
        account=bytes([number]) * 20,
        microgrid=GRID,
        bus=0,
        side=side,
        levels=Levels.GRID,
        delivery=DeliveryKind.FIRM,
        energy_wh=60,
        price_min=price if side is Side.SELL else 0,
        price_max=price if side is Side.BUY else 99,
        time=0,
    )


RULES = ClearingRules(grid=GRID, inter_fee=1, grid_fee=1, bounds=Bounds(minimum_wh=3, leaves_max=2))


def limits_hold(orders: list[BookOrder], result: SlotClearing) -> None:
    book = {order.order_id: order for order in orders}
    for position in result.positions:
        assert position.price_in == position.price_out + RULES.fee(position.level)
        assert position.energy_wh >= RULES.bounds.minimum_wh
        assert (position.source == position.destination) is (position.level is Level.INTRA)
        assert (GRID in (position.source, position.destination)) is (position.level is Level.GRID)
        for side, price, tag in (
            (Side.BUY, position.price_in, position.source),
            (Side.SELL, position.price_out, position.destination),
        ):
            leaves = position.allocations(side)
            assert 1 <= len(leaves) <= RULES.bounds.leaves_max
            assert [leaf.order_id for leaf in leaves] == sorted({x.order_id for x in leaves})
            offset = 0
            for leaf in leaves:
                order = book[leaf.order_id]
                assert order.side is side
                assert order.microgrid == tag
                assert Levels(position.level) in order.levels
                assert leaf.price == price
                assert (price <= order.limit) if side is Side.BUY else (price >= order.limit)
                assert leaf.offset_wh == offset
                offset += leaf.energy_wh
                if position.delivery is DeliveryKind.FIRM and tag != GRID:
                    assert order.delivery is DeliveryKind.FIRM


@given(slot_books())
def test_a_slot_s_positions_keep_every_limit_and_lose_no_wh(orders: list[BookOrder]) -> None:
    result = clear_slot(orders, RULES, SEED)
    limits_hold(orders, result)
    offered = {order.order_id: order.energy_wh for order in orders}
    assert check_levels(result.positions, offered, result.residual_wh) == []
    for order in orders:
        if order.is_direct:
            assert result.residual_wh[order.order_id] in {0, order.energy_wh}


@given(slot_books(), st.randoms(use_true_random=False), st.lists(st.integers(0, 20), max_size=14))
def test_a_slot_under_caps_is_the_same_for_every_cell(
    orders: list[BookOrder], shuffle, cap_wh: list[int]
) -> None:
    caps = {o.order_id: cap for o, cap in zip(orders, cap_wh, strict=False)}
    result = clear_slot(orders, RULES, SEED, caps)
    limits_hold(orders, result)
    used: dict[bytes, int] = {}
    for position in result.positions:
        for leaf in (*position.buys, *position.sells):
            used[leaf.order_id] = used.get(leaf.order_id, 0) + leaf.energy_wh
    assert all(used.get(order_id, 0) <= cap for order_id, cap in caps.items())
    shuffle.shuffle(orders)
    assert first_difference(result.positions, orders, RULES, SEED, caps) is None


@given(slot_books())
def test_nobody_left_over_could_still_trade_inside_their_microgrid(
    orders: list[BookOrder],
) -> None:
    """With a minimum of one Wh and no direct sales, INTRA leaves no bid above an ask."""
    rules = ClearingRules(bounds=Bounds(minimum_wh=1))
    pool = [o for o in orders if not o.is_direct and o.levels == Levels.ALL]
    left = clear_slot(pool, rules, SEED).residual_wh
    for tag in (A, B, C):
        bids = [
            o.limit for o in pool if o.microgrid == tag and left[o.order_id] and o.side is Side.BUY
        ]
        asks = [
            o.limit for o in pool if o.microgrid == tag and left[o.order_id] and o.side is Side.SELL
        ]
        assert max(bids, default=-1) < min(asks, default=100)
