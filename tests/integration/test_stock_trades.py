"""
Trades with a party on a real stock chain: conditions live on our side, the chain sees transfers.
Each ending of X1 (the buyer is there) and of X2 (the seller is there).
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.stock_chain import NEUR
from fakes.stock_world import CLIENT, StockWorld
from fakes.trade_world import MONEY, PRICE_IN, PRICE_OUT, T_A, TAU, D, E, account, events
from fakes.transfer_world import RELAYER, SECRET, WH, owed_on, sent_packets, written_answer

from tieline.contract.keys import voucher_key
from tieline.contract.records import decode_amount
from tieline.contract.store import TIELINE
from tieline.protocol.commitment import ERROR_ACKNOWLEDGEMENT
from tieline.protocol.denom import Denom, Hop
from tieline.protocol.messages import Transfer
from tieline.protocol.packet import Acknowledgement
from tieline.swap.lock import LockStatus
from tieline.swap.messages import MsgExpirePending, MsgRefund, MsgRetryOwed, MsgTradeEvidence
from tieline.swap.records import Side
from tieline.wire.bech32 import account_to_text
from tieline.wire.hashes import sha256

pytestmark = pytest.mark.native

ANN, BOB = account("ann"), account("bob")
SUCCESS = Acknowledgement((b'{"result":"AQ=="}',))
SENTINEL = Acknowledgement((ERROR_ACKNOWLEDGEMENT,))
VOUCHER = Denom(NEUR, (Hop("transfer", CLIENT),))
"""The other one's PAY, on either."""


class Paid:
    """X1: ann on the stock chain has paid, and our side has received it."""

    cost = WH * PRICE_OUT

    def __init__(self, world):
        self.world = world
        self.position = world.buyer_abroad()
        self.packet = world.pay_for(self.position)
        self.lock_id = world.home_lock(self.position)

    def receive(self):
        received = self.world.receive_payment(self.position, self.packet)
        assert received.code == 0, received.log
        return received

    def decide(self, at=TAU, **change):
        leaf = self.world.leaf(self.position, self.packet, **change)
        return self.world.b.must("relayer", self.world.apply_verdict([leaf]), at=at)

    def deliver(self, wh):
        trade_id = self.position.trade.trade_id
        self.world.b.must("relayer", self.world.delivery([(trade_id, wh)]), at=E)

    def claim(self, wh):
        message = self.world.claim(self.lock_id, SECRET, self.position.trade.trade_id, wh)
        return self.world.b.must("relayer", message)

    def refund(self):
        return self.world.b.must("relayer", MsgRefund(RELAYER, self.lock_id), at=T_A)

    def bring_answer(self, result):
        """Carry our answer to the stock chain, which checks it by its own code."""
        answered = self.world.answer_to(self.world.a, self.packet, written_answer(result))
        assert answered.code == 0, answered.log

    def bring_home(self, result):
        """Carry what our side sent home, and the answer back."""
        (packet,) = sent_packets(result)
        assert self.world.round_trip(self.world.b, packet).code == 0

    def bob_holds(self):
        value = self.world.b.app.query(TIELINE, voucher_key(BOB, VOUCHER.voucher_hash))
        return 0 if value is None else decode_amount(value)


@pytest.fixture
def paid(tmp_path, monkeypatch):
    world = StockWorld(tmp_path, "a", monkeypatch)
    yield Paid(world)
    world.stock.stop()


def test_x1_a_delivered_trade_pays_the_seller_and_its_money_can_go_home(paid):
    stock = paid.world.stock
    assert not events(paid.receive(), "write_acknowledgement")
    assert stock.escrowed() == paid.cost
    accepted = paid.decide()
    assert written_answer(accepted) == SUCCESS
    paid.bring_answer(accepted)
    paid.deliver(WH)
    paid.claim(WH)
    assert paid.bob_holds() == paid.cost
    assert stock.holds(ANN) == MONEY - paid.cost
    # The voucher is good for the money there.
    receiver = account_to_text(BOB, "cosmos")
    now_s = paid.world.b.now_s
    home = Transfer(BOB, CLIENT, VOUCHER.name, paid.cost, receiver, now_s + 600)
    paid.bring_home(paid.world.b.must("bob", home))
    assert stock.holds(BOB) == paid.cost
    assert stock.escrowed() == 0


@pytest.mark.parametrize("ending", ["refuse", "expire"])
def test_x1_what_is_refused_is_the_buyers_again_there(paid, ending):
    paid.receive()
    if ending == "refuse":
        refusal = {"decision": 2, "cap_wh": 0, "reason": 2, "group": 0, "group_size": 0}
        result = paid.decide(**refusal)
    else:
        result = paid.world.b.must("relayer", MsgExpirePending(RELAYER, paid.lock_id), at=D)
    assert written_answer(result) == SENTINEL
    paid.bring_answer(result)
    assert paid.world.stock.holds(ANN) == MONEY
    assert paid.world.stock.escrowed() == 0


def test_x1_a_payment_that_nobody_brings_times_out_there(paid):
    world = paid.world
    evidence = MsgTradeEvidence(RELAYER, paid.position.evidence(Side.SELL))
    delivery = world.delivery_of(world.b, paid.packet, evidence)
    early = world.expire(world.a, replace(paid.packet, timeout_s=0))
    assert early.code, "its time has not come"
    ended = world.expire(world.a, paid.packet)
    assert ended.code == 0, ended.log
    assert world.stock.holds(ANN) == MONEY
    assert world.b.run("relayer", *delivery).code, "its time has passed here too"


def test_x1_what_the_verdict_caps_and_what_is_not_delivered_goes_home(paid):
    stock = paid.world.stock
    paid.receive()
    accepted = paid.decide(cap_wh=4000)
    assert written_answer(accepted) == SUCCESS
    paid.bring_answer(accepted)
    paid.bring_home(accepted)
    assert stock.holds(ANN) == MONEY - 4000 * PRICE_OUT
    paid.deliver(1500)
    paid.claim(1500)
    paid.bring_home(paid.refund())
    assert paid.bob_holds() == 1500 * PRICE_OUT
    assert stock.holds(ANN) == MONEY - 1500 * PRICE_OUT
    assert stock.escrowed() == 1500 * PRICE_OUT


def test_x1_a_way_home_that_fails_is_owed_to_the_buyer_and_anyone_retries(paid):
    world = paid.world
    paid.receive()
    paid.bring_answer(paid.decide())
    (packet,) = sent_packets(paid.refund())
    assert world.expire(world.b, packet).code == 0
    ((who, owed_id),) = owed_on(world.b)
    assert who == ANN
    assert world.stock.holds(ANN) == MONEY - paid.cost
    paid.bring_home(world.b.must("ben", MsgRetryOwed(account("ben"), who, owed_id)))
    assert world.stock.holds(ANN) == MONEY
    assert not owed_on(world.b)


BLOCKED = sha256(b"distribution")[:20]
"""The account of the stock chain's distribution module, which takes no money."""


class Opened:
    """X2: ann's money is locked on our side for a seller on the stock chain."""

    cost = WH * PRICE_IN

    def __init__(self, world, seller=BOB):
        self.world = world
        buys = [(world.place("ann", Side.BUY, WH), WH)]
        sell = world.order("bob", Side.SELL, WH, anchor=sha256(SECRET), account=seller)
        nobody = {"connector_in": bytes(20), "connector_out": bytes(20)}
        self.position = world.position(buys, [(sell, WH)], SECRET, price_out=PRICE_IN, **nobody)
        opened = world.open_abroad(self.position)
        assert opened.code == 0, opened.log
        self.lock_id = world.abroad_lock(self.position)
        self.before = world.a.pay("ann")

    def decide(self, **change):
        leaf = self.world.abroad_leaf(self.position, **change)
        return self.world.a.must("relayer", self.world.apply_verdict([leaf]), at=TAU)

    def claim(self, wh):
        """Deliver, claim, and return the packet that pays the seller there."""
        trade_id = self.position.trade.trade_id
        self.world.a.must("relayer", self.world.delivery([(trade_id, wh)]), at=E)
        message = self.world.claim(self.lock_id, SECRET, trade_id, wh)
        (packet,) = sent_packets(self.world.a.must("relayer", message))
        return packet

    def refund(self):
        return self.world.a.must("relayer", MsgRefund(RELAYER, self.lock_id), at=T_A)

    @property
    def status(self):
        return self.world.a.lock(self.lock_id).status


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = StockWorld(tmp_path, "b", monkeypatch)
    yield world
    world.stock.stop()


def test_x2_delivered_energy_is_paid_there_as_a_voucher(world):
    opened = Opened(world)
    opened.decide()
    packet = opened.claim(3600)
    assert world.round_trip(world.a, packet).code == 0
    assert world.stock.holds(BOB, VOUCHER.name) == 3600 * PRICE_IN
    opened.refund()
    assert opened.status is LockStatus.CLOSED
    assert world.a.pay("ann") == opened.before + (WH - 3600) * PRICE_IN
    assert not owed_on(world.a)


@pytest.mark.parametrize("ending", ["refuse", "expire", "refund"])
def test_x2_what_is_not_claimed_is_the_buyers_again_here(world, ending):
    opened = Opened(world)
    if ending == "refuse":
        refusal = {"decision": 2, "cap_wh": 0, "reason": 2, "group": 0, "group_size": 0}
        result = opened.decide(**refusal)
    elif ending == "expire":
        result = world.a.must("relayer", MsgExpirePending(RELAYER, opened.lock_id), at=D)
    else:
        opened.decide()
        result = opened.refund()
    assert not sent_packets(result)
    assert world.a.pay("ann") == opened.before + opened.cost
    assert world.stock.holds(BOB, VOUCHER.name) == 0


def test_x2_a_send_that_times_out_is_owed_to_the_seller_until_it_arrives(world):
    opened = Opened(world)
    opened.decide()
    packet = opened.claim(WH)
    assert world.expire(world.a, packet).code == 0
    ((who, owed_id),) = owed_on(world.a)
    assert who == BOB
    assert world.a.pay("ann") == opened.before, "never back to the buyer"
    (again,) = sent_packets(world.a.must("amy", MsgRetryOwed(account("amy"), who, owed_id)))
    assert world.round_trip(world.a, again).code == 0
    assert world.stock.holds(BOB, VOUCHER.name) == opened.cost
    assert not owed_on(world.a)


def test_x2_a_send_that_the_chain_refuses_stays_owed_to_its_seller(world):
    opened = Opened(world, seller=BLOCKED)
    opened.decide()
    packet = opened.claim(WH)
    received = world.deliver(world.b, packet)
    assert written_answer(received) == SENTINEL, "that account takes no money there"
    assert world.answer_to(world.a, packet, SENTINEL).code == 0
    ((who, owed_id),) = owed_on(world.a)
    assert who == BLOCKED
    (again,) = sent_packets(world.a.must("ann", MsgRetryOwed(ANN, who, owed_id)))
    assert world.round_trip(world.a, again).code == 0
    assert list(owed_on(world.a)) == [(who, owed_id)]
    assert world.a.pay("ann") == opened.before
