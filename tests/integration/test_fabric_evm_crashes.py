"""
Packets both ways between a native Fabric channel and an EVM ledger while peers, the orderer,
chaincode and the relayer are killed with -9, in turn and then all at once: none lost, none doubled,
what nobody could carry in time is back, all peers at one state. `make native` runs one round,
`make chaos` many; `SEED` repeats a run.
"""

from __future__ import annotations

import asyncio

import pytest
from fakes.busy_fabric import check_peers_agree
from fakes.chaos import until
from fakes.chaos_runs import RELAYER, ROUNDS, SEED, running, say
from fakes.fabric_chaos import PAYERS, WEALTH
from fakes.fabric_evm_chaos import OTHER, FabricEvmChaos

pytestmark = pytest.mark.native


@pytest.fixture
def world(tmp_path):
    with running(FabricEvmChaos(tmp_path, SEED)) as world:
        yield world


async def send_both_ways(world):
    await asyncio.gather(world.pay(), *map(world.send, OTHER))


async def kill_in_turn(world):
    """Each program once, in a drawn order, with packets just sent; away for a drawn time."""
    for name in world.draws.sample([*world.network.names, RELAYER], len(world.network.names) + 1):
        await send_both_ways(world)
        if name == RELAYER:
            world.relayer.kill()
        else:
            await asyncio.to_thread(world.network.kill, name)
        await asyncio.sleep(world.draws.uniform(0.0, 1.5))
        if name == RELAYER:
            world.relayer.start()
        else:
            await asyncio.to_thread(world.network.restart, name)
        world.told["killed"] += 1


async def kill_all(world):
    """The relayer first, so that some packets time out; then everything of Fabric at once."""
    world.relayer.kill()
    await world.send_late_ones()
    await send_both_ways(world)
    await asyncio.to_thread(world.network.kill_all)
    await asyncio.sleep(world.draws.uniform(0.0, 1.5))
    await asyncio.to_thread(world.network.start)
    world.relayer.start()
    world.told["all killed"] += 1


async def story(world):
    try:
        return await under_load(world)
    finally:
        await world.let_go()


async def under_load(world):
    await world.link()
    world.relayer.start()
    reading = asyncio.create_task(world.read())
    try:
        for _ in range(ROUNDS):
            await kill_in_turn(world)
            await kill_all(world)
        await world.let_time_out()
        await until(world.all_ended, f"packets are under way for ever: {world.told}")
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        world.relayer.stop()
    books = await world.books()
    for source, book in books.items():
        book.check(source)
    await world.check_taken()
    say(f"{dict(world.told)} sent={[len(one.sent) for one in books.values()]}")
    assert await world.pay_on_fabric() == (WEALTH * len(PAYERS), 0)
    await check_peers_agree(world.network)
    return books


def test_nothing_to_or_from_an_evm_ledger_is_lost_or_doubled_whatever_of_fabric_is_killed(world):
    say(f"make chaos ONLY=fabric ROUNDS={ROUNDS} SEED={SEED}")
    books = asyncio.run(story(world))
    assert all(book.acknowledged and book.timed_out for book in books.values())
    assert world.told["killed"] == ROUNDS * (len(world.network.names) + 1)
    assert world.told["all killed"] == ROUNDS
    assert world.relayer.starts == 1 + 2 * ROUNDS
