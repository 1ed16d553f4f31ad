"""
Payments between a native Fabric channel and a CometBFT ledger while peers, the orderer, chaincode
and the relayer are killed with -9, in turn and then all at once: no packet lost, none doubled,
money conserved, all peers at one state. `make chaos` runs it long, `make native` short; `SEED`
repeats a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest
from fakes.busy_fabric import check_peers_agree
from fakes.chaos import check_books, until
from fakes.chaos_runs import RELAYER, ROUNDS, SEED, running, say
from fakes.fabric_chaos import FABRIC, MINT, OTHER, PAYERS, WEALTH, FabricChaos, open_mint

pytestmark = pytest.mark.native


@pytest.fixture
def world(tmp_path):
    with running(FabricChaos(tmp_path, SEED)) as world:
        yield world


async def kill_in_turn(world, draws):
    """
    Each program once, in a drawn order, away for a drawn time; then the next. The relayer is away
    until the time of a payment has passed that nobody carries.
    """
    for name in draws.sample([*world.network.names, RELAYER], len(world.network.names) + 1):
        await asyncio.sleep(draws.uniform(1.0, 4.0))
        if name == RELAYER:
            world.relayer.kill()
            world.note_away()
        else:
            await asyncio.to_thread(world.network.kill, name)
        await asyncio.sleep(draws.uniform(0.0, 3.0))
        if name == RELAYER:
            await until(world.has_late_payment, "no payment runs out of time")
            world.relayer.start()
        else:
            await asyncio.to_thread(world.network.restart, name)
        world.told["killed"] += 1


async def kill_all(world, draws):
    """Everything at once, and back as an operator would bring it back."""
    await asyncio.sleep(draws.uniform(2.0, 5.0))
    world.relayer.kill()
    await asyncio.to_thread(world.network.kill_all)
    await asyncio.sleep(draws.uniform(0.0, 3.0))
    world.note_away()
    await asyncio.to_thread(world.network.start)
    world.relayer.start()
    world.told["all killed"] += 1


async def check_money(world, books, mint):
    """What left one ledger is in escrow there and a voucher here; all else is where it was."""
    ledgers = {FABRIC: world.ledger, MINT: mint}
    for source, destination in OTHER.items():
        arrived = sum(books[source].sent[one] for one in books[source].acknowledged)
        paid, escrow, _ = await world.balances(source, ledgers[source])
        _, _, held = await world.balances(destination, ledgers[destination])
        assert (escrow, held) == (arrived, arrived), source
        assert paid == WEALTH * len(PAYERS) - arrived, source


async def under_load(world):
    draws = random.Random(SEED)
    await world.link()
    world.relayer.start()
    reading = asyncio.create_task(world.read())
    paying = asyncio.create_task(world.pay())
    try:
        for _ in range(ROUNDS):
            await kill_in_turn(world, draws)
            await kill_all(world, draws)
        await until(world.has_paid, "nobody can pay any more")
        world.stop_paying()
        taken = await paying
        await until(world.all_ended, f"packets are under way for ever: {world.told}")
    finally:
        world.stop_paying()
        reading.cancel()
        await asyncio.gather(reading, paying, return_exceptions=True)
        world.relayer.stop()
    with contextlib.closing(open_mint(world.folder)) as mint:
        books = await world.count_books(mint)
        await world.check_taken(taken)
        say(
            f"{dict(world.told)} "
            f"sent={[len(one.sent) for one in books.values()]} "
            f"timed_out={[len(one.timed_out) for one in books.values()]}"
        )
        check_books(books)
        await check_money(world, books, mint)
    await check_peers_agree(world.network)
    await world.let_go()
    return books


def test_nothing_is_lost_or_doubled_whatever_of_fabric_is_killed(world):
    say(f"make chaos ONLY=fabric ROUNDS={ROUNDS} SEED={SEED}")
    books = asyncio.run(under_load(world))
    assert all(book.acknowledged for book in books.values())
    assert any(book.timed_out for book in books.values())
    assert world.told["killed"] == ROUNDS * (len(world.network.names) + 1)
    assert world.told["all killed"] == ROUNDS
    assert world.relayer.starts == 1 + 2 * ROUNDS
