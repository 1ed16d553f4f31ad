"""The embedded Fabric ledger: when it makes blocks and Ticks, that they last and repeat."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256

import pytest
from fakes.embedded_fabric import NAMES, SEED, START_S, embedded_ledger, fabric_genesis, run
from fakes.microgrid import key, pay

from tieline.interfaces.errors import ConfigError, NotYet, Rejected
from tieline.ledgers.fabric.embedded.block_file import BLOCKS_FILE, FIRST_FILE
from tieline.ledgers.fabric.embedded.channel_plan import Consensus
from tieline.ledgers.fabric.embedded_ledger import EmbeddedFabric
from tieline.wire.blocks import encode_frame, split_frames
from tieline.wire.fabric.blocks import Block
from tieline.wire.hashes import tag
from tieline.wire.ids import chain_tag

PRICE = 5


async def begun(folder=None, **options):
    ledger = embedded_ledger(folder, **options)
    await ledger.advance(START_S)
    return ledger


async def balances(ledger):
    return dict(await ledger.scan("tieline", b"a"))


def codes(ledger, number):
    return list(Block.decode(ledger.network.block(number)).transactions_filter)


def test_a_ledger_begins_with_its_definition_its_contract_and_its_time():
    async def story():
        ledger = embedded_ledger()
        assert ledger.wants_block
        with pytest.raises(NotYet):
            await ledger.submit("household 0", [pay("household 0", "household 1", PRICE)])
        assert await ledger.advance(START_S)
        seen = await ledger.blocks_after(0)
        assert [one.is_provable for one in seen] == [False, False, True]
        assert await ledger.latest_time_s() == START_S
        assert ledger.chain_tag == chain_tag(
            "fabric", "lab", ledger.network.genesis.header.hash(), tag("tieline")
        )
        client, consensus = await ledger.trust_at(3)
        assert client.type_url.endswith("fabric.v1.ClientState")
        assert consensus.value

    run(story())


def test_blocks_are_made_for_transactions_then_for_their_time_and_for_deadlines():
    async def story():
        ledger = await begun()
        assert not ledger.wants_block
        assert not await ledger.advance(START_S + 5)
        await ledger.submit("household 0", [pay("household 0", "household 1", PRICE)])
        assert await ledger.advance(START_S + 10)
        assert ledger.wants_block, "what was written is not provable yet"
        assert await ledger.latest_time_s() == START_S, "no Tick sooner than 15 s after the last"
        assert await ledger.advance(START_S + 15)
        assert not ledger.wants_block
        assert await ledger.latest_time_s() == START_S + 15
        assert not await ledger.advance(START_S + 15), "time does not stand still"
        assert not await ledger.advance(START_S + 40)
        assert await ledger.advance(START_S + 45, is_deadline=True)
        assert await ledger.latest_time_s() == START_S + 45

    run(story())


def test_a_deadline_soon_after_a_tick_is_seen_as_soon_as_a_tick_is_allowed():
    async def story():
        ledger = await begun()
        assert not await ledger.advance(START_S + 5, is_deadline=True)
        assert ledger.wants_block
        assert await ledger.advance(START_S + 15)
        assert not ledger.wants_block

    run(story())


def test_what_lost_to_another_of_the_same_instant_is_endorsed_anew_in_the_next_block():
    async def story():
        ledger = await begun()
        sent = [
            await ledger.submit("household 0", [pay("household 0", f"household {n}", n)])
            for n in (1, 2, 3)
        ]
        await ledger.advance(START_S + 5)
        assert not ledger.network.is_waiting
        landed = {
            tx.tx_hash: tx.code
            for block in await ledger.blocks_after(3)
            for tx in block.transactions
        }
        assert landed == {one.tx_hash: 0 for one in sent}

    run(story())


def test_fifty_submissions_at_once_are_neither_lost_nor_doubled():
    async def story():
        ledger = await begun()
        before = sum(int.from_bytes(one) for one in (await balances(ledger)).values())
        payers = [f"household {n}" for n in range(50)]

        async def submit(n):
            # Every fifth pays to the same one: those must come one after the other.
            payee = "relayer" if n % 5 == 0 else f"household {(n + 1) % 64}"
            return await ledger.submit(payers[n], [pay(payers[n], payee, 1 + n)])

        sent = await asyncio.gather(*(submit(n) for n in range(50)))
        await ledger.advance(START_S + 5)
        seen = await ledger.blocks_after(3)
        landed = [tx for block in seen for tx in block.transactions]
        assert sorted(tx.tx_hash for tx in landed) == sorted(one.tx_hash for one in sent)
        assert {tx.code for tx in landed} == {0}
        after = sum(int.from_bytes(one) for one in (await balances(ledger)).values())
        assert before == after
        assert await ledger.state_root() == ledger.network.peers[1].state.digest()

    run(story())


def test_a_transaction_that_cannot_be_is_refused_at_the_door():
    async def story():
        ledger = await begun()
        with pytest.raises(Rejected) as told:
            await ledger.submit("household 0", [pay("household 0", "household 1", 10**15)])
        assert told.value.codespace != "fabric"
        assert not ledger.wants_block

    run(story())


def test_what_is_refused_by_a_clock_that_is_behind_waits_for_a_tick():
    """As a header of a ledger whose time is ahead; refused again with the new time, it is final."""

    async def story():
        ledger = await begun()
        too_much = [pay("household 0", "household 1", 10**15)]
        assert not await ledger.advance(START_S + 600)
        with pytest.raises(NotYet, match="behind"):
            await ledger.submit("household 0", too_much)
        assert ledger.wants_block
        assert await ledger.advance(START_S + 605)
        assert await ledger.latest_time_s() == START_S + 605
        assert not ledger.wants_block
        with pytest.raises(Rejected):
            await ledger.submit("household 0", too_much)

    run(story())


def test_a_ledger_goes_on_from_its_folder(tmp_path):
    async def story():
        ledger = await begun(tmp_path)
        for step in range(1, 4):
            await ledger.submit("household 0", [pay("household 0", f"household {step}", step)])
            await ledger.advance(START_S + 20 * step)
        root, height = await ledger.state_root(), ledger.network.height
        seen = await ledger.blocks_after(0)
        ledger.close()
        again = embedded_ledger(tmp_path)
        assert again.network.height == height
        assert await again.state_root() == root
        assert await again.blocks_after(0) == seen
        assert again.wants_block, "a deadline may have fallen before the kill"
        await again.submit("household 1", [pay("household 1", "household 2", 1)])
        assert await again.advance(START_S + 90)
        again.close()

    run(story())


@pytest.mark.parametrize(
    "inside", [(1, 8), pytest.param((2, 4, 7, 9, 500), marks=pytest.mark.slow)], ids=str
)
def test_a_kill_at_any_byte_leaves_a_ledger_that_goes_on(tmp_path, inside):
    """Torn writes inside each frame's head and body, and between two."""

    async def story():
        whole = tmp_path / "whole"
        ledger = await begun(whole)
        await ledger.submit("household 0", [pay("household 0", "household 1", 1)])
        await ledger.advance(START_S + 20)
        ledger.close()
        data = (whole / BLOCKS_FILE).read_bytes()
        payloads, _ = split_frames(data)
        ends = [0]
        for one in payloads:
            ends.append(ends[-1] + len(encode_frame(one)))
        cuts = {end + extra for end in ends[1:-1] for extra in inside}
        cuts |= {0, *inside, ends[2], len(data) - 1}
        for cut in sorted(cuts):
            folder = tmp_path / str(cut)
            folder.mkdir()
            (folder / BLOCKS_FILE).write_bytes(data[:cut])
            (folder / "genesis.json").write_bytes(fabric_genesis().to_bytes())
            (folder / FIRST_FILE).write_bytes((whole / FIRST_FILE).read_bytes())
            again = embedded_ledger(folder)
            kept = sum(end <= cut for end in ends[1:])
            assert again.network.height == kept
            assert await again.advance(START_S + 40, is_deadline=True)
            assert await again.latest_time_s() == START_S + 40
            again.close()
            stored = (folder / BLOCKS_FILE).read_bytes()
            assert split_frames(stored)[1] == len(stored)
            assert stored.startswith(data[: ends[kept]])

    run(story())


def test_damage_in_the_middle_is_not_taken_for_a_torn_tail(tmp_path):
    ledger = run(begun(tmp_path))
    ledger.close()
    path = tmp_path / BLOCKS_FILE
    data = bytearray(path.read_bytes())
    data[5_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"damaged.*restore a copy"):
        embedded_ledger(tmp_path)
    assert path.read_bytes() == data, "nothing is cut off"


def test_a_folder_of_another_ledger_is_refused(tmp_path):
    run(begun(tmp_path)).close()
    with pytest.raises(ConfigError, match="another ledger's"):
        embedded_ledger(tmp_path, channel="bal")
    with pytest.raises(ConfigError, match="number=0"):
        embedded_ledger(tmp_path, seed=b"\1" * 32)
    with pytest.raises(ConfigError, match="number=0"):
        embedded_ledger(tmp_path, consensus=Consensus.BFT)


def test_a_genesis_of_another_kind_is_refused():
    with pytest.raises(ConfigError, match="write kind fabric"):
        EmbeddedFabric(replace(fabric_genesis(), kind="cometbft"), SEED)


@pytest.mark.parametrize("consensus", list(Consensus))
def test_the_same_story_gives_the_same_bytes(consensus):
    async def story():
        ledger = await begun(consensus=consensus)
        for n in range(3):
            await ledger.submit(f"household {n}", [pay(f"household {n}", "relayer", 1)])
        await ledger.advance(START_S + 15)
        blocks = [ledger.network.block(number) for number in range(ledger.network.height + 1)]
        return sha256(b"".join(blocks)).digest(), await ledger.state_root()

    assert run(story()) == run(story())


def test_every_name_has_a_lane_of_its_own():
    ledger = embedded_ledger()
    assert ledger.lane_account("relayer") == key("relayer").cosmos_account
    assert len({ledger.lane_account(name) for name in NAMES}) == len(NAMES)
