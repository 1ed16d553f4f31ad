"""Orders: one that is placed, and everything that spoils it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from coincurve.utils import GROUP_ORDER_INT
from fakes.microgrid import key
from fakes.trade_records import START_S, TAU, S
from fakes.trade_world import BOND_PRICE, DOMAIN, MONEY, TradeWorld, account, events

from tieline.swap.messages import (
    MsgCancel,
    MsgPlaceOrders,
    MsgReleaseOrder,
    MsgSetBands,
)
from tieline.swap.order_escrow import OrderStatus
from tieline.swap.records import Cancel, Side, SignedOrder
from tieline.wire.errors import Malformed
from tieline.wire.typed_data import order_id, sign_record

RELAYER = account("relayer")
GATE = S - 900


@pytest.fixture(scope="module")
def world() -> TradeWorld:
    """Nothing is placed; tests only attempt."""
    return TradeWorld()


def place(world: TradeWorld, signed: SignedOrder, at: int = START_S) -> Any:
    return world.a.attempt("relayer", MsgPlaceOrders(RELAYER, (signed,)), at=at)


BAD_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("another ledger", {"chain_tag": b"\x09" * 32}, "another ledger"),
    ("no side", {"side": 3}, "unknown side"),
    ("no delivery", {"delivery": 0}, "unknown side or delivery"),
    ("no level", {"levels": 0}, "unknown levels"),
    ("too many levels", {"levels": 8}, "unknown levels"),
    ("off the raster", {"slot_start": S + 1}, "not a slot"),
    ("odd length", {"slot_length": 901}, "not a slot"),
    ("a slot without a band", {"slot_start": S + 900}, "no price band"),
    ("below the minimum", {"energy_wh": 99}, "below the minimum"),
    ("prices turned round", {"price_min": 300_001}, "empty price range"),
    ("above the band", {"price_max": 500_001}, "outside the band"),
    ("below the band", {"price_max": 49_999}, "outside the band"),
    ("more than it has", {"energy_wh": MONEY // 300_000 + 1}, "insufficient funds"),
]


def test_a_good_order_is_placed_until_gate_closure(world: TradeWorld) -> None:
    signed = world.sign("ann", world.order("ann", Side.BUY, 5000))
    placed = place(world, signed, GATE - 1)
    assert placed.code == 0, placed.log
    (event,) = events(placed, "order_placed")
    assert (event["energy_wh"], event["escrow"]) == ("5000", str(5000 * 300_000))
    late = place(world, signed, GATE)
    assert "gate closure" in late.log


@pytest.mark.parametrize(
    ("change", "refusal"), [row[1:] for row in BAD_FIELDS], ids=[row[0] for row in BAD_FIELDS]
)
def test_a_spoiled_order_is_refused(
    world: TradeWorld, change: dict[str, Any], refusal: str
) -> None:
    order = replace(world.order("ann", Side.BUY, 5000), **change)
    refused = place(world, world.sign("ann", order))
    assert refused.code != 0
    assert refusal in refused.log


def test_an_order_signed_by_another_is_refused(world: TradeWorld) -> None:
    order = world.order("ann", Side.BUY, 5000)
    assert "not signed by its account" in place(world, world.sign("amy", order)).log


def high_s(signature: bytes) -> bytes:
    s = GROUP_ORDER_INT - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes((55 - signature[64],))


BAD_SIGNATURES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("v is 0 or 1", lambda signature: signature[:64] + bytes((signature[64] - 27,))),
    ("high s", high_s),
]


@pytest.mark.parametrize(
    "spoil", [row[1] for row in BAD_SIGNATURES], ids=[row[0] for row in BAD_SIGNATURES]
)
def test_a_spoiled_signature_is_refused(world: TradeWorld, spoil: Callable[[bytes], bytes]) -> None:
    signed = world.sign("ann", world.order("ann", Side.BUY, 5000))
    refused = place(world, replace(signed, signature=spoil(signed.signature)))
    assert "malformed" in refused.log


def test_a_signature_of_64_bytes_has_no_place_in_a_transaction(world: TradeWorld) -> None:
    signed = world.sign("ann", world.order("ann", Side.BUY, 5000))
    with pytest.raises(Malformed, match="64 bytes"):
        place(world, replace(signed, signature=signed.signature[:64]))


def test_placing_again_is_a_no_op_even_after_a_cancel() -> None:
    world = TradeWorld()
    order = world.place("bob", Side.SELL, 1000)
    assert world.b.pay("bob") == MONEY - 1000 * BOND_PRICE
    again = MsgPlaceOrders(RELAYER, (world.sign("bob", order),))
    assert world.b.must("relayer", again).events == ()
    cancel = Cancel(order_id(order))
    message = MsgCancel(RELAYER, cancel, sign_record(key("bob"), DOMAIN, cancel))
    world.b.must("relayer", message)
    assert world.b.pay("bob") == MONEY
    assert world.b.must("relayer", message).events == ()
    assert world.b.must("relayer", again).events == ()
    assert world.b.pay("bob") == MONEY
    assert world.b.order(order_id(order)).status is OrderStatus.CANCELLED


def test_a_cancel_needs_its_account_and_an_open_book() -> None:
    world = TradeWorld()
    order = world.place("ann", Side.BUY, 1000)
    cancel = Cancel(order_id(order))
    good = MsgCancel(RELAYER, cancel, sign_record(key("ann"), DOMAIN, cancel))
    stranger = replace(good, signature=sign_record(key("amy"), DOMAIN, cancel))
    unknown = MsgCancel(RELAYER, Cancel(bytes(32)), good.signature)
    assert "not signed by the order's account" in world.a.attempt("relayer", stranger).log
    assert "no such order" in world.a.attempt("relayer", unknown).log
    assert "gate closure" in world.a.attempt("relayer", good, at=GATE).log
    assert world.a.attempt("relayer", good, at=GATE - 1).code == 0


def test_a_release_waits_for_tau_and_pays_once() -> None:
    world = TradeWorld()
    order = world.place("ann", Side.BUY, 1000)
    release = MsgReleaseOrder(RELAYER, order_id(order))
    assert "before the batch closed" in world.a.attempt("relayer", release, at=TAU - 1).log
    world.a.must("relayer", release, at=TAU)
    assert world.a.pay("ann") == MONEY
    assert world.a.must("relayer", release).events == ()
    assert world.a.pay("ann") == MONEY


def test_one_account_cannot_fill_the_book() -> None:
    world = TradeWorld()
    most = world.a.parameters.open_orders_per_account_max
    orders = tuple(world.sign("ann", world.order("ann", Side.BUY, 100)) for _ in range(most + 1))
    assert "too many orders" in world.a.attempt("relayer", MsgPlaceOrders(RELAYER, orders)).log
    assert world.a.attempt("relayer", MsgPlaceOrders(RELAYER, orders[:-1])).code == 0


BANDS = MsgSetBands(account("cell a"), S + 900, 900, 1, 2, 3)
BAD_BANDS: list[tuple[str, str, MsgSetBands, int, str]] = [
    ("by another", "relayer", replace(BANDS, signer=RELAYER), START_S, "only the utility cell"),
    ("an empty band", "cell a", replace(BANDS, price_max=0), START_S, "empty price band"),
    ("off the raster", "cell a", replace(BANDS, slot_start=S + 1), START_S, "not a slot"),
    ("from gate closure", "cell a", BANDS, S, "bands from gate closure"),
    ("another band", "cell a", replace(BANDS, slot_start=S), START_S, "other bands are fixed"),
]


@pytest.mark.parametrize(
    ("name", "message", "at", "refusal"),
    [row[1:] for row in BAD_BANDS],
    ids=[row[0] for row in BAD_BANDS],
)
def test_bands_are_fixed_once_by_the_cell_before_the_book_closes(
    world: TradeWorld, name: str, message: MsgSetBands, at: int, refusal: str
) -> None:
    assert refusal in world.a.attempt(name, message, at=at).log
    assert world.a.attempt("cell a", BANDS, at=S - 1).code == 0


def test_no_orders_are_not_a_message(world: TradeWorld) -> None:
    assert "no orders" in world.a.attempt("relayer", MsgPlaceOrders(RELAYER, ())).log
