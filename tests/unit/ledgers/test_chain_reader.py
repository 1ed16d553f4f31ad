"""Blocks in order, each the parent of the next; what is missing or cannot be true is an error."""

from __future__ import annotations

import asyncio

import pytest
from fakes.comet_chain import CHAIN_ID, CometChain, FakePeer

from tieline.interfaces.errors import Contradicted, Pruned, Unavailable
from tieline.ledgers.tendermint.comet_reader import CometReader
from tieline.ledgers.tendermint.endpoints import CometEndpoints
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.rpc_records import events_of, once
from tieline.wire.codec import transaction_hash


@pytest.fixture
def chain():
    return CometChain().grow(*[(b"transaction %d" % n,) for n in range(23)])


def reader_of(*peers):
    return CometReader(CHAIN_ID, CometEndpoints(CHAIN_ID, peers))


def read(reader, after=0, limit=100):
    return asyncio.run(reader.blocks_after(after, limit))


def test_a_cursor_brings_every_block_once_whatever_the_limit(chain):
    for limit in (1, 4, 5, 6, 100):
        reader, cursor, seen = reader_of(FakePeer(chain)), 0, []
        while blocks := read(reader, cursor, limit):
            assert len(blocks) <= limit
            seen += blocks
            cursor = blocks[-1].height
        assert [one.height for one in seen] == list(range(1, 24))
        assert [one.transactions[0].tx_hash for one in seen] == [
            transaction_hash(b"transaction %d" % n) for n in range(23)
        ]


def test_blocks_are_read_five_a_request_and_once(chain):
    peer = FakePeer(chain)
    reader = reader_of(peer)
    read(reader)
    assert [len(one) for one in peer.asked if "block" in one] == [10, 10, 10, 10, 6]
    before = len(peer.asked)
    read(reader, 3)
    assert [one for one in peer.asked[before:] if "block" in one] == []


def test_a_cursor_above_the_ledger_is_told(chain):
    with pytest.raises(Unavailable, match="has 23 blocks and was read up to 24"):
        read(reader_of(FakePeer(chain)), 24)
    assert read(reader_of(FakePeer(chain)), 23) == []


def test_a_pruned_height_is_an_error_and_no_gap(chain):
    reader = reader_of(FakePeer(chain, lowest=4))
    with pytest.raises(Pruned, match="is not available, lowest height is 4"):
        read(reader)
    assert [one.height for one in read(reader, 3)] == list(range(4, 24))


def test_results_that_a_peer_does_not_keep_are_an_error_too(chain):
    peer = FakePeer(chain)

    def gone(_answer):
        from tieline.interfaces.errors import NotYet

        raise NotYet("could not find results for height #3")

    peer.changed["block_results", "3"] = gone
    with pytest.raises(Pruned, match=r"storage\.discard_abci_responses"):
        read(reader_of(peer))


def drop_one(answer):
    answer["block"]["data"]["txs"] = None
    return answer


def add_one(answer):
    answer["block"]["data"]["txs"].append("AAAA")
    return answer


def of_another_height(answer):
    answer["block"]["header"]["height"] = "9"
    return answer


def with_another_parent(answer):
    answer["block"]["header"]["last_block_id"]["hash"] = "00" * 32
    return answer


def of_another_ledger(answer):
    answer["block"]["header"]["chain_id"] = "other-1"
    return answer


def at_another_time(answer):
    answer["block"]["header"]["time"] = "2030-01-01T00:00:00Z"
    return answer


LIES = [
    (drop_one, Contradicted),
    (add_one, Contradicted),
    (of_another_height, Unavailable),
    (with_another_parent, Contradicted),
    (of_another_ledger, Contradicted),
    (at_another_time, Contradicted),
]


@pytest.mark.parametrize(("lie", "expected"), LIES)
def test_a_lie_about_a_block_is_found_out_and_the_truth_read_elsewhere(chain, lie, expected):
    liar = FakePeer(chain, "liar")
    liar.changed["block", "4"] = lie
    with pytest.raises(expected):
        read(reader_of(liar))
    reader = reader_of(liar, FakePeer(chain, "honest"))
    honest = read(reader_of(FakePeer(chain)))
    assert read(reader) == honest
    assert reader.endpoints[0].is_aside is (expected is Contradicted)


def test_results_without_their_block_are_no_answer(chain):
    peer = FakePeer(chain)
    peer.changed["block_results", "4"] = lambda answer: answer | {"txs_results": None}
    with pytest.raises(Unavailable):
        read(reader_of(peer))
    peer.changed["block_results", "4"] = lambda answer: answer | {"height": "5"}
    with pytest.raises(Unavailable):
        read(reader_of(peer))


def test_a_chain_that_goes_on_from_another_block_is_not_read_on(chain):
    """The peers that are left tell another history than the one that was delivered."""
    own = FakePeer(chain, "own")
    reader = reader_of(own, FakePeer(chain.fork(20), "forked"))
    read(reader)
    chain.grow()
    own.is_dead = True
    forked = reader._peers._endpoints[1].rpc.chain
    forked.grow(*[()] * 3)
    with pytest.raises(Contradicted, match="another block than was seen: height=23"):
        read(reader, 23)


def test_another_header_at_a_height_that_was_seen_is_found_out(chain):
    reader = reader_of(FakePeer(chain))
    read(reader)
    other = chain.fork(22).headers[22]
    assert other.last_block_id == chain.headers[22].last_block_id
    reader._chain.check_header(chain.headers[22])
    with pytest.raises(Contradicted, match="another block than was seen: height=23"):
        reader._chain.check_header(other)


def test_nothing_of_an_answer_that_contradicts_itself_is_remembered(chain):
    """Blocks 1 to 3 of the liar hang together; 4 does not fit them, so none of them counts."""
    liar = FakePeer(chain.fork(0), "liar")
    liar.changed["block", "4"] = with_another_parent
    reader = reader_of(liar, FakePeer(chain, "honest"))
    assert read(reader) == read(reader_of(FakePeer(chain)))


def packet_event(kind, sequence, client="07-tendermint-0"):
    pairs = {"packet_source_client": client, "packet_sequence": str(sequence), "packet_x": "y"}
    attributes = [{"key": key, "value": value} for key, value in pairs.items()]
    return {"type": kind, "attributes": attributes}


def test_a_packet_event_is_told_once_by_client_and_sequence():
    raw = [
        packet_event("recv_packet", 1),
        packet_event("recv_packet", 1),
        packet_event("recv_packet", 2),
        packet_event("write_acknowledgement", 1),
        packet_event("recv_packet", 1, "07-tendermint-1"),
        {"type": "message", "attributes": []},
        {"type": "message", "attributes": []},
    ]
    seen = set()
    kept = once(events_of(raw), seen)
    assert [one.type for one in kept] == [
        "recv_packet",
        "recv_packet",
        "write_acknowledgement",
        "recv_packet",
        "message",
        "message",
    ]
    assert once(events_of(raw[:2]), seen) == (), "nor in a later transaction of the block"


def test_a_transaction_is_found_by_its_hash_and_height(chain):
    reader = reader_of(FakePeer(chain))
    wanted = transaction_hash(b"transaction 7")
    height, result = asyncio.run(reader.inclusion(wanted, 3))
    assert (height, result.tx_hash, result.code) == (8, wanted, 0)
    assert asyncio.run(reader.inclusion(wanted, 8)) is None, "not above the height"
    assert asyncio.run(reader.inclusion(b"\x00" * 32, 0)) is None


def test_another_contract_behind_the_engine_is_told(chain):
    peer = FakePeer(chain)
    peer.application = "other-1"
    ledger = NativeTendermint(CHAIN_ID, CometEndpoints(CHAIN_ID, [peer]))
    with pytest.raises(Contradicted, match="another contract answers: 'other-1'"):
        asyncio.run(ledger.latest_height())
