"""
Fabric's real programs under load: fifty that hand in at once, one account that all pay into, and
thirty-two disjoint orders, receives and claims, each kind in one block.
"""

import asyncio
import time

import pytest
from fakes.busy_fabric import BusyChannel, check_peers_agree, close
from fakes.disjoint_trades import COUNT, trade_side_by_side
from fakes.driven import finish
from fakes.microgrid import key
from fakes.native_trades import NativeTradeLedger
from fakes.wide_world import WideWorld

from tieline.contract.accounts import pay_key
from tieline.contract.genesis import Genesis, Parameters
from tieline.contract.store import TIELINE
from tieline.interfaces.errors import Rejected
from tieline.interfaces.ledger import SubmitResult
from tieline.swap.messages import MsgSend
from tieline.wire.codec import build_transaction
from tieline.wire.hashes import sha256

pytestmark = pytest.mark.native

SUBMITTERS = 50
EACH = 4
WEALTH = 10**9
DONE_S = 300.0
NAMES = [f"payer {n}" for n in range(SUBMITTERS)]
PAYEES = [f"payee {n}" for n in range(SUBMITTERS)]
POT = "pot"


def genesis():
    cell = key("cell")
    names = [*NAMES, *PAYEES, POT]
    return Genesis(
        chain_id="load",
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        kind="fabric",
        balances=tuple(sorted((key(name).cosmos_account, WEALTH) for name in names)),
    )


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    channel = BusyChannel(tmp_path_factory.mktemp("load"), genesis())
    try:
        channel.network.start()
        asyncio.run(channel.begin())
        yield channel
    finally:
        channel.network.stop()


def open_for(channel, names, first):
    ledger = channel.open(first=first, wall_s=lambda: int(time.time()))
    for name in names:
        ledger.add_lane(name, key(name))
    return ledger


async def settle(*ledgers):
    """Read on until nothing of theirs is under way, and all have read what any of them has."""
    end = time.monotonic() + DONE_S
    while any(ledger.under_way for ledger in ledgers):
        assert time.monotonic() < end, "the ledger does not come to rest"
        await asyncio.gather(*(ledger.read_on() for ledger in ledgers))
        await asyncio.sleep(0.05)
    # Each asks a peer of its own, and one peer may be a block behind the other.
    height = max(ledger.history.height for ledger in ledgers)
    while min([await ledger.latest_height() for ledger in ledgers]) < height:
        assert time.monotonic() < end, "a peer stays behind"
        await asyncio.sleep(0.05)


async def outcomes(ledger, above):
    """Codes by hash of all that was told above a block; nothing is told twice."""
    found = {}
    for block in await ledger.blocks_after(above, 10_000):
        for one in block.transactions:
            assert one.tx_hash not in found
            found[one.tx_hash] = one.code
    return found


async def pays_all(ledger, lane, payee, amounts):
    sent = []
    for amount in amounts:
        message = MsgSend(ledger.lane_account(lane), key(payee).cosmos_account, amount)
        sent.append((await ledger.submit(lane, [message])).tx_hash)
    return sent


async def balances(ledger, names):
    values = [await ledger.query(TIELINE, pay_key(key(name).cosmos_account)) for name in names]
    return [int.from_bytes(value, "big") for value in values]


def test_fifty_submitters_at_once_over_two_programs_lose_and_double_nothing(channel):
    async def story():
        halves = (NAMES[: SUBMITTERS // 2], NAMES[SUBMITTERS // 2 :])
        ledgers = [open_for(channel, half, first) for first, half in enumerate(halves)]
        above = [await ledger.latest_height() for ledger in ledgers]
        lines = [
            pays_all(ledgers[n * 2 // SUBMITTERS], NAMES[n], PAYEES[n], range(1, EACH + 1))
            for n in range(SUBMITTERS)
        ]
        rows = await asyncio.gather(*lines)
        await settle(*ledgers)
        sent = {tx_hash for row in rows for tx_hash in row}
        assert len(sent) == SUBMITTERS * EACH
        for ledger, height in zip(ledgers, above, strict=True):
            assert await outcomes(ledger, height) == dict.fromkeys(sent, 0)
        paid = EACH * (EACH + 1) // 2
        assert await balances(ledgers[0], NAMES) == [WEALTH - paid] * SUBMITTERS
        assert await balances(ledgers[0], PAYEES) == [WEALTH + paid] * SUBMITTERS
        await check_peers_agree(channel.network)
        await close(*ledgers)

    asyncio.run(story())


def test_fifty_payments_into_one_account_all_come_through_though_one_fits_into_a_block(channel):
    async def story():
        ledger = open_for(channel, NAMES, 0)
        above = await ledger.latest_height()
        (before,) = await balances(ledger, [POT])
        rows = await asyncio.gather(*(pays_all(ledger, name, POT, [7]) for name in NAMES))
        await settle(ledger)
        sent = {tx_hash for row in rows for tx_hash in row}
        assert await outcomes(ledger, above) == dict.fromkeys(sent, 0)
        assert await balances(ledger, [POT]) == [before + 7 * SUBMITTERS]
        await check_peers_agree(channel.network)
        await close(ledger)

    asyncio.run(story())


def test_the_same_transactions_through_two_programs_take_effect_once(channel):
    async def story():
        ledgers = [open_for(channel, NAMES, first) for first in (0, 1)]
        above = [await ledger.latest_height() for ledger in ledgers]
        before = await balances(ledgers[0], PAYEES)
        raws = [
            build_transaction(
                [MsgSend(key(payer).cosmos_account, key(payee).cosmos_account, 3)],
                *(key(payer), "load", 0, 1_000),
                gas_limit=Parameters().tx_gas_max,
            )
            for payer, payee in zip(NAMES, PAYEES, strict=True)
        ]
        both = [ledger.broadcast(raw) for raw in raws for ledger in ledgers]
        told = await asyncio.gather(*both, return_exceptions=True)
        assert {type(one) for one in told} <= {SubmitResult, Rejected}, told
        await settle(*ledgers)
        for ledger, height in zip(ledgers, above, strict=True):
            seen = await outcomes(ledger, height)
            assert {sha256(raw) for raw in raws} == {one for one, code in seen.items() if not code}
        assert await balances(ledgers[0], PAYEES) == [one + 3 for one in before]
        await check_peers_agree(channel.network)
        await close(*ledgers)

    asyncio.run(story())


class NativeWideWorld(WideWorld):
    """The selling microgrid's ledger is a native network; the other one is on both hosts."""

    def open_ledger(self, chain_id, cell, names, **rules):
        self.ledger_type = NativeTradeLedger if cell == "cell b" else NativeTradeLedger.__base__
        return super().open_ledger(chain_id, cell, names, **rules)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(NativeTradeLedger, "folder", tmp_path)
    world = None
    try:
        world = NativeWideWorld()
        yield world
    finally:
        if world is not None:
            world.b.stop()


def test_thirty_two_orders_receives_and_claims_are_each_valid_in_one_block(world):
    for ledger in (world.a, world.b):
        ledger.is_side_by_side = True
    trade_side_by_side(world)
    verdicts = world.b.verdicts()
    wide = [codes for codes in verdicts if len(codes) == COUNT]
    assert wide == [[0] * COUNT] * 3, "orders, receives, claims"
    assert {code for codes in verdicts for code in codes} == {0}
    expected = world.b.channel.state.values
    assert world.b.held(sorted(expected)) == expected
    finish(check_peers_agree(world.b.native.network))
