"""Wrong variants of what opens a slot: cell sets, clearings, bands, mandates, orders, vaults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coincurve.utils import GROUP_ORDER_INT

from fakes.trade_records import START_S, E, S
from fakes.trade_world import MONEY
from fakes.twin.parties import CELL, TAG_Y, account
from fakes.twin.rows import cancel
from fakes.twin.spoiled import Sent, flip, spoil_each, spoiled
from fakes.twin.world import RELAYER, TwinWorld
from tieline.swap.messages import (
    MsgDeposit,
    MsgPlaceOrders,
    MsgPostCellSet,
    MsgPostClearing,
    MsgReleaseOrder,
    MsgWithdraw,
)
from tieline.swap.records import Side, SignedOrder
from tieline.wire import ids
from tieline.wire.typed_data import order_id

OPEN = START_S + 60


def high_s(signature: bytes) -> bytes:
    """The other signature of the same key over the same digest."""
    turned = (GROUP_ORDER_INT - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    return signature[:32] + turned + bytes([55 - signature[64]])


SIGNATURES: dict[str, Any] = {
    "s is high": high_s,
    "v is 0 or 1": lambda one: one[:64] + bytes((one[64] - 27,)),
    "v is 29": lambda one: one[:64] + b"\x1d",
    "r is zero": lambda one: bytes(32) + one[32:],
    "a bit of r is turned": flip,
    "64 bytes": lambda one: one[:64],
    "66 bytes": lambda one: one + b"\x00",
    "no bytes": lambda one: b"",
}
"""What may be wrong with 65 bytes."""

AMONG_OTHERS = {name: spoil for name, spoil in SIGNATURES.items() if name != "no bytes"}
"""Signatures of many are one string on the EVM: there, one of no bytes is none at all."""

SIGNERS: dict[str, Any] = {
    "one too few": lambda signed: signed[:2],
    "nobody": lambda signed: (),
    "one twice": lambda signed: (signed[0], signed[0], signed[1]),
    "out of order": lambda signed: (signed[1], signed[0], signed[2]),
    "one too many": lambda signed: (*signed, signed[3]),
    "a bad one beside enough": lambda signed: (*signed[:3], flip(signed[3])),
    "a high s beside enough": lambda signed: (*signed[:3], high_s(signed[3])),
}
"""What may be wrong with the signatures of four cells."""


# --- cell sets and clearings ------------------------------------------------------------------


def _next_set(world: TwinWorld, **change: Any) -> MsgPostCellSet:
    fields = {"previous": world.cells.set_id(), "epoch": 2, "from_slot": S + 900}
    record = world.cells.record(**{**fields, **change})
    return MsgPostCellSet(RELAYER, record, world.cells.rows, world.cells.sign(record))


def _set_with(world: TwinWorld, spoil: Any) -> Sent:
    message = _next_set(world)
    return "relayer", [replace(message, signatures=spoil(message.signatures))]


def _set_of(world: TwinWorld, change: dict[str, Any]) -> Sent:
    return "relayer", [_next_set(world, **change)]


spoil_each("sealed", OPEN, _set_with, {f"cell set signed: {k}": v for k, v in SIGNERS.items()})
spoil_each(
    "sealed",
    OPEN,
    _set_of,
    {
        "cell set of an unknown predecessor": {"previous": b"\x44" * 32},
        "cell set as a second first": {"previous": bytes(32)},
        "cell set of the same epoch": {"epoch": 1},
        "cell set that takes a sealed slot": {"from_slot": S},
        "cell set off the raster": {"from_slot": S + 901},
        "cell set from slot zero": {"from_slot": 0},
        "cell set of other cells": {"cells_hash": b"\x45" * 32},
        "cell set of other rows": {"registry_hash": b"\x45" * 32},
    },
)


def _rows(world: TwinWorld, change: Any) -> Sent:
    rows = change(world.cells.rows)
    record = replace(
        world.cells.record(previous=world.cells.set_id(), epoch=2, from_slot=S + 900),
        cells_hash=ids.cells_hash([row.cell for row in sorted(rows, key=lambda r: r.cell)]),
        registry_hash=ids.registry_hash(sorted(rows, key=lambda r: r.cell)),
    )
    return "relayer", [MsgPostCellSet(RELAYER, record, tuple(rows), world.cells.sign(record))]


spoil_each(
    "sealed",
    OPEN,
    _rows,
    {
        "rows out of order": lambda rows: (rows[1], rows[0], *rows[2:]),
        "rows without a grid operator": lambda rows: tuple(replace(row, role=1) for row in rows),
        "rows with an unknown role": lambda rows: (replace(rows[0], role=3), *rows[1:]),
        "rows with two cells of a ledger": lambda rows: tuple(
            replace(row, chain_tag=TAG_Y) for row in rows
        ),
        "rows without this ledger": lambda rows: tuple(
            replace(row, chain_tag=bytes((place + 1,)) * 32) for place, row in enumerate(rows)
        ),
        "rows with another cell of this ledger": lambda rows: tuple(
            replace(row, chain_tag=rows[place - 1].chain_tag) for place, row in enumerate(rows)
        ),
    },
)


@spoiled("sealed", OPEN, is_told=True)
def _the_same_cell_set_again_is_nothing(world: TwinWorld) -> Sent:
    return "relayer", [world.post_cell_set()]


def _clearing_with(world: TwinWorld, spoil: Any) -> Sent:
    message = world.post_clearing("out")
    return "relayer", [replace(message, signatures=spoil(message.signatures))]


def _clearing_of(world: TwinWorld, change: dict[str, Any]) -> Sent:
    return "relayer", [world.post_clearing("out", **change)]


spoil_each("ordered", OPEN, _clearing_with, {f"clearing: {k}": v for k, v in SIGNERS.items()})
spoil_each(
    "ordered",
    OPEN,
    _clearing_with,
    {
        f"clearing, {name}": lambda signed, spoil=spoil: (*signed[:3], spoil(signed[3]))
        for name, spoil in AMONG_OTHERS.items()
    },
)
WRONG_CLEARINGS: dict[str, dict[str, Any]] = {
    "clearing of an unknown level": {"level": 3},
    "clearing of level 0": {"level": 0},
    "clearing of another epoch": {"epoch": 2},
    "clearing of an unknown set": {"cell_set_id": b"\x46" * 32},
    "clearing off the raster": {"slot_start": S + 1},
    "clearing of slot 0": {"slot_start": 0},
    "clearing of an odd length": {"slot_length": 901},
    "clearing before the set begins": {"slot_start": 0, "slot_length": 900},
}
spoil_each("ordered", OPEN, _clearing_of, WRONG_CLEARINGS)
spoil_each(
    "sealed",
    OPEN,
    _clearing_of,
    {
        "another clearing with a root": {"orders_root": b"\x47" * 32},
        "a clearing of another slot with a root": {"slot_start": S + 900},
        "a clearing of another level with a root": {"level": 1},
    },
)


@spoiled("sealed", OPEN, is_told=True)
def _the_same_clearing_again_needs_no_signature(world: TwinWorld) -> Sent:
    message: MsgPostClearing = replace(world.post_clearing("out"), signatures=())
    return "relayer", [message]


# --- bands, mandates, vaults ------------------------------------------------------------------


def _bands(world: TwinWorld, case: tuple[str, dict[str, Any]]) -> Sent:
    sender, change = case
    return sender, [world.bands(**{"signer": account(sender), "slot_start": S + 900, **change})]


spoil_each(
    "founded",
    OPEN,
    _bands,
    {
        "bands by a stranger": ("mallory", {}),
        "bands off the raster": (CELL, {"slot_start": S + 1}),
        "bands of an odd length": (CELL, {"slot_length": 450}),
        "an empty band": (CELL, {"price_min": 5, "price_max": 4}),
        "other bands": (CELL, {"slot_start": S, "bond_price": 1}),
        "another band": (CELL, {"slot_start": S, "price_max": 500_001}),
    },
)
spoil_each(
    "founded", OPEN, _bands, {"the same bands again": (CELL, {"slot_start": S})}, is_told=True
)


def _mandate(world: TwinWorld, case: tuple[str, str, dict[str, Any]]) -> Sent:
    sender, signer, change = case
    message = world.book.mandate(signer, **change)
    return sender, [replace(message, signer=account(sender))]


MANDATES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "mandate sent by another": ("mallory", "connector", {"nonce": 2}),
    "mandate signed by another": ("connector", "mallory", {"nonce": 2}),
    "mandate of another ledger": ("connector", "connector", {"nonce": 2, "chain_tag": TAG_Y}),
    "mandate with an old nonce": ("connector", "connector", {"nonce": 1, "min_fee": 7}),
    "mandate with an older nonce": ("connector", "connector", {"nonce": 0, "min_fee": 7}),
}
spoil_each("founded", OPEN, _mandate, MANDATES)


def _mandate_signed(world: TwinWorld, spoil: Any) -> Sent:
    message = world.book.mandate(nonce=2)
    return "connector", [replace(message, signature=spoil(message.signature))]


spoil_each("founded", OPEN, _mandate_signed, {f"mandate, {k}": v for k, v in SIGNATURES.items()})


def _amount(world: TwinWorld, case: tuple[type, str, int]) -> Sent:
    del world
    kind, sender, amount = case
    return sender, [kind(account(sender), amount)]


spoil_each(
    "founded",
    OPEN,
    _amount,
    {
        "deposit of nothing": (MsgDeposit, "connector", 0),
        "deposit of more than one has": (MsgDeposit, "connector", MONEY + 1),
        "withdrawal of nothing": (MsgWithdraw, "connector", 0),
        "withdrawal of more than there is": (MsgWithdraw, "connector", MONEY + 1),
        "withdrawal from no vault": (MsgWithdraw, "mallory", 1),
    },
)


# --- orders -----------------------------------------------------------------------------------


def _order_of(world: TwinWorld, change: dict[str, Any]) -> Sent:
    order = replace(world.book.order("ann", change.get("side", Side.BUY), 300), **change)
    return "relayer", [world.place(order, signer="ann")]


ORDERS: dict[str, dict[str, Any]] = {
    "order of another ledger": {"chain_tag": TAG_Y},
    "order without a side": {"side": 3},
    "order of side 0": {"side": 0},
    "order without a delivery": {"delivery": 0},
    "order of delivery 3": {"delivery": 3},
    "order without a level": {"levels": 0},
    "order of too many levels": {"levels": 8},
    "order off the raster": {"slot_start": S + 1},
    "order of an odd length": {"slot_length": 901},
    "order of a slot without a band": {"slot_start": S + 900},
    "order below the minimum": {"energy_wh": 99},
    "order of no energy": {"energy_wh": 0},
    "order of turned prices": {"price_min": 300_001},
    "buy above the band": {"price_max": 500_001},
    "buy below the band": {"price_max": 49_999},
    "sale below the band": {"side": Side.SELL, "price_min": 49_999},
    "sale above the band": {"side": Side.SELL, "price_min": 500_001, "price_max": 600_000},
    "order for more than one has": {"energy_wh": MONEY // 300_000 + 1},
    "order of another account": {"account": account("mallory")},
}
spoil_each("founded", OPEN, _order_of, ORDERS)


def _order_signed(world: TwinWorld, spoil: Any) -> Sent:
    order = world.book.order("ann", Side.BUY, 300)
    signed = world.book.sign("ann", order)
    return "relayer", [MsgPlaceOrders(RELAYER, (SignedOrder(order, spoil(signed.signature)),))]


spoil_each("founded", OPEN, _order_signed, {f"order, {k}": v for k, v in SIGNATURES.items()})


@spoiled("founded", OPEN)
def _a_bad_order_behind_a_good_one_places_neither(world: TwinWorld) -> Sent:
    good, bad = (world.book.order("ann", Side.BUY, wh) for wh in (300, 99))
    return "relayer", [world.place(good, bad, signer="ann")]


@spoiled("founded", OPEN)
def _the_ninth_order_of_an_account(world: TwinWorld) -> Sent:
    orders = [world.book.order("ann", Side.BUY, 100) for _ in range(9)]
    return "relayer", [world.place(*orders, signer="ann")]


@spoiled("founded", OPEN)
def _no_orders(world: TwinWorld) -> Sent:
    return "relayer", [MsgPlaceOrders(RELAYER, ())]


@spoiled("ordered", OPEN, is_told=True)
def _an_order_that_is_here_already(world: TwinWorld) -> Sent:
    return "relayer", [world.place(*world.orders["out"])]


@spoiled("ordered", OPEN)
def _cancel_by_another(world: TwinWorld) -> Sent:
    return "relayer", [cancel(world, world.orders["out"][0], "mallory")]


@spoiled("ordered", OPEN)
def _cancel_of_an_unknown_order(world: TwinWorld) -> Sent:
    return "relayer", [cancel(world, world.book.order("ann", Side.BUY, 300), "ann")]


@spoiled("ordered", E)
def _release_of_an_unknown_order(world: TwinWorld) -> Sent:
    order = world.book.order("ann", Side.BUY, 300)
    return "relayer", [MsgReleaseOrder(RELAYER, order_id(order))]


@spoiled("ordered", OPEN)
def _two_cancels_of_which_one_is_another_s(world: TwinWorld) -> Sent:
    first, second = world.orders["out pooled"]
    return "relayer", [cancel(world, first, "amy"), cancel(world, second, "amy")]
