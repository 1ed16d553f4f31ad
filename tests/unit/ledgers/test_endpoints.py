"""Several peers of one ledger: the next when one fails, none that contradicts what was seen."""

from __future__ import annotations

import asyncio

import pytest
from fakes.comet_chain import CHAIN_ID, CometChain, FakePeer

from tieline.interfaces.errors import ConfigError, Contradicted, NotYet, Pruned, Unavailable
from tieline.ledgers import endpoints as module
from tieline.ledgers.tendermint.comet_reader import CometReader
from tieline.ledgers.tendermint.endpoints import CometEndpoints


@pytest.fixture
def clock(monkeypatch):
    """The time that endpoints see, by hand."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def chain():
    return CometChain().grow(*[()] * 10)


def reader_of(*peers):
    return CometReader(CHAIN_ID, CometEndpoints(CHAIN_ID, peers))


def run(coroutine):
    return asyncio.run(coroutine)


def aside(reader):
    return [one.address for one in reader.endpoints if one.is_aside]


def used(reader):
    return [one.address for one in reader.endpoints if one.is_used]


def test_the_next_peer_answers_for_one_that_does_not(chain):
    first, second = FakePeer(chain, "first"), FakePeer(chain, "second")
    reader = reader_of(first, second)
    assert run(reader.latest_height()) == 10
    first.is_dead = True
    assert run(reader.latest_height()) == 10
    assert used(reader) == ["second"]
    silent = reader.endpoints[0]
    assert not silent.is_aside
    assert "no answer" in silent.reason


def test_a_silent_peer_is_left_alone_for_longer_each_time(chain, clock):
    first, second = FakePeer(chain, "first"), FakePeer(chain, "second")
    first.is_dead = True
    reader = reader_of(first, second)
    asked = []
    for _ in range(200):
        clock.now += 0.1
        run(reader.latest_height())
        asked.append(len(first.asked))
    assert 2 <= asked[-1] <= 10
    first.is_dead = False
    clock.now += 60
    run(reader.latest_height())
    assert reader.endpoints[0].reason == ""


def test_if_all_are_silent_that_is_said(chain):
    peers = [FakePeer(chain, name) for name in ("first", "second")]
    reader = reader_of(*peers)
    for peer in peers:
        peer.is_dead = True
    for _ in range(3):
        with pytest.raises(Unavailable, match="no answer"):
            run(reader.latest_height())
    peers[1].is_dead = False
    assert run(reader.latest_height()) == 10


def test_the_highest_is_asked_when_the_first_falls_behind(chain, clock):
    first, second = FakePeer(chain, "first"), FakePeer(chain, "second")
    reader = reader_of(first, second)
    run(reader.latest_height())
    first.behind = 1
    chain.grow()
    clock.now += 60
    assert run(reader.latest_height()) == 11
    assert used(reader) == ["first"], "one block is the way between them"
    first.behind = 5
    chain.grow(*[()] * 5)
    clock.now += 60
    assert run(reader.latest_height()) == 16
    assert used(reader) == ["second"]
    assert aside(reader) == []


def test_heights_never_go_back(chain):
    """A peer that has stopped moving is no reason to forget what another one has told."""
    first, second = FakePeer(chain, "first"), FakePeer(chain, "second", behind=4)
    reader = reader_of(first, second)
    assert run(reader.latest_height()) == 10
    first.is_dead = True
    assert [run(reader.latest_height()) for _ in range(3)] == [10] * 3
    second.behind = 0
    chain.grow()
    assert run(reader.latest_height()) == 11


def test_a_peer_of_another_ledger_is_put_aside(chain):
    stranger = FakePeer(CometChain("stranger-1").grow(*[()] * 50), "stranger")
    reader = reader_of(stranger, FakePeer(chain, "own"))
    assert run(reader.latest_height()) == 10
    assert aside(reader) == ["stranger"]
    assert "another ledger answers at stranger: 'stranger-1', not 'faked-1'" in (
        reader.endpoints[0].reason
    )
    alone = reader_of(stranger)
    with pytest.raises(Contradicted, match="another ledger answers"):
        run(alone.latest_height())
    before = len(stranger.asked)
    with pytest.raises(Contradicted, match="no peer of faked-1 is believed: stranger: another"):
        run(alone.latest_height())
    assert len(stranger.asked) == before


def test_a_peer_that_becomes_another_ledgers_is_found_out_when_it_answers_again(chain, clock):
    peer = FakePeer(chain, "peer")
    reader = reader_of(peer)
    run(reader.latest_height())
    peer.is_dead = True
    with pytest.raises(Unavailable):
        run(reader.latest_height())
    peer.is_dead, peer.chain = False, CometChain("stranger-1").grow(*[()] * 50)
    with pytest.raises(Contradicted, match="another ledger"):
        run(reader.latest_height())


def test_a_height_that_goes_back_at_one_peer_puts_it_aside(chain):
    first, second = FakePeer(chain, "first"), FakePeer(chain, "second")
    reader = reader_of(first, second)
    run(reader.latest_height())
    first.behind = 1
    assert run(reader.latest_height()) == 10
    assert aside(reader) == ["first"]
    assert "from=10 to=9" in reader.endpoints[0].reason


def test_answers_that_overtake_one_another_are_no_height_that_goes_back(chain):
    peer = FakePeer(chain, "peer")
    reader = reader_of(peer)
    held = asyncio.Event()
    batch = peer.batch

    async def slow(calls, hook=None):
        outcomes = await batch(calls)
        if len(peer.asked) == 2:  # the first after the one that asks for the ledger's name
            await held.wait()
        return outcomes

    async def story():
        peer.batch = slow
        first = asyncio.create_task(reader.latest_height())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        chain.grow()
        assert await reader.latest_height() == 11
        held.set()
        assert await first == 11

    run(story())
    assert aside(reader) == []


def test_who_tells_a_height_must_have_its_block(chain):
    boaster = FakePeer(chain, "boaster")
    boaster.told_height = 10_000
    reader = reader_of(boaster, FakePeer(chain, "honest"))
    assert run(reader.latest_height()) == 10_000
    with pytest.raises(Unavailable):
        run(reader.latest_time_s())
    assert aside(reader) == ["boaster"]
    assert run(reader.latest_height()) == 10
    assert [one.height for one in run(reader.blocks_after(0))] == list(range(1, 11))


def test_another_block_than_was_seen_puts_its_peer_aside(chain, clock):
    """Looking round finds it, before anything is read from there."""
    forked = FakePeer(chain.fork(5), "forked")
    reader = reader_of(FakePeer(chain, "own"), forked)
    run(reader.blocks_after(0))
    clock.now += 60
    run(reader.latest_height())
    assert aside(reader) == ["forked"]
    assert "another block than was seen: height=10" in reader.endpoints[1].reason


def test_what_one_peer_has_pruned_another_may_have(chain):
    reader = reader_of(FakePeer(chain, "pruned", lowest=6), FakePeer(chain, "archive"))
    assert [one.height for one in run(reader.blocks_after(0))] == list(range(1, 11))
    assert used(reader) == ["pruned"]
    with pytest.raises(Pruned, match="blocks 1 to 5 of faked-1"):
        run(reader_of(FakePeer(chain, "pruned", lowest=3)).blocks_after(0))


def test_what_is_above_all_peers_is_not_there_yet(chain):
    reader = reader_of(FakePeer(chain, "first"), FakePeer(chain, "second"))
    with pytest.raises(NotYet):
        run(reader.header(11, 1))
    with pytest.raises(NotYet):
        run(reader.prove(b"key", 10))


def test_peers_are_named_at_least_one_and_each_once(chain):
    for peers in ((), (FakePeer(chain, "one"), FakePeer(chain, "one"))):
        with pytest.raises(ConfigError, match="each once"):
            CometEndpoints(CHAIN_ID, peers)
