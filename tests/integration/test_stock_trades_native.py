"""
Trades with a real stock chain on real engines at both ends, to each of their endings: its buyer
pays a seller of ours (X1), a buyer of ours pays its seller (X2). Both live by one clock file, and
the stock chain refuses and takes money by its own vote.
"""

from __future__ import annotations

import pytest
from fakes.stock_neighbours import BUYER, COST, PRICE, SELLER, WH, StockTrades, sent

from tieline.contract.vouchers import PAY
from tieline.protocol.commitment import ERROR_ACKNOWLEDGEMENT
from tieline.protocol.messages import Transfer
from tieline.protocol.packet import Acknowledgement
from tieline.protocol.transfer import SUCCESS_ACKNOWLEDGEMENT
from tieline.swap.lock import LockStatus
from tieline.swap.records import Side

pytestmark = pytest.mark.native

GOOD = Acknowledgement((SUCCESS_ACKNOWLEDGEMENT,))
SENTINEL = Acknowledgement((ERROR_ACKNOWLEDGEMENT,))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    running = StockTrades(tmp_path_factory.mktemp("stock-trades"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


def pending(world):
    """X1 on its way: paid on the stock chain, pending on ours."""
    trade = world.cleared(Side.SELL)
    return trade, world.pay_for(trade)


# --- X1: the buyer is on the stock chain --------------------------------------------------------


def test_x1_accepted_and_claimed_pays_our_seller_who_can_take_it_home(world):
    before, had = world.paid(BUYER), world.vouchers_here(SELLER)
    trade, packet = pending(world)
    accepted = world.decide(trade, packet)
    assert world.answer_home(packet, accepted) == GOOD
    assert not sent(world.claim(trade))
    assert world.status(trade) is LockStatus.CLOSED
    assert world.vouchers_here(SELLER) == had + COST
    assert world.paid(BUYER) == before - COST
    there = world.paid(SELLER)
    home = Transfer(
        signer=b"",
        source_client=world.ours.client,
        denom=PAY.through("transfer", world.ours.client).name,
        amount=COST,
        receiver=world.stock.ledger.account_text(world.stock.account(SELLER)),
        timeout_s=world.now_s + 600,
    )
    assert world.carry(world.here(home, lane=SELLER)) == [GOOD]
    assert world.paid(SELLER) == there + COST
    assert world.vouchers_here(SELLER) == had


def test_x1_accepted_in_part_sends_the_rest_home_at_once(world):
    before, had = world.paid(BUYER), world.vouchers_here(SELLER)
    trade, packet = pending(world)
    accepted = world.decide(trade, packet, cap_wh=WH - 300)
    assert world.answer_home(packet, accepted) == GOOD
    assert world.carry(accepted) == [GOOD]
    assert world.paid(BUYER) == before - (WH - 300) * PRICE
    world.claim(trade)
    assert world.vouchers_here(SELLER) == had + (WH - 300) * PRICE


def test_x1_refused_is_refunded_by_the_stock_chain_itself(world):
    before = world.paid(BUYER)
    trade, packet = pending(world)
    assert world.paid(BUYER) == before - COST
    refused = world.decide(trade, packet, cap_wh=0)
    assert not sent(refused)
    assert world.answer_home(packet, refused) == SENTINEL
    assert world.paid(BUYER) == before
    assert world.status(trade) is LockStatus.REFUSED


def test_x1_without_a_verdict_expires_and_is_refunded_there(world):
    before = world.paid(BUYER)
    trade, packet = pending(world)
    assert world.answer_home(packet, world.expire(trade)) == SENTINEL
    assert world.paid(BUYER) == before


def test_x1_not_delivered_is_sent_home_after_its_time(world):
    before = world.paid(BUYER)
    trade, packet = pending(world)
    world.answer_home(packet, world.decide(trade, packet))
    assert world.carry(world.refund(trade)) == [GOOD]
    assert world.paid(BUYER) == before
    assert not world.owed()


def test_x1_money_that_does_not_get_home_is_owed_and_gets_there_in_the_end(world):
    before = world.paid(BUYER)
    trade, packet = pending(world)
    world.answer_home(packet, world.decide(trade, packet))
    (home,) = sent(world.refund(trade))
    world.time_out(home)
    ((owner, owed_id),) = world.owed()
    assert owner == world.stock.account(BUYER)
    assert world.carry(world.retry((owner, owed_id))) == [GOOD]
    assert world.paid(BUYER) == before
    assert not world.owed()


def test_x1_a_payment_that_nobody_brings_is_refunded_by_the_stock_chain(world):
    before = world.paid(BUYER)
    packet = world.payment_for(world.cleared(Side.SELL))
    assert world.paid(BUYER) == before - COST
    world.at(packet.timeout_s)
    world.stock.must(*world.link.time_out(packet, world.ours))
    assert world.paid(BUYER) == before


# --- X2: the seller is on the stock chain -------------------------------------------------------


def claimed(world, wh=WH):
    """X2 claimed: the packet that pays the seller."""
    trade = world.cleared(Side.BUY)
    world.open_abroad(trade)
    assert not sent(world.decide(trade))
    (packet,) = sent(world.claim(trade, wh))
    return trade, packet


def test_x2_claimed_pays_the_seller_on_the_stock_chain(world):
    had, before = world.vouchers_there(SELLER), world.pay_here(BUYER)
    trade, packet = claimed(world, WH - 100)
    assert world.round_trip(packet) == GOOD
    assert world.vouchers_there(SELLER) == had + (WH - 100) * PRICE
    world.refund(trade)
    assert world.pay_here(BUYER) == before - (WH - 100) * PRICE
    assert not world.owed()


@pytest.mark.parametrize("ending", ["refused", "without a verdict", "not claimed"])
def test_x2_what_is_not_claimed_is_the_buyers_again_and_nothing_leaves(world, ending):
    had, before = world.vouchers_there(SELLER), world.pay_here(BUYER)
    trade = world.cleared(Side.BUY)
    world.open_abroad(trade)
    if ending == "refused":
        ended = world.decide(trade, cap_wh=0)
    elif ending == "without a verdict":
        ended = world.expire(trade)
    else:
        world.decide(trade)
        ended = world.refund(trade)
    assert not sent(ended)
    assert world.pay_here(BUYER) == before
    assert world.vouchers_there(SELLER) == had


def test_x2_a_payment_that_times_out_is_owed_to_the_seller_and_arrives_later(world):
    had, before = world.vouchers_there(SELLER), world.pay_here(BUYER)
    _, packet = claimed(world)
    world.time_out(packet)
    ((owner, owed_id),) = world.owed()
    assert owner == world.stock.account(SELLER)
    assert world.pay_here(BUYER) == before - COST, "never back to the buyer"
    assert world.carry(world.retry((owner, owed_id))) == [GOOD]
    assert world.vouchers_there(SELLER) == had + COST
    assert not world.owed()


def test_x2_a_payment_that_is_refused_is_owed_until_the_stock_chain_takes_it(world):
    """The stock chain votes to take no transfers, and votes again."""
    had, before = world.vouchers_there(SELLER), world.pay_here(BUYER)
    world.allow_receiving(is_allowed=False)
    _, packet = claimed(world)
    assert world.round_trip(packet) == SENTINEL
    ((owner, owed_id),) = world.owed()
    assert owner == world.stock.account(SELLER)
    assert world.carry(world.retry((owner, owed_id))) == [SENTINEL]
    assert list(world.owed()) == [(owner, owed_id)]
    assert world.pay_here(BUYER) == before - COST, "never back to the buyer"
    world.allow_receiving(is_allowed=True)
    assert world.carry(world.retry((owner, owed_id))) == [GOOD]
    assert world.vouchers_there(SELLER) == had + COST
    assert not world.owed()
