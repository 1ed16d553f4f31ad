"""A Fabric ledger of real programs on a scenario's clock: instants, kills, taking it up again."""

import asyncio
import contextlib
import os

import pytest
from fakes.chaos import until
from fakes.embedded_fabric import NAMES, START_S, fabric_genesis
from fakes.microgrid import key, pay

from tieline.interfaces.errors import NotYet, Rejected
from tieline.ledgers.fabric.driven import DrivenFabric, DrivenFabricPlan
from tieline.ledgers.fabric.embedded.block_file import BLOCKS_FILE, FabricBlockFile
from tieline.wire.fabric.blocks import Block
from tieline.wire.hashes import tag
from tieline.wire.ids import chain_tag

pytestmark = pytest.mark.native

PRICE = 5
SEED = b"\x33" * 32


def plan_of(folder, **more):
    lanes = {name: key(name) for name in NAMES}
    places = {"export": folder / "export", "home": folder / "home"}
    return DrivenFabricPlan(
        genesis=fabric_genesis(), lanes=lanes, seed=SEED, start_s=START_S, **places, **more
    )


@contextlib.asynccontextmanager
async def opened(folder, **more):
    ledger = DrivenFabric(plan_of(folder, **more))
    await ledger.start()
    with contextlib.closing(ledger):
        yield ledger


async def pay_from(ledger, payer, payee, amount=PRICE):
    sent = await ledger.submit(payer, [pay(payer, payee, amount)])
    return sent.tx_hash


async def landed_since(ledger, height):
    blocks = await ledger.blocks_after(height)
    return {tx.tx_hash: tx.code for block in blocks for tx in block.transactions}


async def commit_hashes(ledger):
    """The last block's commit hash at every peer; one that was killed may have to catch up."""
    ports = [ledger.port, *ledger._others]
    number = await ledger.latest_height()

    async def all_have_it():
        return min([await port.height() for port in ports]) >= number

    await until(all_have_it, "a peer stays behind")
    blocks = [Block.decode((await port.blocks_after(number - 1, 1))[0]) for port in ports]
    return {block.metadata[4] for block in blocks}


async def the_beginning(ledger):
    assert ledger.wants_block
    with pytest.raises(NotYet):
        await pay_from(ledger, "household 0", "household 1")
    assert await ledger.advance(START_S)
    assert await ledger.latest_time_s() == START_S
    assert not ledger.wants_block
    genesis_hash = Block.decode(ledger.network.genesis_block).header.hash()
    assert ledger.chain_tag == chain_tag("fabric", "lab", genesis_hash, tag("tieline"))
    begun = await ledger.latest_height()
    assert (await ledger.blocks_after(begun - 1))[0].is_provable


async def the_instants(ledger):
    begun = await ledger.latest_height()
    assert not await ledger.advance(START_S + 5)
    sent = {await pay_from(ledger, f"household {n}", f"household {n + 1}") for n in range(20)}
    # These three go from one account: each has to find the one before it written.
    sent |= {await pay_from(ledger, "household 30", f"household {n}", n) for n in (1, 2, 3)}
    assert await ledger.latest_height() == begun, "held until the next instant"
    assert await ledger.advance(START_S + 10)
    assert await landed_since(ledger, begun) == dict.fromkeys(sent, 0)
    assert ledger.wants_block, "what was written is not provable yet"
    assert await ledger.advance(START_S + 15)
    assert not ledger.wants_block
    with pytest.raises(Rejected) as told:
        await pay_from(ledger, "household 0", "household 1", 10**15)
    assert told.value.codespace != "fabric"
    assert await ledger.advance(START_S + 45, is_deadline=True)
    assert await ledger.latest_time_s() == START_S + 45


async def the_kills(ledger):
    """Each program once, while an instant goes on: nothing is lost and nothing is twice."""
    for number, name in enumerate(ledger.network.names):
        height = await ledger.latest_height()
        sent = {await pay_from(ledger, f"household {n}", "cell", 1 + number) for n in range(5)}
        advancing = asyncio.ensure_future(ledger.advance(START_S + 60 + 20 * number))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(ledger.network.kill, name, is_held=False)
        assert await advancing
        assert await landed_since(ledger, height) == dict.fromkeys(sent, 0)

    async def all_are_back():
        assert ledger.network.restarts <= len(ledger.network.names)
        return ledger.network.restarts == len(ledger.network.names)

    await until(all_are_back, "a program is not brought back")  # an instant can do without some
    assert len(await commit_hashes(ledger)) == 1


def exported_numbers(folder):
    exported = FabricBlockFile(folder / "export", fabric_genesis().to_bytes())
    with contextlib.closing(exported):
        return [Block.decode(exported[n]).header.number for n in range(len(exported))]


def test_a_scenario_on_real_programs_from_its_first_instant_to_its_resumption(tmp_path):
    async def first():
        async with opened(tmp_path) as ledger:
            await the_beginning(ledger)
            await the_instants(ledger)
            await the_kills(ledger)
            # Handed in and never ordered: it is gone with the run that is broken off.
            await pay_from(ledger, "household 7", "household 8", 777)
            height, state_root = await ledger.latest_height(), await ledger.state_root()
            ledger.network.kill_all()
            return height, state_root

    async def again(height, state_root):
        async with opened(tmp_path) as ledger:
            assert (await ledger.latest_height(), await ledger.state_root()) == (height, state_root)
            assert ledger.wants_block, "a deadline may have fallen before the run broke off"
            now_s = await ledger.latest_time_s()
            sent = await pay_from(ledger, "household 7", "household 8", 777)
            assert await ledger.advance(now_s + 20)
            assert await landed_since(ledger, height) == {sent: 0}
            assert await ledger.latest_time_s() == now_s + 20
            return await ledger.latest_height()

    height, state_root = asyncio.run(first())
    assert exported_numbers(tmp_path) == list(range(height + 1))
    # A power cut may take more of the export than of what was read.
    blocks = tmp_path / "export" / BLOCKS_FILE
    os.truncate(blocks, blocks.stat().st_size // 2)
    assert len(exported_numbers(tmp_path)) <= height
    last = asyncio.run(again(height, state_root))
    assert exported_numbers(tmp_path) == list(range(last + 1))
