"""
Payments between two ledgers while hosts, engines and the relayer are killed with -9 at drawn
moments and at CometBFT's own fail points: no packet lost, none doubled, money conserved, the same
app hash everywhere. `make chaos` runs it long, `make native` short; `SEED` repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from math import ceil

import pytest
from fakes.chaos import FOUR, ONE, PAYERS, WEALTH, ChaosWorld, Weather, check_books, pids_of, until
from fakes.chaos_runs import BLOCKS, SEED, running, say
from fakes.faults import missing

pytestmark = pytest.mark.native

KILLS = ceil(BLOCKS / 20)
"""Of hosts and engines, at least: blocks alone may come before much has died."""
LIMIT_S = 180.0 + 6.0 * BLOCKS
"""Blocks come four a second when nothing dies; when much does, fewer than one."""


@pytest.fixture
def world(tmp_path):
    with running(ChaosWorld(tmp_path)) as world:
        yield world


async def under_load(world, story):
    """Run a story while everybody pays; then wait until every packet is at its end."""
    seeds = random.Random(SEED)
    payers = [
        asyncio.create_task(world.pay(chain_id, payer, random.Random(seeds.random())))
        for chain_id in (FOUR, ONE)
        for payer in PAYERS
    ]
    try:
        await story()
    finally:
        world.is_paying = False
        await asyncio.gather(*payers)
    await until(world.all_ended, f"packets are under way for ever: {world.told}")
    return await world.books()


async def check_money(world, books):
    """What left one ledger is in escrow there and a voucher here; all else is where it was."""
    for source, destination in ((FOUR, ONE), (ONE, FOUR)):
        arrived = sum(books[source].sent[one] for one in books[source].acknowledged)
        paid, escrow, _ = await world.balances(source)
        _, _, held = await world.balances(destination)
        assert (escrow, held) == (arrived, arrived), source
        assert paid == WEALTH * len(PAYERS) - arrived, source


async def check_hashes(world):
    """All validators hold the same header, and with it the same app hash, at every height."""
    latest = await world.height()

    async def caught_up():
        for peer in world.groups[FOUR].peers:
            info = await peer.rpc.call("abci_info")
            if int(info["response"]["last_block_height"]) < latest:
                return False
        return True

    await until(caught_up, "a validator does not catch up")
    found = await world.app_hashes(FOUR)
    assert {height for height, hashes in found.items() if len(hashes) > 1} == set()
    assert set(range(1, latest + 1)) <= set(found)


def test_nothing_is_lost_or_doubled_whatever_is_killed(world):
    say(f"make chaos BLOCKS={BLOCKS} SEED={SEED}")
    weather = Weather(world, SEED)

    async def story():
        first = last = await world.height()
        ends = time.monotonic() + LIMIT_S

        def lacks():
            blocks = [f"{BLOCKS} blocks"] if last - first < BLOCKS else []
            return blocks + missing(world.told, KILLS)

        def is_over():
            return not lacks() or time.monotonic() > ends

        async def count():
            nonlocal last
            while not is_over():
                last = await until(world.height, "nobody answers")
                await asyncio.sleep(0.2)

        await asyncio.gather(count(), weather.blow(is_over))
        assert not lacks(), f"not within {LIMIT_S:.0f} s: {lacks()}; done: {world.told}"
        await until(world.has_carried, f"no packet comes to its end both ways: {world.told}")

    async def whole():
        books = await under_load(world, story)
        say(
            f"{dict(world.told)} "
            f"sent={[len(one.sent) for one in books.values()]} "
            f"timed_out={[len(one.timed_out) for one in books.values()]}"
        )
        check_books(books)
        await check_money(world, books)
        await check_hashes(world)
        return books

    books = asyncio.run(whole())
    assert all(book.acknowledged for book in books.values())
    assert world.relayer.starts == 1 + world.told["relayer killed"]
    brought_back = sum(group.restarts for group in world.groups.values())
    assert brought_back >= KILLS + 2 * world.told["fail point"]


def why_held(world):
    """What the relayer says of the ledger of four; nothing when it goes on."""
    (row,) = [one for one in world.relayer.status()["ledgers"] if one["ledger"] == FOUR]
    return row["held_because"]


def signal_two(world, number):
    for peer in world.groups[FOUR].peers[2:]:
        for pid in pids_of(peer):
            os.kill(pid, number)


async def halt_and_go_on(world):
    async def halted():
        return "no new block for" in why_held(world)

    await until(world.has_carried, "the relayer carries nothing")
    signal_two(world, signal.SIGSTOP)
    await until(halted, "it is not said why packets are held")
    height = await world.height()
    sent = len((await world.books())[ONE].sent)

    async def other_goes_on():
        return len((await world.books())[ONE].sent) > sent

    await until(other_goes_on, "the other ledger does not go on")
    assert not await world.all_ended(), "its packets wait"
    assert await halted()
    assert await world.height() == height
    signal_two(world, signal.SIGCONT)

    async def grown():
        return await world.height() > height + 5

    await until(grown, "the ledger does not go on")


def test_without_two_of_four_packets_are_held_and_it_is_said_why(world):
    """More than a third is gone: no block, no loss, a reason; with them it all goes on."""
    say(f"make chaos SEED={SEED}")

    async def goes_on():
        return not why_held(world)

    async def whole():
        books = await under_load(world, lambda: halt_and_go_on(world))
        check_books(books)
        await check_money(world, books)
        await check_hashes(world)
        await until(goes_on, "packets are held for ever")

    asyncio.run(whole())
