"""A real engine whose time is a file: its blocks stand where the file says, and nowhere else."""

from __future__ import annotations

import asyncio
import time

import pytest
from fakes.microgrid import key

from tieline.contract.genesis import Genesis
from tieline.interfaces.engines import CLOCK_VARIABLE, find_engine
from tieline.interfaces.errors import NotYet, Unavailable
from tieline.ledgers.tendermint.clock_file import ClockFile
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.swap.messages import MsgSend

pytestmark = pytest.mark.native

CHAIN_ID = "driven-1"
START_S = 1_453_136_400
PACE = Pace(commit_wait_ms=1, empty_block_interval_s=0)


def genesis():
    cell = key("cell")
    return Genesis(
        chain_id=CHAIN_ID,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        balances=((cell.cosmos_account, 10**12),),
    )


@pytest.fixture
def start(tmp_path):
    groups = []

    def go(clock=None):
        while groups:
            groups.pop().stop()
        group = PeerGroup(genesis(), tmp_path / "net", pace=PACE, clock=clock)
        groups.append(group)
        group.start()
        ledger = NativeTendermint(CHAIN_ID, group.peers[0].rpc)
        ledger.add_lane("cell", key("cell"))
        return ledger

    yield go
    for group in groups:
        group.stop()


async def pay(ledger, amount):
    """Pay once and return the times of all blocks until the ledger rests."""
    account = ledger.lane_account("cell")
    before = await ledger.latest_height()
    await ledger.submit("cell", [MsgSend(account, account, amount)])
    while True:
        try:
            if await ledger.latest_height() > before and await ledger.is_idle():
                break
        except (NotYet, Unavailable):
            pass
        await asyncio.sleep(0.01)
    return [block.time_s - START_S for block in await ledger.blocks_after(before)]


def test_block_time_is_what_the_clock_file_says_one_block_later(start, tmp_path):
    """The time of a block is what the validators saw when they signed the block before it."""
    clock = ClockFile(tmp_path / "clock")
    clock.move_to(START_S * NANOSECONDS_PER_SECOND)
    ledger = start(clock)

    async def story():
        assert await pay(ledger, 1) == [0, 0]
        clock.move_to((START_S + 3600) * NANOSECONDS_PER_SECOND)
        assert await pay(ledger, 2) == [0, 3600, 3600], "an empty block, then what waited"
        assert await pay(ledger, 3) == [3600, 3600]

    asyncio.run(story())


def test_a_stopped_ledger_goes_on_from_the_time_in_the_file(start, tmp_path):
    clock = ClockFile(tmp_path / "clock")
    clock.move_to(START_S * NANOSECONDS_PER_SECOND)
    assert asyncio.run(pay(start(clock), 1)) == [0, 0]
    clock.move_to((START_S + 60) * NANOSECONDS_PER_SECOND)
    clock.close()
    again = ClockFile(tmp_path / "clock")
    assert again.now_ns() == (START_S + 60) * NANOSECONDS_PER_SECOND
    # The first block after the start still has the time at which the last one was signed.
    assert asyncio.run(pay(start(again), 2)) == [0, 60, 60]


def test_without_a_clock_file_the_same_program_keeps_real_time(start, monkeypatch):
    driven = find_engine("cometbft-driven")
    monkeypatch.setattr("tieline.ledgers.tendermint.peers.find_engine", lambda _: driven)
    monkeypatch.delenv(CLOCK_VARIABLE, raising=False)
    times = asyncio.run(pay(start(), 1))
    assert abs(times[-1] + START_S - time.time()) < 30
