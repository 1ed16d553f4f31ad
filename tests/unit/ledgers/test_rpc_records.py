"""CometBFT's JSON, read to the last nanosecond."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading

import pytest

from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.ledgers.tendermint.rpc import CometRpc
from tieline.ledgers.tendermint.rpc_records import (
    committed_of,
    events_of,
    merkle_proof_of,
    signed_header_of,
    time_ns_of,
    validators_of,
)
from tieline.protocol.events import Event
from tieline.wire.cometbft import NO_TIME_NS


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("2026-11-21T16:21:58.853123456Z", 1_795_278_118_853_123_456),
        ("2026-11-21T16:21:58.8Z", 1_795_278_118_800_000_000),
        ("2026-11-21T16:21:58Z", 1_795_278_118_000_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("0001-01-01T00:00:00Z", NO_TIME_NS),
    ],
)
def test_times_keep_their_nanoseconds(text, time_ns):
    assert time_ns_of(text) == time_ns


@pytest.mark.parametrize("text", ["", "2026-11-21", "2026-11-21T16:21:58+01:00", "now"])
def test_what_is_no_time_of_the_rpc_is_refused(text):
    with pytest.raises(ValueError, match="not a time"):
        time_ns_of(text)


def test_answers_without_sense_are_unavailable():
    for raw in ({}, {"signed_header": None}, {"signed_header": {"header": 7, "commit": {}}}):
        with pytest.raises(Unavailable):
            signed_header_of(raw, 1)
    for raw in ({}, {"validators": [], "total": "0"}, {"validators": [{}], "total": "1"}):
        with pytest.raises(Unavailable):
            validators_of(raw)
    for raw in ({}, {"proofOps": None}, {"proofOps": {"ops": [{"type": "ics23:iavl"}]}}):
        with pytest.raises(Unavailable):
            merkle_proof_of(raw)
    for raw in ({}, {"response": {"data": "a-1", "last_block_height": "x"}}):
        with pytest.raises(Unavailable):
            committed_of(raw)


def test_events_are_ours_again():
    raw = [{"type": "send_packet", "attributes": [{"key": "a", "value": "1", "index": True}]}]
    assert events_of(raw) == (Event("send_packet", (("a", "1"),)),)
    assert events_of(None) == ()
    assert events_of([{"type": "x", "attributes": None}]) == (Event("x", ()),)


@pytest.fixture
def answering():
    """An HTTP server that answers what a test says, and CometRpc to it."""
    answers = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True  # without a word, as an engine closes idle ones

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    rpc = CometRpc("127.0.0.1", server.server_port)
    yield rpc, answers
    rpc.close()
    server.shutdown()
    thread.join()
    server.server_close()


def error(message, data):
    return 500, json.dumps({"error": {"code": -1, "message": message, "data": data}}).encode()


def test_errors_are_sorted_by_what_to_do(answering):
    rpc, answers = answering
    later = "height 9 must be less than or equal to the current blockchain height 8"
    for answer, expected in (
        (error("Internal error", later), NotYet),
        (error("Internal error", "tx already exists in cache"), Rejected),
        (error("Internal error", "mempool is full: number of txs 5000"), Rejected),
        (error("Internal error", "something else"), Unavailable),
        ((200, b"not json"), Unavailable),
        ((200, b"[1]"), Unavailable),
        ((200, b'{"result": 7}'), Unavailable),
    ):
        answers[:] = [answer]
        with pytest.raises(expected):
            rpc.call_now("status")


def test_many_calls_go_in_few_requests_and_keep_their_order(answering):
    rpc, answers = answering
    body = [{"id": n, "result": {"n": n}} for n in reversed(range(10))]
    last = {"id": 0, "result": {"n": 10}}  # a list of one is answered without its list
    answers[:] = [(200, json.dumps(body).encode()), (200, json.dumps(last).encode())]
    results = asyncio.run(rpc.call_many("abci_query", [{}] * 11))
    assert results == [{"n": n} for n in range(11)]


@pytest.mark.parametrize("body", [b'{"result": {}}', b'[{"id": 0, "result": {}}]', b"[1, 2]"])
def test_an_answer_that_lacks_a_call_is_none(answering, body):
    rpc, answers = answering
    answers.append((200, body))
    with pytest.raises(Unavailable):
        asyncio.run(rpc.call_many("abci_query", [{}] * 2))


def test_a_connection_that_was_closed_meanwhile_is_opened_again(answering):
    rpc, answers = answering
    for number in range(3):
        answers[:] = [(200, json.dumps({"result": {"n": number}}).encode())]
        assert rpc.call_now("status") == {"n": number}


def test_a_broadcast_is_never_repeated_unasked(answering):
    """It may have gone in; the caller looks before it sends again."""
    rpc, answers = answering
    answers[:] = [(200, b'{"result": {}}')]
    rpc.call_now("status")
    answers[:] = [(200, b'{"result": {}}')]
    with pytest.raises(Unavailable):
        rpc.call_now("broadcast_tx_sync")


def test_nobody_there_is_unavailable():
    with pytest.raises(Unavailable):
        CometRpc("127.0.0.1", 1).call_now("status")
