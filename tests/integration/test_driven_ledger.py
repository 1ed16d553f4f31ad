"""A ledger on a real engine and the scenario's clock: instants, proofs, kills, what is exported."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.microgrid import key

from tieline.contract.accounts import pay_key
from tieline.contract.genesis import Genesis
from tieline.ledgers.tendermint.driven import STALL_S, DrivenPlan, DrivenTendermint
from tieline.swap.messages import MsgSend
from tieline.wire.blocks import decode_export

pytestmark = pytest.mark.native

START_S = 1_453_136_400
NAMES = ("cell", "ann", "bob")


def genesis():
    cell = key("cell")
    funded = (*NAMES, "heartbeat")
    return Genesis(
        chain_id="driven-1",
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        balances=tuple(sorted((key(name).cosmos_account, 10**12) for name in funded)),
    )


@pytest.fixture
def start(tmp_path):
    """Start the ledger in the test's folder, or take up the one that is there."""
    opened = []

    def go(validator_count=1):
        for one in opened:
            one.close()
        ledger = DrivenTendermint(
            DrivenPlan(
                genesis=genesis(),
                lanes={name: key(name) for name in (*NAMES, "stranger")},
                heartbeat=key("heartbeat"),
                validator_count=validator_count,
                start_s=START_S,
                export=tmp_path / "export",
                home=tmp_path / "engines",
            )
        )
        opened.append(ledger)
        ledger.start()
        return ledger

    yield go
    for ledger in opened:
        ledger.close()


async def pay(ledger, amount, sender="ann"):
    message = MsgSend(ledger.lane_account(sender), ledger.lane_account("bob"), amount)
    return await ledger.submit(sender, [message])


async def blocks_from(ledger, height):
    """Return time and transactions of each block above a height, and how they ended."""
    return [
        (block.time_s - START_S, [one.tx_hash for one in block.transactions])
        for block in await ledger.blocks_after(height)
    ]


async def balance(ledger, name):
    return int.from_bytes(await ledger.query("tieline", pay_key(ledger.lane_account(name))), "big")


def exported(tmp_path):
    return decode_export((tmp_path / "export" / "blocks.bin").read_bytes())


def test_what_is_submitted_lands_at_the_next_instant_and_is_proved_in_it(start):
    """Twelve transactions of two lanes, in their order, and a block more that proves them."""
    ledger = start()

    async def story():
        before = await ledger.latest_height()
        sent = [(await pay(ledger, 1 + n, NAMES[n % 2])).tx_hash for n in range(12)]
        assert ledger.wants_block
        assert await ledger.latest_height() == before, "held until the clock moves on"
        assert await ledger.advance(START_S + 5)
        seen = await blocks_from(ledger, before)
        assert seen[0] == (0, []), "the first does not know the time yet"
        assert {time_s for time_s, _ in seen[1:]} == {5}
        assert [one for _, hashes in seen for one in hashes] == sent
        assert not seen[-1][1]
        proved = await ledger.prove(b"absent", before + len(seen) - 1)
        assert proved.proof_height.revision_height == before + len(seen)
        await ledger.header(before + len(seen), before)

    asyncio.run(story())


def test_a_deadline_makes_a_block_and_an_idle_instant_none(start):
    ledger = start()

    async def story():
        before = await ledger.latest_height()
        assert not await ledger.advance(START_S + 5)
        assert await blocks_from(ledger, before) == []
        assert await ledger.advance(START_S + 10, is_deadline=True)
        times = [time_s for time_s, _ in await blocks_from(ledger, before)]
        assert times == [0, 10, 10]
        assert ledger.wants_block, "somebody may act on it at the next instant"
        assert not await ledger.advance(START_S + 10, is_deadline=True), "time does not stand still"
        assert not await ledger.advance(START_S + 15)
        assert not ledger.wants_block

    asyncio.run(story())


def test_one_that_the_contract_refuses_at_the_door_holds_up_nobody(start, caplog):
    """The stranger has no account there; what waits with it goes in."""
    ledger = start()

    async def story():
        await pay(ledger, 1, "stranger")
        await pay(ledger, 7)
        assert await ledger.advance(START_S + 5)
        assert await balance(ledger, "bob") == 10**12 + 7
        assert "left out" in caplog.text
        await pay(ledger, 8)
        assert await ledger.advance(START_S + 10)
        assert await balance(ledger, "bob") == 10**12 + 7 + 8

    asyncio.run(story())


@pytest.mark.parametrize("victim", ["host", "engine"])
def test_an_instant_survives_the_death_of_a_process(start, victim, tmp_path):
    """What waited in the engine is handed in again; every block is exported once."""
    ledger = start()

    async def story():
        for amount in (1, 2, 4):
            await pay(ledger, amount)
            os.kill(ledger._group.peers[0].pids[victim == "engine"], signal.SIGKILL)
            assert await ledger.advance(await ledger.latest_time_s() + 5)
        assert await balance(ledger, "bob") == 10**12 + 7
        return await ledger.latest_height()

    height = asyncio.run(story())
    assert [row.block.header.height for row in exported(tmp_path)] == list(range(1, height + 1))


def test_a_ledger_goes_on_where_it_was_and_its_export_with_it(start, tmp_path):
    """Blocks that a crash kept out of the export are read from the engine again."""
    ledger = start()
    asyncio.run(pay(ledger, 3))
    assert asyncio.run(ledger.advance(START_S + 5))
    tag, blocks = ledger.chain_tag, exported(tmp_path)
    file = tmp_path / "export" / "blocks.bin"
    index = tmp_path / "export" / "blocks.idx"
    rows = index.read_bytes()
    ledger = start()
    ledger.close()
    file.write_bytes(file.read_bytes()[:-9])
    ledger = start()
    assert ledger.chain_tag == tag
    assert exported(tmp_path) == blocks
    assert index.read_bytes() == rows
    assert asyncio.run(ledger.latest_time_s()) == START_S + 5
    asyncio.run(pay(ledger, 4))
    assert asyncio.run(ledger.advance(START_S + 10))
    assert asyncio.run(balance(ledger, "bob")) == 10**12 + 7


@pytest.mark.slow
def test_four_validators_make_the_same_three_blocks(start):
    ledger = start(4)

    async def story():
        for instant in range(1, 6):
            before = await ledger.latest_height()
            sent = [(await pay(ledger, n + 1)).tx_hash for n in range(5)]
            assert await ledger.advance(START_S + 5 * instant)
            seen = await blocks_from(ledger, before)
            assert {time_s for time_s, hashes in seen if hashes} == {5 * instant}
            assert [one for _, hashes in seen for one in hashes] == sent

    asyncio.run(story())


@pytest.mark.slow
def test_what_waits_while_two_of_four_are_gone_lands_when_they_return(start):
    """The instant takes as long as it takes; what waits in an engine is not given up."""
    ledger = start(4)
    engines = [peer.pids[1] for peer in ledger._group.peers[2:]]

    async def story():
        await pay(ledger, 7)
        for pid in engines:
            os.kill(pid, signal.SIGSTOP)
        instant = asyncio.create_task(ledger.advance(START_S + 5))
        await asyncio.sleep(2 * STALL_S + 1)
        assert not instant.done()
        for pid in engines:
            os.kill(pid, signal.SIGCONT)
        assert await instant
        assert await balance(ledger, "bob") == 10**12 + 7

    asyncio.run(story())


def test_an_engine_that_never_met_its_host_ends_with_the_parent(tmp_path):
    """Its host is killed with the parent's line cut: nobody else would end it."""
    genesis_file = tmp_path / "given.json"
    genesis_file.write_bytes(genesis().to_bytes())
    code = (
        "import os, signal, sys, time\nfrom pathlib import Path\n"
        "from tieline.contract.genesis import Genesis\n"
        "from tieline.ledgers.tendermint.peers import PeerGroup\n"
        f"given = Genesis.from_bytes(Path({str(genesis_file)!r}).read_bytes())\n"
        f"group = PeerGroup(given, Path({str(tmp_path / 'net')!r}))\n"
        "peer = group.peers[0]\npeer.start()\n"
        "os.kill(peer.pids[1], signal.SIGSTOP)\n"
        "print(*peer.pids, flush=True)\ntime.sleep(600)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    ) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    end = time.monotonic() + 120
    while time.monotonic() < end and any(map(is_alive, pids)):
        time.sleep(0.05)
    assert not any(map(is_alive, pids))


def is_alive(pid):
    try:
        return b"\nState:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()
    except FileNotFoundError:
        return False
