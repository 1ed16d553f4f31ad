"""
A peer that lies in one leaf of one answer: what it tells moves no client and shows nothing false.
"""

from __future__ import annotations

import asyncio

import pytest
from fakes.lying_peer import KEYS, MISSING, HonestPeer, LyingPeer, as_base64, leaves
from fakes.signing_chain import START_NS, DictStore

from tieline.interfaces.errors import HubError
from tieline.ledgers.tendermint.comet_reader import CometReader
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.verified import verify_stored
from tieline.protocol.errors import ProtocolError
from tieline.protocol.height import Height
from tieline.wire.errors import Malformed

CLIENT = TendermintClient()
NOW_NS = START_NS + 40 * 10**9
HONEST = HonestPeer()
PREFIX = (b"ibc", b"")
QUERY = {"path": "/store/ibc/key", "height": "11", "prove": True}

COMMIT = asyncio.run(HONEST.call("commit", height="12"))
LATER = asyncio.run(HONEST.call("commit", height="13"))
VALIDATORS = asyncio.run(HONEST.call("validators", height="12", page="1", per_page="100"))
PRESENT = asyncio.run(HONEST.call("abci_query", data=KEYS[3].hex(), **QUERY))
ABSENT = asyncio.run(HONEST.call("abci_query", data=MISSING.hex(), **QUERY))


def begun():
    """A client that trusts height 10 of the honest chain."""
    store, chain = DictStore(), HONEST.chain
    CLIENT.initialise(store, chain.client_state(10).as_any(), chain.consensus_state(10).as_any())
    return store


def updated(peer, height):
    """What the client holds after it was shown the peer's header; None if nothing came of it."""
    store = begun()
    before = dict(store)
    try:
        message = asyncio.run(CometReader("micro-1", peer).header(height, 10))
        CLIENT.update(store, message, NOW_NS)
    except (HubError, ProtocolError, Malformed):
        assert store == before
        return None
    return dict(store)


def shown(peer, key):
    """The value, or absence as b"", that the client believes in; None if it believes nothing."""
    store = begun()
    message = asyncio.run(CometReader("micro-1", HONEST).header(12, 10))
    CLIENT.update(store, message, NOW_NS)
    try:
        (entry,) = asyncio.run(CometReader("micro-1", peer).prove_many([key], 11))
        return verify_stored(CLIENT, store, entry, PREFIX).value.value or b""
    except (HubError, ProtocolError, Malformed):
        return None


def test_an_honest_peer_is_believed():
    for height in (11, 12):
        store = updated(HONEST, height)
        assert CLIENT.latest_height(DictStore(store)) == Height(1, height)
    assert shown(HONEST, KEYS[3]) == bytes([4]) * 32
    assert shown(HONEST, MISSING) == b""


@pytest.mark.parametrize("height", [11, 12])
@pytest.mark.parametrize("way", list(leaves(COMMIT)), ids=str)
def test_a_lie_about_a_header_or_its_commit_moves_no_client(way, height):
    """A spoiled vote that is not needed is no lie: the header is the true one all the same."""
    honest = updated(HONEST, height)
    found = updated(LyingPeer("commit", way), height)
    spares = way[:3] == ("signed_header", "commit", "signatures")
    harmless = way == ("canonical",) or spares
    assert found is None or (harmless and found == honest)
    if spares and way[3] < 3 and way[-1] != "block_id_flag":
        assert found is None, "a vote that counts"


@pytest.mark.parametrize("height", [11, 12])
@pytest.mark.parametrize("way", list(leaves(VALIDATORS)), ids=str)
def test_a_lie_about_validators_moves_no_client(way, height):
    found = updated(LyingPeer("validators", way), height)
    is_read = way[-1] in {"value", "voting_power"} or way == ("total",)
    assert found == (None if is_read else updated(HONEST, height))


WHOLE_LIES = [
    ("commit", lambda _: LATER),
    ("commit", lambda answer: {**answer, "signed_header": None}),
    ("commit", lambda _: {}),
    ("validators", lambda answer: {**answer, "validators": answer["validators"][:3], "total": "3"}),
    ("validators", lambda answer: {**answer, "validators": answer["validators"][::-1]}),
    (
        "validators",
        lambda answer: {**answer, "validators": answer["validators"] * 2, "total": "8"},
    ),
    ("validators", lambda answer: {**answer, "validators": []}),
]


@pytest.mark.parametrize(("method", "lie"), WHOLE_LIES)
def test_another_answer_than_asked_for_moves_no_client(method, lie):
    assert updated(LyingPeer(method, lie), 12) is None


@pytest.mark.parametrize("key", [KEYS[3], MISSING])
@pytest.mark.parametrize("way", list(leaves(PRESENT)), ids=str)
def test_a_lie_about_a_value_or_its_proof_shows_nothing_false(way, key):
    """What is not read, the proof says as well; where the two differ nothing is shown."""
    truth = shown(HONEST, key)
    found = shown(LyingPeer("abci_query", way), key)
    is_read = way[-1] in {"code", "type", "data", "value"}
    assert found == (None if is_read else truth)


def _swapped(answer):
    answer["response"]["proofOps"]["ops"].reverse()
    return answer


def _longer(answer):
    answer["response"]["proofOps"]["ops"] *= 2
    return answer


def _shorter(answer):
    answer["response"]["proofOps"]["ops"].pop()
    return answer


def _cut(answer):
    operation = answer["response"]["proofOps"]["ops"][0]
    operation["data"] = as_base64(b"\x0a\x00")
    return answer


@pytest.mark.parametrize(
    "lie",
    [lambda _: PRESENT, lambda _: ABSENT, _swapped, _longer, _shorter, _cut, lambda _: {}],
)
@pytest.mark.parametrize("key", [KEYS[2], b"07-tendermint-0\x01\x01"])
def test_the_proof_of_another_key_or_with_other_operations_shows_nothing(lie, key):
    assert shown(LyingPeer("abci_query", lie), key) is None
