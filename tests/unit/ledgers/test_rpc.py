"""JSON-RPC at one address: connections, batches, and errors sorted by what to do."""

from __future__ import annotations

import asyncio
import json
import socket
import threading

import pytest
from fakes.comet_server import RpcError, comet_server

from tieline.interfaces.errors import ConfigError, HubError, NotYet, Pruned, Rejected, Unavailable
from tieline.ledgers.tendermint.http_reply import REPLY_BYTES_MAX, BadReply, HttpReply
from tieline.ledgers.tendermint.rpc import BATCH_MAX, Call, CometRpc


def echo(method, parameters):
    if "fails" in parameters:
        raise RpcError(parameters["fails"])
    return {"method": method, **parameters}


@pytest.fixture
def server():
    with comet_server(echo) as running:
        yield running


@pytest.fixture
def rpc(server):
    rpc = CometRpc("127.0.0.1", server.server_port, timeout_s=5.0)
    yield rpc
    rpc.close()


LATER = "height 9 must be less than or equal to the current blockchain height 8"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (LATER, NotYet),
        ("could not find results for height #9", NotYet),
        ("mempool is full: number of txs 5000 (max: 5000)", NotYet),
        ("height 3 is not available, lowest height is 7", Pruned),
        ("tx already exists in cache", Rejected),
        ("something else", Unavailable),
    ],
)
def test_errors_are_sorted_by_what_to_do(rpc, reason, expected):
    with pytest.raises(expected) as caught:
        asyncio.run(rpc.call("block", fails=reason))
    assert type(caught.value) is expected
    with pytest.raises(expected):
        rpc.call_now("block", fails=reason)


@pytest.mark.parametrize("body", [b"not json", b"[1]", b"{}", b'{"result": 7}', b"[]"])
def test_what_is_no_answer_is_unavailable(server, rpc, body):
    server.raw[:] = [body, body]
    with pytest.raises(Unavailable):
        asyncio.run(rpc.call("status"))
    with pytest.raises(Unavailable):
        rpc.call_now("status")


def test_a_transaction_that_is_too_large_for_the_mempool_is_refused(rpc):
    reason = "Tx too large. Max size is 1048576, but got 1048577"
    with pytest.raises(Rejected) as caught:
        asyncio.run(rpc.call("broadcast_tx_sync", fails=reason))
    assert (caught.value.codespace, caught.value.code) == ("sdk", 21)


def test_one_connection_carries_call_after_call_and_outlives_a_loop(server, rpc):
    async def thrice():
        return [(await rpc.call("status", n=str(n)))["n"] for n in range(3)]

    assert asyncio.run(thrice()) == ["0", "1", "2"]
    assert asyncio.run(thrice()) == ["0", "1", "2"]
    assert server.connections == 1


def test_calls_at_the_same_time_have_connections_of_their_own(server, rpc):
    async def together():
        return await asyncio.gather(*(rpc.call("status", n=str(n)) for n in range(5)))

    assert [one["n"] for one in asyncio.run(together())] == list("01234")
    assert server.connections <= 5


def test_a_connection_that_was_closed_meanwhile_is_opened_again(server, rpc):
    """CometBFT closes idle ones without a word; a broadcast must not suffer from that."""
    server.closes_silently = True
    for number in range(3):
        answer = asyncio.run(rpc.call("broadcast_tx_sync", n=str(number)))
        assert answer["n"] == str(number)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_batch_keeps_its_order_and_each_call_its_outcome(server, rpc, is_chunked):
    server.is_chunked = is_chunked
    calls = [Call("block", {"height": str(n)}) for n in range(BATCH_MAX + 3)]
    calls[4] = Call("block", {"fails": LATER})
    outcomes = asyncio.run(rpc.batch(calls))
    assert isinstance(outcomes.pop(4), NotYet)
    assert [one["height"] for one in outcomes] == [str(n) for n in range(13) if n != 4]
    assert [len(one) for one in server.requests] == [BATCH_MAX, 3]


def test_large_answers_come_one_by_one_so_that_only_one_is_in_memory(server, rpc):
    def shorten(one):
        return {**one, "height": one["height"][:1]} if "height" in one else one

    calls = [Call("block", {"height": f"{n}0"}) for n in range(3)]
    outcomes = asyncio.run(rpc.batch(calls, shorten))
    assert [one["height"] for one in outcomes] == ["0", "1", "2"]
    assert [len(one) for one in server.requests] == [1, 1, 1]


def test_a_batch_that_is_refused_as_a_whole_has_an_error_for_each_call(server, rpc):
    server.raw[:] = [json.dumps({"id": -1, "error": {"message": "too many", "data": ""}}).encode()]
    outcomes = asyncio.run(rpc.batch([Call("status"), Call("status")]))
    assert [type(one) for one in outcomes] == [Unavailable, Unavailable]


def test_many_calls_of_one_method_are_all_answered_or_none(rpc):
    wanted = [{"n": n} for n in range(BATCH_MAX + 1)]
    results = asyncio.run(rpc.call_many("abci_query", wanted))
    assert results == [{"method": "abci_query"} | one for one in wanted]
    with pytest.raises(NotYet):
        asyncio.run(rpc.call_many("abci_query", [*wanted, {"fails": LATER}]))


def test_an_answer_that_is_missing_in_a_batch_is_not_made_up(server, rpc):
    server.raw[:] = [json.dumps([{"id": 1, "result": {"n": 1}}]).encode()]
    first, second = asyncio.run(rpc.batch([Call("status"), Call("status")]))
    assert isinstance(first, HubError)
    assert second == {"n": 1}


def test_silence_ends_in_time_and_leaves_nothing_open():
    """A peer that was stopped still accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        rpc = CometRpc("127.0.0.1", listening.getsockname()[1], timeout_s=0.05)
        with pytest.raises(Unavailable, match="no answer"):
            asyncio.run(rpc.call("status"))
        with pytest.raises(Unavailable, match="no answer"):
            rpc.call_now("status")
        assert not rpc._idle


def test_a_peer_that_closes_in_the_middle_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def cut():
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")

        thread = threading.Thread(target=cut)
        thread.start()
        rpc = CometRpc("127.0.0.1", listening.getsockname()[1])
        with pytest.raises(Unavailable, match="closed early"):
            asyncio.run(rpc.call("status"))
        thread.join()


def test_nobody_there_is_unavailable():
    with pytest.raises(Unavailable):
        CometRpc("127.0.0.1", 1).call_now("status")
    with pytest.raises(Unavailable):
        asyncio.run(CometRpc("127.0.0.1", 1).call("status"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:26657", "127.0.0.1:26657"),
        ("tcp://peer.example:26657", "peer.example:26657"),
        ("peer.example:26657", "peer.example:26657"),
    ],
)
def test_addresses_are_read_as_cosmos_tools_write_them(address, expected):
    assert CometRpc.parse(address).address == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "peer",
        "https://peer:443",
        "http://peer",
        "http://peer:x",
        "http://p:1/rpc",
        "http://[::1",
        "p q:1",
    ],
)
def test_what_is_no_address_says_what_to_write(address):
    with pytest.raises(ConfigError, match="write http://HOST:PORT"):
        CometRpc.parse(address)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"
REPLIES = [
    (OK + b"Content-Length: 5\r\n\r\nhello", b"hello"),
    (OK + b"transfer-encoding: chunked\r\n\r\n" + CHUNKS, b"hello"),
    (b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", b""),
]


@pytest.mark.parametrize(("raw", "body"), REPLIES)
def test_a_reply_is_the_same_however_it_is_cut(raw, body):
    for size in range(1, len(raw) + 1):
        reply = HttpReply()
        pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
        assert [reply.feed(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        assert reply.body == body
        assert reply.keeps_open


def test_without_a_length_a_reply_ends_with_its_connection():
    reply = HttpReply()
    assert not reply.feed(b"HTTP/1.1 200 OK\r\n\r\nhel")
    assert not reply.feed(b"lo")
    assert reply.feed(b"")
    assert reply.body == b"hello"
    assert not reply.keeps_open


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP",
        b"x" * 70_000,
    ],
)
def test_a_reply_that_makes_no_sense_is_refused(raw):
    with pytest.raises(BadReply):
        HttpReply().feed(raw)


def test_a_reply_without_end_is_refused():
    reply = HttpReply()
    reply.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(BadReply, match="too long"):
        reply.feed(bytes(REPLY_BYTES_MAX))
