"""Many transactions of one account under way: in order, counted, and never twice."""

from __future__ import annotations

import asyncio

import pytest
from fakes.comet_chain import CHAIN_ID, CometChain, FakePeer, Mempool

from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.ledgers.tendermint.endpoints import CometEndpoints
from tieline.ledgers.tendermint.lane_queue import ATTEMPTS_MAX, LaneQueue


class Lane:
    """A queue to a peer's mempool, and what the ledger has committed."""

    def __init__(self, *peers, stored=0):
        self.stored = stored
        self.reads = 0
        self.signed = []
        self.queue = LaneQueue(CometEndpoints(CHAIN_ID, peers), self.read, bytes_max=1000)

    async def read(self):
        self.reads += 1
        await asyncio.sleep(0)  # a real one takes its time too, and others come meanwhile
        return self.stored

    def sign(self, word):
        def sign(sequence):
            self.signed.append((sequence, word))
            return b"%d %s" % (sequence, word.encode())

        return sign

    async def submit(self, *words):
        """Hand in all at once; return what came of each."""
        return await asyncio.gather(
            *(self.queue.submit(self.sign(word)) for word in words), return_exceptions=True
        )

    def run(self, *words):
        return asyncio.run(self.submit(*words))


def peer_with(expected=0, name="peer"):
    peer = FakePeer(CometChain().grow(()), name)
    peer.mempool = Mempool(expected)
    return peer


def words(peer):
    return [raw.decode() for raw in peer.mempool.taken]


def requests(peer):
    return [len(one) for one in peer.asked if "broadcast_tx_sync" in one]


def test_transactions_go_in_in_order_ten_a_request_and_the_sequence_is_read_once():
    peer = peer_with(7)
    lane = Lane(peer, stored=7)
    results = lane.run(*(f"t{n}" for n in range(25)))
    assert words(peer) == [f"{7 + n} t{n}" for n in range(25)]
    assert all(one.tx_hash for one in results)
    assert len(requests(peer)) <= 4
    lane.run("last")
    assert words(peer)[-1] == "32 last"
    assert lane.reads == 1


def test_what_waits_in_the_mempool_from_before_is_counted():
    """Another process of the same account has handed in what is in no block yet."""
    peer = peer_with(9)
    lane = Lane(peer, stored=7)
    lane.run("a", "b")
    assert words(peer) == ["9 a", "10 b"]


def test_after_the_engine_has_lost_its_mempool_sequences_are_taken_again():
    peer = peer_with()
    lane = Lane(peer)
    lane.run("a", "b", "c")
    peer.mempool.forget()
    lane.run("d", "e")
    assert words(peer) == ["0 d", "1 e"], "what was lost is never sent again by itself"


def test_what_a_peer_forgot_to_check_again_after_a_block_is_not_sent_twice():
    """A mempool without recheck: what waits from before a block is unknown to its checks."""
    peer = peer_with()
    lane = Lane(peer)
    lane.run("a", "b")
    peer.mempool.expected = 0  # a block came without them
    (result,) = lane.run("c")
    assert isinstance(result, NotYet)
    assert words(peer) == ["0 a", "1 b"], "a second transaction of a sequence could take its place"
    peer.mempool.forget(2)  # the next block has them
    lane.stored = 2
    (result,) = lane.run("c")
    assert words(peer) == ["2 c"], result


def test_a_refused_transaction_holds_no_sequence_and_the_others_go_on():
    peer = peer_with()
    lane = Lane(peer)
    results = lane.run("a", "bad", "b", "bad", "c")
    assert words(peer) == ["0 a", "1 b", "2 c"]
    refused = [one for one in results if isinstance(one, Rejected)]
    assert [(one.codespace, one.code) for one in refused] == [("sdk", 5)] * 2


def test_a_transaction_that_is_too_large_is_refused_with_the_figure_and_not_sent():
    peer = peer_with()
    lane = Lane(peer)
    results = lane.run("a", "x" * 1000, "b")
    assert words(peer) == ["0 a", "1 b"]
    assert (results[1].codespace, results[1].code) == ("sdk", 21)
    assert "bytes=1002 most=1000" in str(results[1])


def test_a_request_stays_below_what_an_engine_takes(monkeypatch):
    monkeypatch.setattr("tieline.ledgers.tendermint.lane_queue.REQUEST_BYTES_MAX", 1500)
    peer = peer_with()
    lane = Lane(peer)
    lane.run(*("y" * 600 for _ in range(6)))
    assert len(words(peer)) == 6
    assert max(requests(peer)) == 2


def test_a_full_mempool_is_later_and_loses_no_count():
    peer = peer_with()
    peer.mempool.room = 2
    lane = Lane(peer)
    results = lane.run("a", "b", "c", "d")
    assert [type(one) for one in results[2:]] == [NotYet, NotYet]
    peer.mempool.room = 9
    lane.run("e")
    assert words(peer) == ["0 a", "1 b", "2 e"]


def test_what_an_unanswered_request_held_is_unknown_and_not_sent_again():
    peer = peer_with()
    lane = Lane(peer)
    lane.run("a")
    peer.is_dead = True
    results = lane.run("b", "c")
    assert [type(one) for one in results] == [Unavailable, Unavailable]
    peer.is_dead = False
    lane.run("d")
    assert words(peer) == ["0 a", "1 d"]


def took_it_and_died(peer):
    """Make a peer take the next transactions without answering."""
    batch = peer.batch

    async def silent(calls):
        if calls[0].method != "broadcast_tx_sync":
            return await batch(calls)
        await batch(calls)
        peer.batch = batch
        raise Unavailable("no answer")

    peer.batch = silent


def test_another_peer_is_given_the_same_transaction_which_is_in_its_cache():
    first, second = peer_with(name="first"), peer_with(name="second")
    second.mempool = first.mempool  # they gossip
    lane = Lane(first, second)
    took_it_and_died(first)
    (result,) = lane.run("a")
    assert result.tx_hash
    assert words(first) == ["0 a"]
    lane.run("b")
    assert words(first) == ["0 a", "1 b"]


def test_if_the_sequence_may_be_used_by_the_very_transaction_it_is_not_signed_again():
    """The first took it, it is in a block by now, and the second has forgotten its cache."""
    first, second = peer_with(name="first"), peer_with(1, name="second")
    lane = Lane(first, second)
    took_it_and_died(first)
    (result,) = lane.run("a")
    assert isinstance(result, Unavailable)
    assert "not known whether it went in" in str(result)
    assert words(second) == []
    lane.stored = 1
    lane.run("b")
    assert words(second) == ["1 b"]


def test_a_peer_that_is_behind_does_not_bring_old_sequences_back():
    peer = peer_with(5)
    lane = Lane(peer, stored=5)
    lane.run("a")
    lane.stored = 6
    peer.mempool.forget(expected=3)
    (result,) = lane.run("b")
    assert isinstance(result, NotYet)
    assert "expects sequence 3, stored is 6" in str(result)
    assert words(peer) == []


def test_a_sequence_that_is_refused_again_and_again_is_told():
    peer = peer_with()

    def contrary(raw):
        got = int(raw.partition(b" ")[0])
        log = f"account sequence mismatch, expected {got + 1}, got {got}: incorrect"
        return {"code": 32, "codespace": "sdk", "log": log}

    peer.mempool.check = contrary
    lane = Lane(peer)
    (result,) = lane.run("a")
    assert (result.codespace, result.code) == ("sdk", 32)
    assert len(lane.signed) == ATTEMPTS_MAX


def test_a_transaction_that_cannot_be_signed_is_its_callers_alone():
    peer = peer_with()
    lane = Lane(peer)

    def broken(_sequence):
        raise KeyError("no such field")

    async def story():
        return await asyncio.gather(
            lane.queue.submit(broken), lane.queue.submit(lane.sign("a")), return_exceptions=True
        )

    failed, sent = asyncio.run(story())
    assert isinstance(failed, KeyError)
    assert sent.tx_hash
    assert words(peer) == ["0 a"]


def test_who_gives_up_waiting_sends_nothing():
    peer = peer_with()
    lane = Lane(peer)
    lane.run("a")
    go_on = asyncio.Event()
    batch = peer.batch

    async def slow(calls):
        await go_on.wait()
        return await batch(calls)

    async def story():
        peer.batch = slow
        first = asyncio.create_task(lane.queue.submit(lane.sign("b")))
        second = asyncio.create_task(lane.queue.submit(lane.sign("c")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await first
        with pytest.raises(asyncio.CancelledError):
            await second

    asyncio.run(story())
    assert words(peer) == ["0 a", "1 b"]


def test_who_gives_up_in_the_middle_leaves_the_others_in_doubt_and_no_count_wrong():
    peer = peer_with()
    lane = Lane(peer)
    lane.run("a")
    reached = asyncio.Event()
    batch = peer.batch

    async def stuck(calls):
        reached.set()
        await asyncio.Event().wait()

    async def story():
        peer.batch = stuck
        tasks = [asyncio.create_task(lane.queue.submit(lane.sign(word))) for word in "bcd"]
        await reached.wait()
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        peer.batch = batch
        return await asyncio.gather(*tasks, return_exceptions=True)

    lane.stored = 1
    first, *others = asyncio.run(story())
    assert isinstance(first, asyncio.CancelledError)
    assert all(one.tx_hash for one in others), "what was not on the way yet goes on"
    assert [one.partition(" ")[2] for one in words(peer)] == ["a", "c", "d"]
    assert lane.reads == 2, "what was counted is not believed any more"


def test_what_was_on_the_way_with_it_is_unknown_to_the_others():
    peer = peer_with()
    lane = Lane(peer)
    reached = asyncio.Event()

    async def stuck(calls):
        reached.set()
        await asyncio.Event().wait()

    async def story():
        tasks = [asyncio.create_task(lane.queue.submit(lane.sign(word))) for word in "abc"]
        await asyncio.sleep(0)  # all three wait by now
        peer.batch = stuck
        await reached.wait()
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = asyncio.run(story())
    assert isinstance(first, asyncio.CancelledError)
    assert [type(one) for one in others] == [Unavailable, Unavailable]
