"""
How many signed orders one core takes from wire bytes to positions of a cleared slot: read from
protobuf, order id, digest, key recovered, account compared, booked, cleared at all levels.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from clock import at_least, best_of, report

from tieline.market.clearing import ClearingRules, SlotClearing, clear_slot
from tieline.market.order import BookOrder, book_order
from tieline.swap.records import ZERO_HASH, DeliveryKind, Levels, Order, Side, SignedOrder
from tieline.wire import bech32, codec, typed_data
from tieline.wire.hashes import keccak
from tieline.wire.keys import SecpKey, cosmos_account_of, recover

COUNT = 10_000
ROUNDS = 9
SLOWEST = 12_000
MICROGRIDS = tuple(keccak(name) for name in (b"a", b"b", b"c"))
GRID = keccak(b"grid")
SLOT_START = 1_800_000_900
DOMAIN = typed_data.domain_separator(b"\xee" * 32)
RULES = ClearingRules(grid=GRID, inter_fee=2_000, grid_fee=4_000)


def order_of(number: int, key: SecpKey, draw: random.Random) -> Order:
    """One cell's wish: two thirds buy, one in ten can wait; the operator posts one tariff."""
    side = Side.BUY if draw.random() < 0.66 else Side.SELL
    low, high = (0, draw.randrange(100_000, 420_000))
    if side is Side.SELL:
        low, high = draw.randrange(60_000, 300_000), 10_000_000
    return Order(
        chain_tag=MICROGRIDS[number % 3],
        account=key.cosmos_account,
        meter_id=keccak(number.to_bytes(4, "big")),
        side=side,
        levels=Levels.ALL,
        delivery=DeliveryKind.DISPATCHABLE if draw.random() < 0.1 else DeliveryKind.FIRM,
        slot_start=SLOT_START,
        slot_length=900,
        energy_wh=draw.randrange(100, 5_000),
        price_min=low,
        price_max=high,
        anchor=ZERO_HASH,
        nonce=number,
    )


def tariff(key: SecpKey) -> Order:
    """What the grid operator sells, as much as anyone wants."""
    return Order(
        chain_tag=GRID,
        account=key.cosmos_account,
        meter_id=keccak(b"operator"),
        side=Side.SELL,
        levels=Levels.GRID,
        delivery=DeliveryKind.FIRM,
        slot_start=SLOT_START,
        slot_length=900,
        energy_wh=10**9,
        price_min=320_000,
        price_max=10_000_000,
        anchor=ZERO_HASH,
        nonce=0,
    )


def wire_orders() -> list[bytes]:
    """Return signed orders of as many households, and the operator's tariff."""
    draw = random.Random(7)
    signed: list[bytes] = []
    for number in range(COUNT):
        key = SecpKey(keccak(b"household" + number.to_bytes(4, "big")))
        order = tariff(key) if number == COUNT - 1 else order_of(number, key, draw)
        signature = typed_data.sign_record(key, DOMAIN, order)
        signed.append(codec.encode_signed_order(SignedOrder(order, signature)))
    return signed


def decode(wire: list[bytes]) -> list[SignedOrder]:
    """Read them."""
    return [codec.decode_signed_order(data) for data in wire]


def authenticate(orders: list[SignedOrder]) -> list[bytes]:
    """Return the order ids; every signature is its account's."""
    ids: list[bytes] = []
    for signed in orders:
        order_id = typed_data.order_id(signed.order)
        digest = typed_data.digest_of_struct_hash(DOMAIN, order_id)
        assert cosmos_account_of(recover(digest, signed.signature)) == signed.order.account
        ids.append(order_id)
    return ids


def book(orders: list[SignedOrder], ids: list[bytes]) -> list[BookOrder]:
    """Return them as the market sees them."""
    return [
        book_order(signed.order, order_id, 1, time)
        for time, (signed, order_id) in enumerate(zip(orders, ids, strict=True))
    ]


def whole(wire: list[bytes]) -> SlotClearing:
    """Everything between the wire and the positions."""
    orders = decode(wire)
    return clear_slot(book(orders, authenticate(orders)), RULES, b"coin")


def us_each(run: Callable[[], object]) -> float:
    """Return CPU microseconds an order, best of rounds."""
    return best_of(ROUNDS, run).cpu_s / COUNT * 1e6


def forget() -> None:
    """Empty the memories of accounts: every household is met for the first time."""
    cosmos_account_of.cache_clear()
    bech32.account_from_text.cache_clear()
    bech32.account_to_text.cache_clear()


def main() -> None:
    """Measure the whole way with nothing remembered, then its parts."""
    wire = wire_orders()

    def cold() -> None:
        forget()
        whole(wire)

    cold_us, known_us = us_each(cold), us_each(lambda: whole(wire))
    orders = decode(wire)
    ids = authenticate(orders)
    booked = book(orders, ids)
    digests = [typed_data.digest_of_struct_hash(DOMAIN, one) for one in ids]

    def recover_all() -> None:
        for digest, signed in zip(digests, orders, strict=True):
            recover(digest, signed.signature)

    parts = {
        "decoding": us_each(lambda: decode(wire)),
        "order_id_and_digest": us_each(
            lambda: [
                typed_data.digest_of_struct_hash(DOMAIN, typed_data.order_id(one.order))
                for one in orders
            ]
        ),
        "signature": us_each(recover_all),
        "booking": us_each(lambda: book(orders, ids)),
        "clearing": us_each(lambda: clear_slot(booked, RULES, b"coin")),
    }
    total = sum(parts.values())
    cleared = clear_slot(booked, RULES, b"coin")
    report(
        "signed_orders",
        1e6 / cold_us,
        "orders/s",
        at_least(SLOWEST),
        orders=COUNT,
        positions=len(cleared.positions),
        us_an_order=round(cold_us, 1),
        orders_per_s_of_known_households=round(1e6 / known_us),
        us={name: round(took, 2) for name, took in parts.items()},
        shares={name: round(took / total, 3) for name, took in parts.items()},
        clock="CPU, best of rounds, one core",
    )


if __name__ == "__main__":
    main()
