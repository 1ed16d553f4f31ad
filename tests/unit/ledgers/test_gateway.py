"""The gateway over a contract in this process: methods, statuses, and REST made of the schemas."""

from __future__ import annotations

import asyncio
import json

import pytest
from cosmpy.protos.cosmos.bank.v1beta1 import query_pb2 as bank_pb2
from cosmpy.protos.cosmos.tx.v1beta1 import service_pb2, tx_pb2
from fakes.abci_engine import Engine
from fakes.comet_rpc import ContractRpc
from fakes.microgrid import key, pay

from tieline.ledgers.tendermint.gateway.gateway import Gateway
from tieline.ledgers.tendermint.gateway.grpc_door import height_of
from tieline.ledgers.tendermint.gateway.refusal import Refusal, Status
from tieline.ledgers.tendermint.gateway.rest_door import (
    BODY_BYTES_MAX,
    message_of,
    rest_application,
    routes,
)
from tieline.wire.bech32 import account_to_text

ANN = account_to_text(key("ann").cosmos_account)
TX = "/cosmos.tx.v1beta1.Service/"
BALANCE = "/cosmos.bank.v1beta1.Query/Balance"
MODES = service_pb2.BroadcastMode


@pytest.fixture
def rpc(tmp_path):
    engine = Engine(tmp_path / "state.sqlite")
    engine.block()
    yield ContractRpc(engine)
    engine.store.close()


@pytest.fixture
def ask(rpc):
    gateway = Gateway(rpc)

    def call(method, request, response_class, height=0):
        data = request if isinstance(request, bytes) else request.SerializeToString()
        answer = asyncio.run(gateway.answer(method, data, height))
        return response_class.FromString(answer.data)

    return call


@pytest.fixture
def rest(rpc):
    application = rest_application(Gateway(rpc))

    def call(verb, path, body=b"", headers=()):
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": verb,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in headers],
        }
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(application(scope, receive, send))
        content = b"".join(one.get("body", b"") for one in sent)
        told = dict(sent[0]["headers"])
        return sent[0]["status"], json.loads(content), told

    return call


def payment(rpc, amount=1):
    return rpc.engine.ledger.transaction("ann", pay("ann", "bob", amount))


def broadcast(raw, mode=MODES.BROADCAST_MODE_SYNC):
    return service_pb2.BroadcastTxRequest(tx_bytes=raw, mode=mode)


def test_a_query_goes_to_the_contract_and_back(ask):
    request = bank_pb2.QueryBalanceRequest(address=ANN, denom="neur")
    assert ask(BALANCE, request, bank_pb2.QueryBalanceResponse).balance.amount == str(10**12)


def test_a_transaction_is_handed_in_and_found(rpc, ask):
    raw = payment(rpc)
    sent = ask(TX + "BroadcastTx", broadcast(raw), service_pb2.BroadcastTxResponse).tx_response
    assert (sent.code, sent.height) == (0, 0)
    request = service_pb2.GetTxRequest(hash=sent.txhash.lower())
    found = ask(TX + "GetTx", request, service_pb2.GetTxResponse)
    assert (found.tx_response.height, found.tx_response.code) == (2, 0)
    assert found.tx_response.timestamp == "2027-01-15T08:00:02Z"
    assert found.tx.body.messages[0].type_url == "/cosmos.bank.v1beta1.MsgSend"
    assert found.tx_response.tx.Is(tx_pb2.Tx.DESCRIPTOR)
    again = ask(TX + "BroadcastTx", broadcast(raw), service_pb2.BroadcastTxResponse).tx_response
    assert (again.codespace, again.code, again.txhash) == ("sdk", 19, sent.txhash)


def test_a_broadcast_in_block_mode_waits_for_the_block(rpc, ask):
    request = broadcast(payment(rpc), MODES.BROADCAST_MODE_BLOCK)
    sent = ask(TX + "BroadcastTx", request, service_pb2.BroadcastTxResponse).tx_response
    assert (sent.code, sent.height) == (0, 2)


def test_a_full_mempool_is_a_code(rpc, ask):
    rpc.is_full = True
    request = broadcast(payment(rpc))
    sent = ask(TX + "BroadcastTx", request, service_pb2.BroadcastTxResponse).tx_response
    assert (sent.codespace, sent.code) == ("sdk", 20)


def test_a_transaction_reads_and_writes_the_same(rpc, ask):
    raw = payment(rpc)
    read = ask(
        TX + "TxDecode", service_pb2.TxDecodeRequest(tx_bytes=raw), service_pb2.TxDecodeResponse
    )
    written = ask(
        TX + "TxEncode", service_pb2.TxEncodeRequest(tx=read.tx), service_pb2.TxEncodeResponse
    )
    assert written.tx_bytes == raw


REFUSED = [
    # method, request, status, words
    (TX + "BroadcastTx", service_pb2.BroadcastTxRequest(mode=2), Status.INVALID_ARGUMENT, "empty"),
    (TX + "BroadcastTx", broadcast(b"x", 0), Status.INVALID_ARGUMENT, "unsupported return type"),
    (TX + "GetTx", service_pb2.GetTxRequest(), Status.INVALID_ARGUMENT, "cannot be empty"),
    (TX + "GetTx", service_pb2.GetTxRequest(hash="xy"), Status.INVALID_ARGUMENT, "not a tx hash"),
    (TX + "GetTx", service_pb2.GetTxRequest(hash="ab" * 32), Status.NOT_FOUND, "tx not found"),
    (TX + "GetTx", b"\xff", Status.INVALID_ARGUMENT, "not a cosmos.tx"),
    (TX + "GetTxsEvent", service_pb2.GetTxsEventRequest(), Status.INVALID_ARGUMENT, "query"),
    (TX + "TxDecode", service_pb2.TxDecodeRequest(), Status.INVALID_ARGUMENT, "empty"),
    (TX + "TxDecode", service_pb2.TxDecodeRequest(tx_bytes=b"\xff"), Status.INVALID_ARGUMENT, "tx"),
    (TX + "TxEncode", service_pb2.TxEncodeRequest(), Status.INVALID_ARGUMENT, "empty"),
    (TX + "GetBlockWithTxs", service_pb2.GetBlockWithTxsRequest(), Status.INVALID_ARGUMENT, "zero"),
    (TX + "Simulate", service_pb2.SimulateRequest(tx_bytes=b"x"), Status.UNKNOWN, "tx parse error"),
    (BALANCE, bank_pb2.QueryBalanceRequest(address="x"), Status.INVALID_ARGUMENT, "denom"),
    ("/a.B/C", b"", Status.UNIMPLEMENTED, "unknown query path"),
]


@pytest.mark.parametrize(("method", "request_", "status", "words"), REFUSED)
def test_what_cannot_be_answered_has_a_status(ask, method, request_, status, words):
    with pytest.raises(Refusal, match=words) as refusal:
        ask(method, request_, bank_pb2.QueryBalanceResponse)
    assert refusal.value.status is status


def test_a_peer_that_is_away_is_unavailable(rpc, ask):
    rpc.is_away = True
    with pytest.raises(Refusal) as refusal:
        ask(BALANCE, b"", bank_pb2.QueryBalanceResponse)
    assert refusal.value.status is Status.UNAVAILABLE


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "٣", "9" * 19])
def test_a_height_is_a_plain_number(text):
    with pytest.raises(Refusal):
        height_of(text)
    assert height_of(" 12 ") == 12


def test_every_route_has_one_verb_and_one_method():
    found = [(one.verb, one.path) for one in routes()]
    assert len(found) == len(set(found))
    assert ("GET", "/cosmos/bank/v1beta1/balances/{address}/by_denom") in found
    assert ("POST", "/cosmos/tx/v1beta1/txs") in found
    assert not [path for _, path in found if "=" in path]


def test_rest_is_grpc_in_json(rest):
    status, content, headers = rest(
        "GET", f"/cosmos/bank/v1beta1/balances/{ANN}/by_denom?denom=neur"
    )
    assert (status, content) == (200, {"balance": {"denom": "neur", "amount": str(10**12)}})
    assert headers[b"grpc-metadata-x-cosmos-block-height"] == b"1"
    status, content, _ = rest(
        "GET", f"/cosmos/bank/v1beta1/balances/{ANN}?pagination.limit=1&pagination.count_total=true"
    )
    assert (status, content["pagination"]["total"]) == (200, "1")
    assert rest("GET", "/cosmos/bank/v1beta1/supply")[1]["supply"][0]["denom"] == "neur"
    assert rest("GET", "/cosmos/bank/v1beta1/denoms_metadata/neur")[1]["metadata"]["name"] == "PAY"


def test_rest_takes_a_transaction(rpc, rest):
    import base64

    body = {"tx_bytes": base64.b64encode(payment(rpc)).decode(), "mode": "BROADCAST_MODE_SYNC"}
    status, content, _ = rest("POST", "/cosmos/tx/v1beta1/txs", json.dumps(body).encode())
    assert (status, content["tx_response"]["code"]) == (200, 0)
    name = content["tx_response"]["txhash"]
    status, content, _ = rest("GET", f"/cosmos/tx/v1beta1/txs/{name}")
    (message,) = content["tx"]["body"]["messages"]
    assert (message["@type"], message["amount"][0]["amount"]) == (
        "/cosmos.bank.v1beta1.MsgSend",
        "1",
    )
    types = [one["type"] for one in content["tx_response"]["events"]]
    assert types.count("transfer") == 1


BAD_REST = [
    ("GET", "/cosmos/bank/v1beta1/balances/x", b"", 400, "invalid address"),
    ("GET", "/cosmos/auth/v1beta1/accounts?pagination.limit=x", b"", 400, "cannot be read"),
    ("GET", "/cosmos/auth/v1beta1/accounts?pagination.key=YWI=", b"", 400, "pagination key"),
    ("GET", "/cosmos/auth/v1beta1/accounts?pagination.reverse=maybe", b"", 400, "cannot be read"),
    ("GET", "/cosmos/auth/v1beta1/accounts?pagination=5", b"", 400, "cannot be read"),
    ("POST", "/cosmos/tx/v1beta1/txs", b"{", 400, "cannot be read"),
    ("POST", "/cosmos/tx/v1beta1/txs", b"[" * 100_000, 400, "cannot be read"),
    ("POST", "/cosmos/tx/v1beta1/txs", b'{"tx_bytes":"%"}', 400, "empty"),
    ("POST", "/cosmos/tx/v1beta1/txs", b" " * (BODY_BYTES_MAX + 1), 400, "body above"),
    (
        "POST",
        "/cosmos/tx/v1beta1/simulate",
        b'{"tx":{"body":{"messages":[{"@type":"/x"}]}}}',
        400,
        "",
    ),
    ("GET", "/cosmos/gov/v1/proposals", b"", 404, ""),
    ("GET", "/cosmos/staking/v1beta1/validators", b"", 501, "unknown query path"),
]


@pytest.mark.parametrize(("verb", "path", "body", "status", "words"), BAD_REST)
def test_bad_requests_have_a_status_and_end_nothing(rest, verb, path, body, status, words):
    import re

    found, content, _ = rest(verb, path, body)
    assert found == status, content
    assert re.search(words, content.get("message", ""))
    assert rest("GET", "/cosmos/bank/v1beta1/params")[0] == 200


def test_fields_of_paths_and_queries_fit_their_kinds():
    request = message_of(
        service_pb2.GetTxsEventRequest,
        [
            ("query", "tx.height=1"),
            ("order_by", "2"),
            ("page", "3"),
            ("pagination.count_total", "true"),
            ("pagination.nothing", "1"),
            ("unknown", "1"),
            ("events", "a='b,c'"),
            ("events", "d='e'"),
        ],
    )
    assert (request.query, request.order_by, request.page) == ("tx.height=1", 2, 3)
    assert request.pagination.count_total
    assert list(request.events) == ["a='b,c'", "d='e'"]
