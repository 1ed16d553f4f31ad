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
import sys
import time

import pytest
from fakes.chaos import FOUR, ONE, PAYERS, WEALTH, ChaosWorld, Weather, check_books, pids_of, until

pytestmark = pytest.mark.native

BLOCKS = int(os.environ.get("CHAOS_BLOCKS") or 40)
SEED = int(os.environ.get("CHAOS_SEED") or time.time_ns() % 2**32)
LIMIT_S = 60.0 + 3.0 * BLOCKS
"""Blocks come four a second when nothing dies; on a busy machine, and when much does, fewer."""


def say(text):
    """Tell what repeats a run; pytest shows it with ``-s``, and when a test fails."""
    sys.stdout.write(f"\n{text}\n")


@pytest.fixture
def world(tmp_path):
    world = ChaosWorld(tmp_path)
    try:
        world.start()
        yield world
    finally:
        world.stop()


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
        first = await world.height()
        ends = time.monotonic() + LIMIT_S
        last = first

        def is_over():
            return last - first >= BLOCKS or time.monotonic() > ends

        async def count():
            nonlocal last
            while not is_over():
                last = await until(world.height, "nobody answers")
                await asyncio.sleep(0.2)

        await asyncio.gather(count(), weather.blow(is_over))
        assert last - first >= BLOCKS, f"blocks={last - first} {world.told}"

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
    assert sum(world.told[one] for one in ("host killed", "engine killed")) >= BLOCKS / 20
    assert world.relayer.starts >= 1


def test_without_two_of_four_packets_are_held_and_it_is_said_why(world):
    """More than a third is gone: no block, no loss, a reason; with them it all goes on."""
    say(f"make chaos SEED={SEED}")
    group = world.groups[FOUR]

    async def halted():
        (row,) = [one for one in world.relayer.status()["ledgers"] if one["ledger"] == FOUR]
        return "no new block for" in row["held_because"]

    async def story():
        await until(world.has_carried, "the relayer carries nothing")
        for peer in group.peers[2:]:
            for pid in pids_of(peer):
                os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(2.0)
        height = await world.height()
        sent = len((await world.books())[ONE].sent)
        await until(halted, "it is not said why packets are held", 60.0)
        assert await world.height() == height
        books = await world.books()
        assert len(books[ONE].sent) > sent, "the other ledger goes on"
        assert not await world.all_ended(), "its packets wait"
        for peer in group.peers[2:]:
            for pid in pids_of(peer):
                os.kill(pid, signal.SIGCONT)

        async def grown():
            return await world.height() > height + 5

        await until(grown, "the ledger does not go on", 60.0)

    async def whole():
        books = await under_load(world, story)
        check_books(books)
        await check_money(world, books)
        await check_hashes(world)

    asyncio.run(whole())
    (row,) = [one for one in world.relayer.status()["ledgers"] if one["ledger"] == FOUR]
    assert not row["held_because"]
