"""Edges between two rules: answers of another lock, trades of two ticks, sets that change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.golden_host import (
    DIRECT,
    EXPECTED,
    INPUTS,
    Host,
    direct_leaves,
    host_a,
    order_from,
    raw,
    send,
)
from fakes.golden_host import D as GOLDEN_D
from fakes.trade_records import CLIENT, PRICE_OUT, T_A, T_B, TAU, D, E, S
from fakes.trade_world import TradeWorld, account, events

from tieline.contract.connector import mandate_id_of, open_amount
from tieline.contract.energy_trade import EnergyTradeApplication
from tieline.contract.locks import require_lock
from tieline.contract.results import TxResult
from tieline.contract.store import TIELINE
from tieline.protocol.packet import Packet
from tieline.swap.lock import LockStatus
from tieline.swap.messages import (
    MsgCollectShare,
    MsgOpenLocal,
    MsgRefund,
    MsgSetBands,
    MsgTradeEvidence,
)
from tieline.swap.records import Level, Side
from tieline.wire.abi import decode_trade_ack, encode_trade_ack
from tieline.wire.hashes import sha256

RELAYER = account("relayer")
SECRET = b"\x5e" * 32
WH = 5000

# --- answers ----------------------------------------------------------------------------------


def sent() -> tuple[Host, Packet]:
    """The golden direct trade, sent."""
    host = host_a()
    host.lay_order(order_from(INPUTS["buyOrder"]))
    host.clear(raw(EXPECTED["clearingRoot"]), Level.INTER)
    return host, send(host, DIRECT, direct_leaves()[:1])


ACK = decode_trade_ack(raw(EXPECTED["ack"]))
FOREIGN = [
    ("another trade", encode_trade_ack(replace(ACK, trade_id=bytes(32)))),
    ("another lock", encode_trade_ack(replace(ACK, lock_id_out=bytes(32)))),
    ("another expiry", encode_trade_ack(replace(ACK, expiry_out=ACK.expiry_out + 1))),
    ("one byte short", raw(EXPECTED["ack"])[:-1]),
    ("garbage", b"\x00"),
    ("another version", b"\x00" * 31 + b"\x02" + raw(EXPECTED["ack"])[32:]),
]


@pytest.mark.parametrize("answer", [row[1] for row in FOREIGN], ids=[row[0] for row in FOREIGN])
def test_an_answer_of_another_lock_changes_no_cap_and_raises_an_alarm(answer: bytes) -> None:
    host, packet = sent()
    ctx = host.context(GOLDEN_D)
    EnergyTradeApplication().on_acknowledge(ctx, packet, answer)
    lock = require_lock(ctx, raw(EXPECTED["lockIdA"]))
    assert (lock.status, lock.cap_wh) == (LockStatus.CONFIRMED, 5000)
    assert [e.get("reason") for e in ctx.events if e.type == "alarm"] == ["ACK_UNREADABLE"]


# --- orders and terms -----------------------------------------------------------------------


def refusal_of_send(world: TradeWorld, position) -> str:
    posted = world.a.attempt("relayer", world.post_clearing(position.clearing))
    assert posted.code == 0, posted.log
    world.a.must("relayer", world.post_clearing(position.clearing))
    return world.a.attempt("cell a", *world.send_messages(position), at=TAU - 161).log


def test_an_order_of_another_slot_fills_nothing() -> None:
    world = TradeWorld()
    cell = account("cell a")
    world.a.must("cell a", MsgSetBands(cell, S + 900, 900, 50_000, 500_000, 0))
    later = world.place("ann", Side.BUY, WH, slot_start=S + 900)
    sell = world.place("bob", Side.SELL, WH)
    position = world.position([(later, WH)], [(sell, WH)], SECRET)
    assert "order of another slot" in refusal_of_send(world, position)


def test_a_leaf_names_the_account_of_its_order() -> None:
    world = TradeWorld()
    buy, sell = world.place("ann", Side.BUY, WH), world.place("bob", Side.SELL, WH)
    thief = account("amy")
    position = world.position(
        [(buy, WH)],
        [(sell, WH)],
        SECRET,
        forge=lambda leaf: replace(leaf, account=thief),
        buyer=thief,
    )
    assert "another account than its order" in refusal_of_send(world, position)


def test_a_trade_is_of_its_clearings_level_and_between_ledgers_of_the_set() -> None:
    world = TradeWorld()
    buy, sell = world.place("ann", Side.BUY, WH), world.place("bob", Side.SELL, WH)
    grid = world.position([(buy, WH)], [(sell, WH)], SECRET, level=Level.GRID)
    assert "clearing is of another level" in refusal_of_send(world, grid)
    receive = world.position([(buy, WH)], [(sell, WH)], SECRET, dest_chain_tag=bytes(32))
    assert "trade id does not recompute" in refusal_of_send(world, receive)


def test_a_hash_lock_is_used_once_across_levels() -> None:
    world = TradeWorld()
    buys = [world.place(name, Side.BUY, 500) for name in ("ann", "amy")]
    sells = [world.place(name, Side.SELL, 500) for name in ("abe", "sol")]
    first, second = (
        world.local_position([(buy, 500)], [(sell, 500)])
        for buy, sell in zip(buys, sells, strict=True)
    )
    world.open_local(first)
    world.a.must("relayer", world.post_clearing(second.clearing))
    cell = account("cell a")
    again = (MsgTradeEvidence(cell, second.evidence), MsgOpenLocal(cell, second.trade))
    assert "hash lock is used" in world.a.attempt("cell a", *again).log


def test_a_sellers_leaf_is_no_buyers_share() -> None:
    world = TradeWorld()
    buys = [(world.place(name, Side.BUY, 250), 250) for name in ("ann", "amy")]
    sells = [(world.place(name, Side.SELL, 250), 250) for name in ("abe", "sol")]
    local = world.local_position(buys, sells)
    world.open_local(local)
    refuse = world.local_leaf(local, decision=2, cap_wh=0, reason=1, group=0, group_size=0)
    world.a.must("relayer", world.apply_verdict([refuse]), at=TAU)
    sell_leaf = next(own for own in local.leaves if own.allocation.account == account("abe"))
    message = MsgCollectShare(
        RELAYER, local.lock_id, Side.BUY, sell_leaf.allocation, sell_leaf.proof
    )
    assert "not of an order of that pool" in world.a.attempt("relayer", message).log


# --- two ticks, two sets ------------------------------------------------------------------------

LONG_T_B, LONG_T_A = T_B + 900, T_A + 900


class LongScene:
    """A trade of two ticks, LOCKED on b; the second tick belongs to the next cell set."""

    def __init__(self) -> None:
        world = self.world = TradeWorld()
        self.next_id, post = world.second_cell_set(S + 900)
        for ledger in (world.a, world.b):
            cell = account(ledger.cell)
            ledger.must(ledger.cell, MsgSetBands(cell, S, 1800, 50_000, 500_000, 20_000))
            ledger.must("relayer", post)
        buy = world.place("ann", Side.BUY, WH, slot_length=1800)
        sell = world.place("bob", Side.SELL, WH, slot_length=1800, anchor=sha256(SECRET))
        self.position = world.position([(buy, WH)], [(sell, WH)], SECRET, slot_length=1800)
        self.packet = world.send(self.position)
        world.receive(self.position, self.packet)
        self.trade_id = self.position.trade.trade_id

    def apply(self) -> None:
        leaf = self.world.leaf(self.position, self.packet)
        self.world.b.must("relayer", self.world.apply_verdict([leaf]), at=TAU)

    def attempt(self, message: object, at: int) -> TxResult:
        return self.world.b.attempt("relayer", message, at=at)


def test_a_long_trades_leaf_stands_in_the_verdict_of_its_first_tick() -> None:
    scene = LongScene()
    world = scene.world
    leaf = world.leaf(scene.position, scene.packet)
    message = world.apply_verdict([leaf])
    assert message.verdict is not None
    verdict = replace(message.verdict, slot_start=S + 900, cell_set_id=scene.next_id, epoch=2)
    from fakes.trade_world import signed_by

    second = replace(message, slot_start=S + 900, verdict=verdict, signatures=signed_by(verdict))
    assert "first tick only" in scene.attempt(second, TAU).log
    assert scene.attempt(message, TAU).code == 0


def test_a_long_trade_is_paid_by_its_own_sets_statement_of_the_last_tick() -> None:
    scene = LongScene()
    scene.apply()
    world, b, lock_id = scene.world, scene.world.b, scene.position.lock_out
    rows = [(scene.trade_id, 3000)]
    claim = world.claim(lock_id, SECRET, scene.trade_id, 3000)
    b.must("relayer", world.delivery(rows), at=E)
    assert "no such delivery statement" in scene.attempt(claim, E).log
    by_next = world.delivery(rows, slot_start=S + 900, cell_set_id=scene.next_id, epoch=2)
    b.must("relayer", by_next, at=E + 900)
    assert "another cell set than the trade's" in scene.attempt(claim, E + 900).log
    own = b.must("relayer", world.delivery(rows, slot_start=S + 900))
    assert not events(own, "conflicting_delivery")
    assert events(own, "delivery_posted")[0]["index"] == "1"
    first = replace(claim, delivery=replace(claim.delivery, index=1))
    b.must("relayer", first)
    assert b.lock(lock_id).paid_wh == 3000
    leaf = replace(world.delivery_leaf(rows, scene.trade_id), index=1)
    refund = MsgRefund(RELAYER, lock_id, (leaf,))
    assert "before the expiry" in scene.attempt(refund, LONG_T_B - 1).log
    b.must("relayer", refund, at=LONG_T_B)
    assert b.lock(lock_id).status is LockStatus.CLOSED


def test_an_old_set_says_nothing_of_ticks_in_which_no_trade_of_its_can_end() -> None:
    scene = LongScene()
    world = scene.world
    rows = [(scene.trade_id, 1)]
    # From S + 900 on the next set answers; a trade of 60 minutes from S ends in S + 2700.
    for tick, code in ((S + 900, 0), (S + 2700, 0), (S + 3600, 18)):
        statement = world.delivery(rows, slot_start=tick)
        assert scene.attempt(statement, E).code == code


def test_open_money_of_a_mandate_follows_the_lock() -> None:
    scene = LongScene()
    b, trade = scene.world.b, scene.position.trade
    shard = trade.trade_id[0] % b.parameters.vault_shards
    flat = b.app._flat[TIELINE]
    assert open_amount(flat, mandate_id_of(trade, CLIENT), shard) == WH * PRICE_OUT
    leaf = scene.world.leaf(
        scene.position, scene.packet, decision=2, cap_wh=0, reason=1, group=0, group_size=0
    )
    b.must("relayer", scene.world.apply_verdict([leaf]), at=D - 1)
    assert open_amount(flat, mandate_id_of(trade, CLIENT), shard) == 0
