"""The uniform-price auction against the golden case and by hand."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tieline.market.mechanisms.k_double_auction import Quote, clear, clear_arrays

VECTOR = json.loads(
    (Path(__file__).parents[2] / "vectors" / "double_auctions.json").read_text(encoding="utf-8")
)
SEED = bytes(32)
MILLI = 1000
"""The vector's prices have halves; the auction's are integers."""


def quotes(prices: list[int], wh: int = 1, base: int = 0) -> list[Quote]:
    return [
        Quote((base + index).to_bytes(32, "big"), price * MILLI, wh)
        for index, price in enumerate(prices)
    ]


@pytest.mark.parametrize(
    ("kappa", "price"),
    [(Fraction(0), 6000), (Fraction(1, 2), 6500), (Fraction(1), 7000), (Fraction(1, 3), 6333)],
)
def test_the_golden_book_clears_at_the_vector_s_price(kappa: Fraction, price: int) -> None:
    result = clear(quotes(VECTOR["bids"]), quotes(VECTOR["asks"], base=50), SEED, kappa)
    assert price == result.price
    assert VECTOR["efficient_trades"] == result.energy_wh
    assert (1, 1, 1, 0) == result.bought == result.sold
    assert VECTOR["uniform_price"] * MILLI == (result.low + result.high) / 2


def test_the_golden_book_reaches_the_vector_s_surplus() -> None:
    result = clear(quotes(VECTOR["bids"]), quotes(VECTOR["asks"], base=50), SEED)
    gained = sum(b * n for b, n in zip(VECTOR["bids"], result.bought, strict=True)) - sum(
        a * n for a, n in zip(VECTOR["asks"], result.sold, strict=True)
    )
    assert VECTOR["surplus"] == gained


def test_the_first_rejected_offer_is_capped_at_the_last_accepted_bid() -> None:
    """Uncapped it is 8 in the golden book: above the bid of 7 that trades."""
    result = clear(quotes(VECTOR["bids"]), quotes(VECTOR["asks"], base=50), SEED, Fraction(1))
    assert VECTOR["fro_uncapped"] * MILLI > result.price == 7 * MILLI


def test_an_order_that_is_filled_in_part_sets_the_price() -> None:
    result = clear([Quote(b"b", 10, 5)], [Quote(b"a", 2, 8)], SEED)
    assert (result.energy_wh, result.price, result.low, result.high) == (5, 2, 2, 2)
    assert result.sold == (5,)


def test_no_trade_when_every_bid_is_below_every_ask() -> None:
    result = clear([Quote(b"b", 4, 5)], [Quote(b"a", 5, 8)], SEED)
    assert (result.energy_wh, result.price, result.bought, result.sold) == (0, 0, (0,), (0,))


@pytest.mark.parametrize(("bids", "asks"), [(1, 0), (0, 1), (0, 0)])
def test_an_empty_side_clears_nothing(bids: int, asks: int) -> None:
    result = clear(quotes([5] * bids), quotes([5] * asks), SEED)
    assert result.energy_wh == 0
    assert bids == len(result.bought)


def test_the_long_side_is_served_pro_rata_at_the_margin() -> None:
    bids = [Quote(b"x", 9, 100), Quote(b"y", 5, 300), Quote(b"z", 5, 100)]
    result = clear(bids, [Quote(b"a", 1, 300)], SEED)
    assert result.bought == (100, 150, 50)


def test_the_last_wh_among_equals_goes_by_the_coin() -> None:
    """Three equal bids for two Wh: who goes empty depends on the seed, and on nothing else."""
    bids = [Quote(bytes([i]) * 32, 5, 1) for i in range(3)]
    asks = [Quote(b"a" * 32, 1, 2)]
    losers = {clear(bids, asks, bytes([seed])).bought.index(0) for seed in range(30)}
    assert {0, 1, 2} == losers
    first = clear(bids, asks, b"\x07")
    turned = clear(bids[::-1], asks, b"\x07")
    assert first.bought == turned.bought[::-1]


def test_shares_stay_exact_beyond_int64_products() -> None:
    huge = 2**39 + 1
    result = clear(
        [Quote(b"x", 5, huge), Quote(b"y", 5, huge + 2)], [Quote(b"a", 1, huge + 1)], SEED
    )
    assert huge + 1 == sum(result.bought)
    assert all(abs(2 * share - (huge + 1)) <= 2 for share in result.bought)


@pytest.mark.parametrize("kappa", [Fraction(-1, 2), Fraction(3, 2)])
def test_kappa_outside_the_interval_is_refused(kappa: Fraction) -> None:
    with pytest.raises(ValueError, match="kappa"):
        clear(quotes([5]), quotes([5]), SEED, kappa)


@pytest.mark.parametrize("quote", [Quote(b"q", -1, 5), Quote(b"q", 1, 0)])
def test_a_quote_out_of_range_is_refused(quote: Quote) -> None:
    with pytest.raises(ValueError, match="below"):
        clear([quote], quotes([5]), SEED)


def test_a_hundred_thousand_orders_balance() -> None:
    count = 50_000
    places = np.arange(count, dtype=np.int64)
    bid_price, ask_price = places * 7919 % 200_000, places * 104_729 % 200_000
    wh = places * 31 % 4_000 + 1
    fills = clear_arrays(bid_price, wh, ask_price, wh, Fraction(1, 2), lambda i: b"", lambda i: b"")
    assert fills.energy_wh == int(fills.bought.sum()) == int(fills.sold.sum()) > 0
    assert int(bid_price[fills.bought > 0].min()) >= fills.price
    assert int(ask_price[fills.sold > 0].max()) <= fills.price
