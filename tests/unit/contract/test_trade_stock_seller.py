"""X2 and X3: the seller is on a stock chain. A claim is a send to it, whatever becomes of that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.light_client import prove
from fakes.microgrid import key
from fakes.trade_records import CLIENT, PRICE_IN, PRICE_OUT, T_A, TAU, D, E, S
from fakes.trade_world import Position, TradeLedger, account, events
from fakes.transfer_world import (
    HOME,
    RELAYER,
    SECRET,
    WH,
    TransferWorld,
    escrowed,
    owed_on,
    sent_packets,
    supply_of,
    text,
    vouchers_of,
    written_answer,
)

from tieline.contract.conditional_transfers import NOBODY
from tieline.contract.results import BlockInput, TxResult
from tieline.contract.terms import lock_id_in
from tieline.protocol.commitment import (
    ERROR_ACKNOWLEDGEMENT,
    acknowledgement_key,
    commit_acknowledgement,
)
from tieline.protocol.messages import AcknowledgePacket
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.lock import LockStatus
from tieline.swap.messages import (
    MsgCollectShare,
    MsgExpirePending,
    MsgOpenAbroad,
    MsgRefund,
    MsgRetryOwed,
    MsgSetStockChain,
    MsgTakeOwed,
    MsgWaive,
)
from tieline.swap.records import Level, Order, Role, Side
from tieline.wire import ids
from tieline.wire.abi import encode_id_leaf
from tieline.wire.codec import build_transaction
from tieline.wire.hashes import sha256
from tieline.wire.merkle import MerkleTree
from tieline.wire.transfer_data import decode_transfer_data

SENTINEL = Acknowledgement((ERROR_ACKNOWLEDGEMENT,))
ANN, BOB = account("ann"), account("bob")
COST = WH * PRICE_IN


class Scene:
    """Opened: PENDING on a; ann's escrow is in the lock, nothing is on b."""

    def __init__(self, buys: list[tuple[str, int]] | None = None) -> None:
        world = self.world = TransferWorld()
        orders: list[tuple[Order, int]] | None = None
        if buys is not None:
            orders = [(world.place(name, Side.BUY, wh), wh) for name, wh in buys]
        self.position: Position = world.seller_abroad(orders)
        self.lock_id = world.abroad_lock(self.position)
        opened = world.open_abroad(self.position)
        assert opened.code == 0, opened.log

    @property
    def status(self) -> LockStatus:
        return self.world.a.lock(self.lock_id).status

    def decide(self, at: int = TAU, **change: Any) -> TxResult:
        leaf = self.world.abroad_leaf(self.position, **change)
        return self.world.a.run("relayer", self.world.apply_verdict([leaf]), at=at)

    def refuse(self, at: int = TAU) -> TxResult:
        return self.decide(at, decision=2, cap_wh=0, reason=2, group=0, group_size=0)

    def expire(self, at: int = D) -> TxResult:
        return self.world.a.run("relayer", MsgExpirePending(RELAYER, self.lock_id), at=at)

    def deliver(self, wh: int) -> None:
        trade_id = self.position.trade.trade_id
        self.world.a.must("relayer", self.world.delivery([(trade_id, wh)]), at=E)
        self.world.b.now_s = E

    def claim(self, wh: int, at: int = E) -> TxResult:
        message = self.world.claim(self.lock_id, SECRET, self.position.trade.trade_id, wh)
        return self.world.a.run("relayer", message, at=at)

    def refund(self, at: int = T_A) -> TxResult:
        return self.world.a.run("relayer", MsgRefund(RELAYER, self.lock_id), at=at)


def claimed(wh: int = WH) -> tuple[Scene, Packet]:
    """A scene with a claim on its way."""
    scene = Scene()
    scene.decide()
    scene.deliver(wh)
    (packet,) = sent_packets(scene.claim(wh))
    return scene, packet


def answer(
    world: TransferWorld,
    packet: Packet,
    said: Acknowledgement,
    on: TradeLedger | None = None,
) -> TxResult:
    """An answer that the stock chain gave for a reason of its own, brought to a."""
    ledger = on or world.a
    height = ledger.update_client(world.other(ledger))
    key = acknowledgement_key(packet.destination_client, packet.sequence)
    proof = prove(height.revision_height, (b"ibc", key), commit_acknowledgement(said))
    return ledger.run("relayer", AcknowledgePacket(RELAYER, packet, said, proof, height))


# --- X2, the good endings ---------------------------------------------------------------------


def test_nothing_is_sent_before_a_claim_and_what_the_cap_lost_is_the_buyer_s() -> None:
    scene = Scene()
    before = scene.world.a.pay("ann")
    assert not sent_packets(scene.decide(cap_wh=4000))
    assert scene.world.a.pay("ann") == before + (WH - 4000) * PRICE_IN
    scene.deliver(4000)
    assert escrowed(scene.world.a) == 0


def test_a_claim_turns_delivered_energy_into_a_send_to_the_seller() -> None:
    scene, packet = claimed(3600)
    data = decode_transfer_data(packet.payloads[0].value, packet.payloads[0].encoding)
    assert (data.denom, data.amount) == ("neur", 3600 * PRICE_IN)
    assert data.receiver == text("bob")
    assert escrowed(scene.world.a) == 3600 * PRICE_IN
    assert scene.world.round_trip(scene.world.a, packet).code == 0
    assert vouchers_of(scene.world.b, BOB) == supply_of(scene.world.b) == 3600 * PRICE_IN
    assert not owed_on(scene.world.a)
    scene.refund()
    assert scene.status is LockStatus.CLOSED
    assert escrowed(scene.world.a) == 3600 * PRICE_IN


def test_each_further_claim_sends_only_what_is_new() -> None:
    scene, _ = claimed(1000)
    trade_id = scene.position.trade.trade_id
    scene.world.a.must("relayer", scene.world.delivery([(trade_id, 1500)]))
    message = scene.world.claim(scene.lock_id, SECRET, trade_id, 1500)
    leaf = scene.world.delivery_leaf([(trade_id, 1500)], trade_id, 1)
    result = scene.world.a.must("relayer", replace(message, delivery=leaf))
    (more,) = sent_packets(result)
    data = decode_transfer_data(more.payloads[0].value, more.payloads[0].encoding)
    assert data.amount == 500 * PRICE_IN
    assert not sent_packets(scene.claim(1000))


@pytest.mark.parametrize("ending", ["refuse", "expire", "refund"])
def test_what_is_not_claimed_is_the_buyer_s_again(ending: str) -> None:
    scene = Scene()
    before = scene.world.a.pay("ann")
    if ending == "refund":
        scene.decide()
    result = getattr(scene, ending)()
    assert result.code == 0, result.log
    assert not sent_packets(result)
    assert scene.world.a.pay("ann") == before + COST
    assert not owed_on(scene.world.a)


def test_a_pool_of_buyers_gets_its_unused_money_here() -> None:
    scene = Scene([("amy", 2000), ("abe", 3000)])
    scene.decide()
    scene.deliver(2500)
    (packet,) = sent_packets(scene.claim(2500))
    assert scene.world.round_trip(scene.world.a, packet).code == 0
    scene.refund()
    before = {name: scene.world.a.pay(name) for name in ("amy", "abe")}
    for own in scene.position.buys:
        message = MsgCollectShare(RELAYER, scene.lock_id, Side.BUY, own.allocation, own.proof)
        scene.world.a.must("relayer", message)
    back = sum(scene.world.a.pay(name) - before[name] for name in before)
    assert back == 2500 * PRICE_IN
    assert vouchers_of(scene.world.b, BOB) == 2500 * PRICE_IN


# --- X2, the send fails -----------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["sentinel", "timeout", "frozen"])
def test_a_send_that_fails_is_owed_to_the_seller_and_never_the_buyer_s(failure: str) -> None:
    if failure == "frozen":
        scene = Scene()
        scene.decide()
        scene.deliver(WH)
        scene.world.freeze(scene.world.a)
        result = scene.claim(WH)
        assert result.code == 0, result.log
        assert not sent_packets(result)
        assert events(result, "claimed")
    else:
        scene, packet = claimed()
        if failure == "timeout":
            assert scene.world.expire(scene.world.a, packet).code == 0
        else:
            assert answer(scene.world, packet, SENTINEL).code == 0
    world = scene.world
    before = world.a.pay("ann")
    ((who, _),) = owed_on(world.a)
    (record,) = owed_on(world.a).values()
    assert (who, record.amount, record.denom_path) == (BOB, COST, "neur")
    assert record.receiver == text("bob")
    assert escrowed(world.a) == 0
    scene.refund()
    assert world.a.pay("ann") == before
    assert list(owed_on(world.a).values()) == [record]


def test_a_claim_that_runs_out_of_gas_fails_and_owes_nothing() -> None:
    """Or whoever claims with too little gas could turn any payment into a debt."""
    scene = Scene()
    scene.decide()
    scene.deliver(WH)
    ledger = scene.world.a
    claim = scene.world.claim(scene.lock_id, SECRET, scene.position.trade.trade_id, WH)
    needed = ledger.attempt("relayer", claim).gas_used
    for missing in range(100, needed - 20_000, needed // 60):  # a few bytes less cost less
        raw = build_transaction(
            (claim,),
            key("relayer"),
            ledger.chain_id,
            0,
            ledger.sequences["relayer"],
            gas_limit=needed - missing,
        )
        block = BlockInput(ledger.app.height + 1, ledger.now_s * 10**9, bytes(32), (raw,))
        (result,) = ledger.app.finalize_block(block).tx_results
        assert (result.codespace, result.code) == ("sdk", 11), missing
        assert not events(result, "owed_added")


@pytest.mark.parametrize("name", ["relayer", "ann", "bob", "cell a", "amy"])
def test_whoever_retries_it_goes_to_the_seller(name: str) -> None:
    scene, packet = claimed()
    answer(scene.world, packet, SENTINEL)
    world = scene.world
    ((_, owed_id),) = owed_on(world.a)
    if name == "bob":  # no account on a: somebody must carry its wish
        name = "sol"
    result = world.a.must(name, MsgRetryOwed(account(name), BOB, owed_id))
    assert events(result, "owed_sent")[0]["account"] == BOB.hex()
    (again,) = sent_packets(result)
    assert world.round_trip(world.a, again).code == 0
    assert vouchers_of(world.b, BOB) == COST
    assert not owed_on(world.a)


def test_a_retry_that_fails_is_owed_again() -> None:
    scene, packet = claimed()
    answer(scene.world, packet, SENTINEL)
    world = scene.world
    before = owed_on(world.a)
    for _ in range(3):
        ((who, owed_id),) = owed_on(world.a)
        (again,) = sent_packets(world.a.must("ann", MsgRetryOwed(ANN, who, owed_id)))
        assert not owed_on(world.a)
        answer(world, again, SENTINEL)
        assert owed_on(world.a) == before


def test_no_one_but_its_owner_takes_what_is_owed_here() -> None:
    scene, packet = claimed()
    answer(scene.world, packet, SENTINEL)
    world = scene.world
    ((_, owed_id),) = owed_on(world.a)
    for name in ("ann", "amy", "cell a", "connector", "relayer"):
        world.a.must(name, MsgTakeOwed(account(name), owed_id))
        for account_of in (ANN, bytes(20)):
            world.a.must(name, MsgRetryOwed(account(name), account_of, owed_id))
    (record,) = owed_on(world.a).values()
    assert record.amount == COST


def test_a_retry_of_nothing_is_a_no_op() -> None:
    world = TransferWorld()
    for owed_id in (bytes(32), b"\xff" * 32):
        assert not sent_packets(world.a.must("ann", MsgRetryOwed(ANN, BOB, owed_id)))
        assert world.a.must("ann", MsgTakeOwed(ANN, owed_id)).code == 0


# --- X2, times and refusals -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "at", "is_done"),
    [
        ("decide", TAU - 1, False),
        ("decide", TAU, True),
        ("decide", TAU + 1, True),
        ("decide", D - 1, True),
        ("decide", D, False),
        ("refuse", D, False),
        ("expire", D - 1, False),
        ("expire", D, True),
        ("expire", D + 1, True),
        ("claim", T_A - 1, True),
        ("claim", T_A, False),
        ("claim", T_A + 1, False),
        ("refund", T_A - 1, False),
        ("refund", T_A, True),
        ("refund", T_A + 1, True),
    ],
)
def test_each_row_is_open_exactly_in_its_time(row: str, at: int, is_done: bool) -> None:
    scene = Scene()
    before = LockStatus.PENDING
    if row in {"claim", "refund"}:
        scene.decide()
        before = LockStatus.LOCKED
    if row == "claim":
        scene.deliver(WH)
        result = scene.claim(WH, at)
    else:
        result = getattr(scene, row)(at=at)
    assert (result.code == 0) is is_done, result.log
    assert (scene.status is not before) is is_done


@pytest.mark.parametrize(("at", "is_open"), [(TAU - 1, True), (TAU, False), (TAU + 1, False)])
def test_a_lock_is_opened_only_before_tau(at: int, is_open: bool) -> None:
    world = TransferWorld()
    result = world.open_abroad(world.seller_abroad(), at=at)
    assert (result.code == 0) is is_open, result.log


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"connector_in": account("connector")}, "no connector"),
        ({"connector_out": account("connector")}, "no connector"),
        ({"price_out": PRICE_IN - 1}, "nobody takes a fee"),
        ({"dest_chain_tag": b"\x07" * 32}, "does not recompute"),
        ({"source_tag": b"\x07" * 32}, "another source"),
        ({"lock_id_in": bytes(32)}, "does not recompute"),
        ({"trade_id": bytes(32)}, "does not recompute"),
        ({"expiry_in": T_A - 1}, "T_A"),
        ({"buyer": account("amy")}, "party"),
        ({"version": 2}, "version"),
    ],
)
def test_a_trade_that_does_not_hold_is_not_opened(change: dict[str, Any], words: str) -> None:
    world = TransferWorld()
    position = world.seller_abroad(**change)
    before = world.a.pay("ann")
    result = world.open_abroad(position)
    assert result.code != 0
    assert words in result.log
    assert world.a.pay("ann") == before


def test_a_seller_on_a_chain_that_the_cell_does_not_vouch_for_is_not_locked_for() -> None:
    world = TransferWorld()
    sell = world.order("bob", Side.SELL, WH, anchor=sha256(SECRET))
    buy = world.place("ann", Side.BUY, WH)
    result = world.open_abroad(between(world, buy, sell, world.a.tag, grid_tag(world)))
    assert result.code != 0
    assert "no stock chain" in result.log


def test_a_lock_opens_once_and_only_by_the_cell() -> None:
    scene = Scene()
    again = scene.world.open_abroad(scene.position)
    assert again.code == 0
    assert not events(again, "lock_opened")
    stranger = scene.world.a.run("ann", MsgOpenAbroad(ANN, (scene.position.trade,)))
    assert (stranger.codespace, stranger.code) == ("sdk", 4)
    nothing = scene.world.a.run("cell a", MsgOpenAbroad(account("cell a"), ()))
    assert (nothing.codespace, nothing.code) == ("sdk", 18)


def test_a_seller_without_an_account_here_may_not_be_waived_for() -> None:
    scene = Scene()
    scene.decide()
    for name in ("ann", "cell a", "connector"):
        refused = scene.world.a.run(name, MsgWaive(account(name), scene.lock_id, 0))
        assert (refused.codespace, refused.code) == ("sdk", 4)


def test_a_lock_keeps_the_client_that_it_was_opened_with() -> None:
    """Or the buyers' cell could send the seller's money to a chain of its own making."""
    scene = Scene()
    scene.decide()
    cell = account("cell a")
    message = MsgSetStockChain(cell, scene.world.b.tag, CLIENT, "evil")
    scene.world.a.must("cell a", message)
    scene.deliver(WH)
    (packet,) = sent_packets(scene.claim(WH))
    data = decode_transfer_data(packet.payloads[0].value, packet.payloads[0].encoding)
    assert data.receiver == text("bob")


def test_an_accept_without_the_stock_chain_s_cell_is_refused() -> None:
    scene = Scene()
    result = scene.decide(owners=scene.world.owners("cell a", "cell grid"))
    assert (result.codespace, result.code) == ("tieline", 27)


# --- X3: both on stock chains -------------------------------------------------------------------


def test_a_trade_between_two_stock_chains_waits_on_the_hub_between_them() -> None:
    """X1 into the hub, X2 out of it, one lock between; a plays both stock chains."""
    world = TransferWorld()
    far = grid_tag(world)
    world.b.must("cell b", MsgSetStockChain(account("cell b"), far, CLIENT, "tieline"))
    sell = world.order("bob", Side.SELL, WH, anchor=sha256(SECRET))
    position = between(world, world.order("ann", Side.BUY, WH), sell, world.a.tag, far)
    trade_id = position.trade.trade_id
    packet = world.pay_for(position)
    received = world.receive_payment(replace(position, sells=()), packet)
    assert received.code == 0, received.log
    lock_id = world.home_lock(position)
    assert world.b.lock(lock_id).status is LockStatus.PENDING

    without_far = world.leaf(position, packet, owners=world.owners("cell a", "cell b"))
    assert world.b.run("relayer", world.apply_verdict([without_far]), at=TAU).code == 27
    leaf = world.leaf(position, packet, owners=world.owners("cell a", "cell grid"))
    accepted = world.b.must("relayer", world.apply_verdict([leaf]))
    assert written_answer(accepted).app_acknowledgements == (b'{"result":"AQ=="}',)

    world.b.must("relayer", world.delivery([(trade_id, 3000)]), at=E)
    (onward,) = sent_packets(world.b.must("relayer", world.claim(lock_id, SECRET, trade_id, 3000)))
    data = decode_transfer_data(onward.payloads[0].value, onward.payloads[0].encoding)
    price = position.trade.price_out
    assert (data.denom, data.amount, data.receiver) == (HOME.path, 3000 * price, text("bob"))
    (home,) = sent_packets(world.b.must("relayer", MsgRefund(RELAYER, lock_id), at=T_A))
    data = decode_transfer_data(home.payloads[0].value, home.payloads[0].encoding)
    assert (data.amount, data.receiver) == (2000 * price, text("ann"))
    assert answer(world, onward, SENTINEL, on=world.b).code == 0
    ((who, _),) = owed_on(world.b)
    (record,) = owed_on(world.b).values()
    assert (who, record.amount, record.denom_path) == (BOB, 3000 * price, HOME.path)


def grid_tag(world: TransferWorld) -> bytes:
    """A third ledger with a cell in the set: the grid operator's."""
    (row,) = [row for row in world.rows if row.role == Role.GRID]
    return row.chain_tag


def between(
    world: TransferWorld, buy: Order, sell: Order, source: bytes, destination: bytes
) -> Position:
    """A trade between any two ledgers, none of which need be a or b."""
    first = world.position(
        [(buy, WH)],
        [(sell, WH)],
        SECRET,
        price_in=PRICE_OUT,
        connector_in=NOBODY,
        connector_out=NOBODY,
    )
    trade = first.trade
    root, hashlock = trade.allocations_root, trade.hashlock
    trade_id = ids.trade_id(source, destination, S, 900, Level.INTER, root, hashlock)
    clearing_root = MerkleTree([encode_id_leaf(trade_id)]).root
    trade = replace(
        trade,
        trade_id=trade_id,
        source_chain_tag=source,
        dest_chain_tag=destination,
        clearing_root=clearing_root,
    )
    trade = replace(trade, lock_id_in=lock_id_in(trade))
    return replace(first, trade=trade, clearing=world.clearing(clearing_root, Level.INTER))
