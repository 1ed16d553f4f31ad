"""Real CometBFT peers with our contract behind them: killed, restarted, four of them, one lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from fakes.microgrid import key

from tieline.contract.accounts import pay_balance
from tieline.contract.block import Application
from tieline.contract.genesis import Genesis
from tieline.contract.results import BlockInput
from tieline.interfaces.errors import Rejected, Unavailable
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.light_clients.tendermint.verifier import check_commit
from tieline.swap.messages import MsgSend
from tieline.wire.cometbft import SignedHeader

pytestmark = pytest.mark.native

CHAIN_ID = "native-1"
NAMES = ("cell", "ann", "bob")
PACE = Pace(commit_wait_ms=20, empty_block_interval_s=1)
WAIT_S = 180.0
LOST_S = 30.0
"""What waited in an engine that was killed is gone; one that lives puts it in a block by then."""


def genesis():
    cell = key("cell")
    balances = tuple(sorted((key(name).cosmos_account, 10**12) for name in NAMES))
    return Genesis(
        chain_id=CHAIN_ID,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        balances=balances,
    )


@pytest.fixture
def start(tmp_path):
    """Start the ledger in the test's folder, again if it is there already."""
    groups = []

    def go(validator_count=1):
        group = PeerGroup(genesis(), tmp_path, validator_count=validator_count, pace=PACE)
        group.start()
        groups.append(group)
        return group

    yield go
    for group in groups:
        group.stop()


def ledger_of(group, index=0):
    ledger = NativeTendermint(CHAIN_ID, group.peers[index].rpc)
    for name in NAMES:
        ledger.add_lane(name, key(name))
    return ledger


def pay(ledger, amount, sender="ann"):
    message = MsgSend(ledger.lane_account(sender), ledger.lane_account("bob"), amount)
    return ledger.submit(sender, [message])


async def until(holds):
    """Wait until a coroutine's answer is true; a ledger that restarts may not answer."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            if answer := await holds():
                return answer
        except Unavailable:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to pass")


async def pay_for_sure(ledger, amount, sender="ann"):
    """Pay, whatever dies meanwhile; return the height. Each amount is paid once only."""
    start = await until(ledger.latest_height)

    async def blocks():
        return await ledger.blocks_after(start, 10_000)

    end = time.monotonic() + WAIT_S
    while True:
        assert time.monotonic() < end, "it cannot be paid"
        try:
            sent = await pay(ledger, amount, sender)
        except (Unavailable, Rejected):
            await asyncio.sleep(0.1)
            continue
        lost = time.monotonic() + LOST_S
        while time.monotonic() < lost:
            try:
                for block in await blocks():
                    if any(one.tx_hash == sent.tx_hash for one in block.transactions):
                        return block.height
            except Unavailable:
                pass
            await asyncio.sleep(0.05)


async def app_hash_at(ledger, height):
    return (await ledger.stored_block(height)).block.header.app_hash


def test_what_the_engine_calls_a_block_is_what_we_call_one(start):
    """Header hash, block id and commit out of JSON are those that the validators signed."""
    ledger = ledger_of(start())

    async def look():
        await pay_for_sure(ledger, 1)
        height = await until(ledger.latest_height)
        members = await ledger._validators(height)
        for one in range(2, height + 1):
            stored = await ledger.stored_block(one)
            assert stored.block.id() == stored.seen_commit.block_id
            check_commit(CHAIN_ID, SignedHeader(stored.block.header, stored.seen_commit), members)

    asyncio.run(look())


@pytest.mark.parametrize("victim", ["host", "engine"])
def test_a_killed_process_comes_back_with_the_same_state(start, victim):
    group = start()
    ledger = ledger_of(group)

    async def story():
        for amount in range(1, 4):
            height = await pay_for_sure(ledger, amount)
            before = await app_hash_at(ledger, height)
            os.kill(group.peers[0].pids[victim == "engine"], signal.SIGKILL)
            assert await until(partial(app_hash_at, ledger, height)) == before
        await pay_for_sure(ledger, 10)
        return await until(
            lambda: ledger.query("tieline", b"a" + key("bob").cosmos_account + b"\0")
        )

    balance = asyncio.run(story())
    assert int.from_bytes(balance) == 10**12 + 1 + 2 + 3 + 10
    assert group.restarts >= 3


def test_a_ledger_goes_on_where_it_was_stopped(start):
    group = start()
    ledger = ledger_of(group)
    tag = asyncio.run(ledger.chain_tag())
    height = asyncio.run(pay_for_sure(ledger, 7))
    group.stop()
    ledger = ledger_of(start())
    assert asyncio.run(ledger.chain_tag()) == tag
    assert asyncio.run(pay_for_sure(ledger, 7)) > height


def test_a_lost_state_is_executed_again_from_the_blocks(start, tmp_path):
    group = start()
    ledger = ledger_of(group)
    height = asyncio.run(pay_for_sure(ledger, 7))
    tag = asyncio.run(ledger.chain_tag())
    group.stop()
    for path in tmp_path.glob("peer0/state.sqlite*"):
        path.unlink()
    ledger = ledger_of(start())
    assert asyncio.run(ledger.chain_tag()) == tag
    assert asyncio.run(pay_for_sure(ledger, 8)) > height


def test_children_end_with_their_parent(tmp_path):
    """A hub that is killed leaves no process behind."""
    genesis_file = tmp_path / "given.json"
    genesis_file.write_bytes(genesis().to_bytes())
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from tieline.contract.genesis import Genesis\n"
        "from tieline.ledgers.tendermint.peers import PeerGroup\n"
        f"given = Genesis.from_bytes(Path({str(genesis_file)!r}).read_bytes())\n"
        f"group = PeerGroup(given, Path({str(tmp_path / 'net')!r}))\n"
        "group.start()\nprint(*group.peers[0].pids, flush=True)\ntime.sleep(600)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    ) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and any(map(is_alive, pids)):
        time.sleep(0.05)
    assert not any(map(is_alive, pids))


def is_alive(pid):
    try:
        return b"\nState:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()
    except FileNotFoundError:
        return False


def executed_again(ledger):
    """Run all blocks of a ledger on a fresh contract, header by header; return what bob has."""
    application = Application(genesis())

    async def blocks():
        return [await ledger.stored_block(n) for n in range(1, await ledger.latest_height() + 1)]

    for stored in asyncio.run(blocks()):
        header, identity = stored.block.header, stored.block.id()
        assert header.app_hash == application.app_hash
        application.finalize_block(
            BlockInput(header.height, header.time_ns, identity.hash, stored.block.transactions)
        )
        application.commit()
    return pay_balance(dict(application.scan("tieline", b"a")), key("bob").cosmos_account)


FAIL_POINTS = 10
"""CometBFT's own, from before the block is saved to after the state is."""


def test_an_engine_may_die_at_any_of_its_fail_points(start, monkeypatch):
    group = start()
    ledger, peer = ledger_of(group), group.peers[0]
    asyncio.run(pay_for_sure(ledger, 1))
    for index in range(FAIL_POINTS):
        before = group.restarts
        with monkeypatch.context() as environment:
            environment.setenv("FAIL_TEST_INDEX", str(index))
            os.kill(peer.pids[1], signal.SIGKILL)
            wait_for(lambda before=before: group.restarts > before and peer.is_running())
        # The next block dies at the fail point, and the engine after that one has none.
        wait_for(lambda before=before: group.restarts > before + 1 and peer.is_running())
        asyncio.run(pay_for_sure(ledger, 1))
    assert executed_again(ledger) == 10**12 + 1 + FAIL_POINTS


def wait_for(holds):
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


@pytest.mark.slow
def test_four_validators_agree_and_bear_the_loss_of_one(start):
    group = start(4)
    ledgers = [ledger_of(group, index) for index in range(4)]

    async def story():
        for amount in range(1, 6):
            await pay_for_sure(ledgers[0], amount)
        os.kill(group.peers[3].pids[0], signal.SIGKILL)
        height = await pay_for_sure(ledgers[1], 9, sender="cell")
        await until(lambda: height_reached(ledgers[3], height + 1))
        return {(await until(lambda one=one: app_hash_at(one, height + 1))) for one in ledgers}

    async def height_reached(ledger, height):
        return await ledger.latest_height() >= height

    assert len(asyncio.run(story())) == 1


@pytest.mark.slow
def test_without_two_of_four_the_ledger_halts_and_goes_on_with_them(start):
    """More than a third is gone: no block, and a height that stands still says so."""
    group = start(4)
    ledger = ledger_of(group)

    async def story():
        await pay_for_sure(ledger, 1)
        for peer in group.peers[2:]:
            os.kill(peer.pids[1], signal.SIGSTOP)
        height = await until(partial(standing, ledger))
        await pay(ledger, 2)
        await asyncio.sleep(3.0)
        assert await ledger.latest_height() == height
        for peer in group.peers[2:]:
            os.kill(peer.pids[1], signal.SIGCONT)
        await until(lambda: grown(height))
        await pay_for_sure(ledger, 4)

    async def grown(height):
        return await ledger.latest_height() > height

    asyncio.run(story())
    assert executed_again(ledger) == 10**12 + 1 + 2 + 4


async def standing(ledger):
    """The height, once it has been the same for two seconds: what was voted on is in."""
    height = await ledger.latest_height()
    await asyncio.sleep(2.0)
    return height if await ledger.latest_height() == height else 0
