"""
Money between a ledger of ours and a stock chain (ICS-20 over IBC v2): PAY there as a voucher and
home again, their coin here and home again, refusals and timeouts that give everything back.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from fakes.driven import LANES, Link, NativeAlongside, Stock, finish, genesis_of, sent_packet
from fakes.stock_chain import start_stock

from tieline.contract import vouchers
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.protocol.commitment import ERROR_ACKNOWLEDGEMENT
from tieline.protocol.denom import TRANSFER_PORT, Denom, Hop, escrow_account
from tieline.protocol.messages import Transfer
from tieline.protocol.packet import Acknowledgement
from tieline.protocol.transfer import SUCCESS_ACKNOWLEDGEMENT, TRANSFER_ENCODINGS
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import decode_acknowledgement

pytestmark = pytest.mark.native

OURS, STOCK = "ours-1", "stock-1"
PAY, STAKE = Denom("neur"), Denom("stake")
GOOD = Acknowledgement((SUCCESS_ACKNOWLEDGEMENT,))
SENTINEL = Acknowledgement((ERROR_ACKNOWLEDGEMENT,))


@dataclass
class State:
    """A ledger's committed state, one key at a time."""

    side: NativeAlongside

    def get(self, stored_key):
        return finish(self.side.ledger.query("tieline", stored_key))


def holds(side, account, denom):
    """What an account has of a token, on either kind of ledger."""
    if isinstance(side, Stock):
        return finish(side.ledger.balance(account, denom.name))
    return vouchers.balance(State(side), account, denom)


def text_of(side, account):
    return account_to_text(account, "cosmos" if isinstance(side, Stock) else "tieline")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    running = start_stock(STOCK, tmp_path_factory.mktemp("stock") / "home", LANES)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def link(chain, tmp_path_factory):
    group = PeerGroup(
        genesis_of(OURS),
        tmp_path_factory.mktemp("ours") / "peers",
        pace=Pace(commit_wait_ms=20, empty_block_interval_s=3600),
        installation="fakes.stock_chain:mock_installation",
    )
    group.start()
    ours = NativeTendermint(OURS, group.peers[0].rpc)
    yield Link(NativeAlongside(ours), Stock(CosmosLedger(STOCK, chain.rpc)))
    group.stop()


@pytest.fixture(params=["pay from us", "stake from them"])
def way(request, link):
    """The ledger that a token is native to, the other one, and the token here and there."""
    home = link.a if request.param == "pay from us" else link.b
    native = PAY if home is link.a else STAKE
    away = link.other(home)
    return home, away, native, Denom(native.base, (Hop(TRANSFER_PORT, away.client),))


def transfer(source, denom, amount, receiver, timeout_s=600, encoding=""):
    """Send tokens of the relayer's; return the packet."""
    message = Transfer(
        source.account("relayer"),
        source.client,
        denom.name,
        amount,
        receiver,
        source.now_s + timeout_s,
        encoding=encoding,
    )
    return sent_packet(source.must(message))


def answered(link, packet, source):
    """Carry a packet over and its answer back; return the answer."""
    destination = link.other(source)
    received = destination.must(*link.receive(packet, source))
    (event,) = [one for one in received.events if one.type == "write_acknowledgement"]
    answer = decode_acknowledgement(bytes.fromhex(event.get("encoded_acknowledgement_hex")))
    source.must(*link.acknowledge(packet, answer, destination))
    return answer


@pytest.mark.parametrize("encoding", ["", *TRANSFER_ENCODINGS])
def test_money_goes_there_as_a_voucher_and_home_again(link, way, encoding):
    home, away, native, voucher = way
    sender, receiver = home.account("relayer"), away.account("relayer")
    escrow = escrow_account(TRANSFER_PORT, home.client)
    before = holds(home, sender, native), holds(home, escrow, native)
    had = holds(away, receiver, voucher)
    there = transfer(home, native, 70, text_of(away, receiver), encoding=encoding)
    assert answered(link, there, home) == GOOD
    assert holds(away, receiver, voucher) == had + 70
    assert holds(home, escrow, native) == before[1] + 70
    back = transfer(away, voucher, 70, text_of(home, sender), encoding=encoding)
    assert holds(away, receiver, voucher) == had, "a voucher on its way home is burned"
    assert answered(link, back, away) == GOOD
    assert (holds(home, sender, native), holds(home, escrow, native)) == before


def test_a_refused_transfer_gives_everything_back(link, way):
    """There is no such receiver: the answer is the sentinel, and the sender has it again."""
    home, _, native, _ = way
    sender, escrow = home.account("relayer"), escrow_account(TRANSFER_PORT, home.client)
    before = holds(home, sender, native), holds(home, escrow, native)
    packet = transfer(home, native, 5, "nobody")
    assert holds(home, sender, native) == before[0] - 5
    assert answered(link, packet, home) == SENTINEL
    assert (holds(home, sender, native), holds(home, escrow, native)) == before


def test_a_voucher_that_is_refused_at_home_is_whole_again(link, way):
    home, away, native, voucher = way
    holder = away.account("relayer")
    there = transfer(home, native, 9, text_of(away, holder))
    assert answered(link, there, home) == GOOD
    had = holds(away, holder, voucher)
    packet = transfer(away, voucher, 9, "nobody")
    assert holds(away, holder, voucher) == had - 9
    assert answered(link, packet, away) == SENTINEL
    assert holds(away, holder, voucher) == had


def test_a_transfer_that_nobody_brings_comes_back_after_its_time(link, way):
    home, away, native, _ = way
    sender = home.account("relayer")
    before = holds(home, sender, native)
    packet = transfer(home, native, 3, text_of(away, sender), timeout_s=away.soon_s)
    assert holds(home, sender, native) == before - 3
    away.pass_until(packet.timeout_s)
    home.must(*link.time_out(packet, away))
    assert holds(home, sender, native) == before
