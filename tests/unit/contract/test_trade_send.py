"""Row A3: one trade that locks and sends, and everything that spoils it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fakes.trade_records import CLIENT, PRICE_IN, T_A, T_B, TAU, D, S
from fakes.trade_world import Position, TradeWorld, account, events

from tieline.contract.energy_trade import payload_of
from tieline.protocol.messages import SendPacket
from tieline.swap.messages import MsgLockAndSend, MsgTradeEvidence
from tieline.swap.records import Order, OwnLeaf, Side
from tieline.wire.hashes import sha256

CELL = account("cell a")
SECRET = b"\x5e" * 32
SEND_AT = TAU - 161


class Scene:
    """A placed pair of orders with its clearing posted on a."""

    def __init__(self) -> None:
        self.world = TradeWorld()
        self.buy = self.world.place("ann", Side.BUY, 5000)
        self.sell = self.world.place("bob", Side.SELL, 5000, anchor=sha256(SECRET))
        self.poor = self.world.place("amy", Side.BUY, 5000, price_max=PRICE_IN - 1)
        self.intra = self.world.place("abe", Side.BUY, 5000, levels=1)
        self.good = self.position()

    def position(self, buys: list[tuple[Order, int]] | None = None, **change: Any) -> Position:
        wh = 5000
        fills = [(self.buy, wh)] if buys is None else buys
        position = self.world.position(fills, [(self.sell, wh)], SECRET, **change)
        known = self.world.a.attempt("relayer", self.world.post_clearing(position.clearing))
        if known.code == 0:
            self.world.a.must("relayer", self.world.post_clearing(position.clearing))
        return position


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Tests only attempt."""
    return Scene()


def attempt(scene: Scene, position: Position, at: int = SEND_AT, **change: Any) -> str:
    evidence, lock = scene.world.send_messages(position)
    assert isinstance(lock, MsgLockAndSend)
    result = scene.world.a.attempt("cell a", evidence, replace(lock, **change), at=at)
    return result.log if result.code else "sent"


def test_the_good_trade_is_sent(scene: Scene) -> None:
    assert attempt(scene, scene.good) == "sent"


def test_the_event_names_both_locks_and_the_packet(scene: Scene) -> None:
    result = scene.world.a.attempt("cell a", *scene.world.send_messages(scene.good), at=SEND_AT)
    (opened,) = events(result, "lock_opened")
    assert opened["leg"] == "in"
    assert opened["status"] == "OPEN"
    assert opened["lock_id"] == scene.good.lock_in.hex()
    assert opened["peer_lock_id"] == scene.good.lock_out.hex()
    assert (opened["client"], opened["sequence"]) == (CLIENT, "1")


SPOILED_TERMS: list[tuple[str, dict[str, Any], str]] = [
    ("another source", {"source_chain_tag": b"\x01" * 32}, "another source"),
    ("trade id", {"trade_id": b"\x01" * 32}, "trade id does not recompute"),
    ("lock id", {"lock_id_in": b"\x01" * 32}, "lock id does not recompute"),
    ("price out above in", {"price_out": PRICE_IN + 1}, "price out above price in"),
    ("no energy", {"energy_wh": 0}, "no energy"),
    ("level INTRA", {"level": 1}, "level cannot cross ledgers"),
    ("version 2", {"version": 2}, "unknown payload version"),
    ("off the raster", {"slot_start": S + 1}, "not a slot"),
    ("verdict deadline", {"verdict_deadline": D - 1}, "LADDER"),
    ("T_B one second early", {"expiry_out": T_B - 1}, "LADDER"),
    ("T_A one second early", {"expiry_in": T_A - 1}, "LADDER"),
    ("another hash lock", {"hashlock": b"\x01" * 32}, "trade id does not recompute"),
    ("another epoch", {"cell_set_epoch": 2}, "CELL_SET"),
    ("another cell set", {"cell_set_id": b"\x01" * 32}, "CELL_SET"),
    ("an unknown clearing", {"clearing_root": b"\x01" * 32}, "not in the clearing"),
    ("another buyer", {"buyer": b"\x01" * 20}, "ORDER"),
    ("another price", {"price_in": PRICE_IN + 1}, "price, offset or energy"),
]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [row[1:] for row in SPOILED_TERMS],
    ids=[row[0] for row in SPOILED_TERMS],
)
def test_spoiled_terms_are_refused(scene: Scene, change: dict[str, Any], refusal: str) -> None:
    assert refusal in attempt(scene, scene.position(**change))


def test_a_clearing_that_is_not_posted_is_not_yet(scene: Scene) -> None:
    position = scene.world.position([(scene.buy, 5000)], [(scene.sell, 5000)], b"\x77" * 32)
    assert "clearing not posted here" in attempt(scene, position)


def test_another_timeout_is_refused(scene: Scene) -> None:
    for timeout in (TAU - 1, TAU + 1):
        assert "LADDER" in attempt(scene, scene.good, timeout_s=timeout)


def test_sending_ends_at_the_lock_deadline(scene: Scene) -> None:
    assert attempt(scene, scene.good, at=TAU - 161) == "sent"
    assert "lock deadline" in attempt(scene, scene.good, at=TAU - 160)


def test_only_the_utility_cell_sends(scene: Scene) -> None:
    by_relayer = [
        replace(message, signer=account("relayer"))
        for message in scene.world.send_messages(scene.good)
    ]
    result = scene.world.a.attempt("relayer", *by_relayer, at=SEND_AT)
    assert "only the utility cell" in result.log


def test_nobody_sends_without_a_lock(scene: Scene) -> None:
    plain = SendPacket(CELL, CLIENT, TAU, (payload_of(scene.good.trade),))
    assert "no plain sends" in scene.world.a.attempt("cell a", plain, at=SEND_AT).log


def test_no_trades_are_not_a_message(scene: Scene) -> None:
    message = MsgLockAndSend(CELL, CLIENT, TAU, ())
    assert "no trades" in scene.world.a.attempt("cell a", message, at=SEND_AT).log


def spoil_leaf(change: dict[str, Any]) -> Callable[[Position], tuple[OwnLeaf, ...]]:
    def spoiled(position: Position) -> tuple[OwnLeaf, ...]:
        (own,) = position.buys
        return (replace(own, allocation=replace(own.allocation, **change)),)

    return spoiled


SPOILED_EVIDENCE: list[tuple[str, Callable[[Position], tuple[OwnLeaf, ...]], str]] = [
    ("no leaves", lambda _: (), "do not make up the position"),
    ("the other side's leaf", lambda p: p.sells, "unknown here"),
    ("a leaf twice", lambda p: (*p.buys, *p.buys), "not ascending"),
    ("another energy", spoil_leaf({"energy_wh": 4999}), "not in the allocations"),
    ("another account", spoil_leaf({"account": b"\x01" * 20}), "not in the allocations"),
    ("another offset", spoil_leaf({"offset_wh": 1}), "not in the allocations"),
    (
        "a proof too deep",
        lambda p: (replace(p.buys[0], proof=p.buys[0].proof * 40),),
        "not in the allocations",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [row[1:] for row in SPOILED_EVIDENCE],
    ids=[row[0] for row in SPOILED_EVIDENCE],
)
def test_spoiled_evidence_is_not_yet(
    scene: Scene, spoil: Callable[[Position], tuple[OwnLeaf, ...]], refusal: str
) -> None:
    position = replace(scene.good, buys=spoil(scene.good))
    evidence, lock = scene.world.send_messages(position)
    result = scene.world.a.attempt("cell a", evidence, lock, at=SEND_AT)
    assert refusal in result.log
    assert (result.codespace, result.code) == ("tieline", 2)


def test_evidence_counts_in_its_own_transaction_only(scene: Scene) -> None:
    _, lock = scene.world.send_messages(scene.good)
    assert "no evidence" in scene.world.a.attempt("cell a", lock, at=SEND_AT).log


def test_evidence_has_a_bound(scene: Scene) -> None:
    (own,) = scene.good.buys
    evidence = replace(scene.good.evidence(Side.BUY), own_leaves=(own,) * 257)
    result = scene.world.a.attempt("cell a", MsgTradeEvidence(CELL, evidence), at=SEND_AT)
    assert "too many leaves" in result.log


def test_an_order_pays_no_more_than_its_limit_and_only_at_its_levels(scene: Scene) -> None:
    poor = scene.position([(scene.poor, 5000)])
    assert "price beyond the order's limit" in attempt(scene, poor)
    intra = scene.position([(scene.intra, 5000)])
    assert "not for this level" in attempt(scene, intra)


def test_an_order_is_filled_once_and_a_hash_lock_used_once() -> None:
    scene = Scene()
    world = scene.world
    more = world.place("amy", Side.BUY, 5000)
    world.send(scene.good)
    repeat = world.a.attempt("cell a", *world.send_messages(scene.good))
    assert (repeat.code, repeat.events) == (0, ())
    same_secret = scene.position([(more, 5000)])
    assert "hash lock is used" in attempt(scene, same_secret)
    other = world.position([(scene.buy, 5000)], [(scene.sell, 5000)], b"\x07" * 32)
    world.a.must("relayer", world.post_clearing(other.clearing))
    assert "does not cover its leaf" in attempt(scene, other)


def test_one_transaction_carries_a_whole_slot() -> None:
    scene = Scene()
    world = scene.world
    buys = [world.place("amy", Side.BUY, 200 + n) for n in range(5)]
    sells = [world.place("ben", Side.SELL, 200 + n) for n in range(5)]
    positions = [
        world.position([(buy, 200 + n)], [(sell, 200 + n)], bytes([n]) * 32)
        for n, (buy, sell) in enumerate(zip(buys, sells, strict=True))
    ]
    for position in positions:
        world.a.must("relayer", world.post_clearing(position.clearing))
    evidence = [MsgTradeEvidence(CELL, each.evidence(Side.BUY)) for each in positions]
    trades = tuple(each.trade for each in positions)
    sent = world.a.must("cell a", *evidence, MsgLockAndSend(CELL, CLIENT, TAU, trades), at=SEND_AT)
    assert [event["packet_sequence"] for event in events(sent, "send_packet")] == list("12345")
