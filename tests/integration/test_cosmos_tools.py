"""cosmpy's own client and wallet on our ledger behind real CometBFT, through gRPC and REST."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import grpc
import pytest
from cosmpy.aerial.client import LedgerClient
from cosmpy.aerial.client.bank import create_bank_send_msg
from cosmpy.aerial.client.utils import prepare_basic_transaction
from cosmpy.aerial.config import NetworkConfig
from cosmpy.aerial.exceptions import (
    BroadcastError,
    InsufficientFeesError,
    NotFoundError,
    OutOfGasError,
)
from cosmpy.aerial.tx import SigningCfg, Transaction, TxFee
from cosmpy.aerial.wallet import LocalWallet
from cosmpy.crypto.keypairs import PrivateKey
from cosmpy.protos.cosmos.bank.v1beta1 import query_pb2 as bank_pb2
from cosmpy.protos.cosmos.tx.v1beta1 import service_pb2
from fakes.bad_transactions import BAD, Signing
from fakes.microgrid import key

from tieline.contract.fees import FEE_COLLECTOR
from tieline.contract.genesis import Genesis
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.wire.bech32 import account_to_text
from tieline.wire.hashes import sha256

pytestmark = [
    pytest.mark.native,
    # cosmpy and what it needs warn of their own futures.
    pytest.mark.filterwarnings("ignore"),
]

CHAIN_ID = "cosmos-tools-1"
MONEY = 10**12
NAMES = ("cell", "ann", "bob", "cid")
WAIT_S = 120


def wallet(name):
    return LocalWallet(PrivateKey(sha256(b"test key " + name.encode())), prefix="tieline")


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    cell = key("cell")
    genesis = Genesis(
        chain_id=CHAIN_ID,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        balances=tuple(sorted((key(name).cosmos_account, MONEY) for name in NAMES)),
    )
    group = PeerGroup(
        genesis,
        tmp_path_factory.mktemp("net"),
        pace=Pace(commit_wait_ms=100, is_empty_made=True),
        has_gateways=True,
        minimum_gas_price="0.01neur",
    )
    group.start()
    yield group
    group.stop()


def client_of(group, kind, **change):
    gateway = group.gateways[0]
    settings = {
        "chain_id": CHAIN_ID,
        "url": gateway.grpc_url if kind == "grpc" else gateway.rest_url,
        "fee_minimum_gas_price": 0.01,
        "fee_denomination": "neur",
        "staking_denomination": "neur",
    }
    return LedgerClient(NetworkConfig(**settings | change), query_interval_secs=0.1)


@pytest.fixture(params=["grpc", "rest"])
def client(request, group):
    return client_of(group, request.param)


@pytest.fixture
def rest(group):
    base = group.gateways[0].rest_url.removeprefix("rest+")

    def ask(path, body=None, height=0):
        headers = {"x-cosmos-block-height": str(height)} if height else {}
        request = urllib.request.Request(base + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as exc:
            return exc.code, json.loads(exc.read())

    return ask


def test_a_wallet_sends_pay_waits_and_reads_it_back(client):
    ann, bob = wallet("ann"), wallet("bob")
    assert str(ann.address()) == account_to_text(key("ann").cosmos_account)
    before = client.query_bank_balance(ann.address()), client.query_bank_balance(bob.address())
    collected = client.query_bank_balance(account_to_text(FEE_COLLECTOR))
    sequence = client.query_account(ann.address()).sequence
    sent = client.send_tokens(bob.address(), 700, "neur", ann, memo="for the washing")
    done = sent.wait_to_complete(timeout=WAIT_S).response
    assert (done.code, done.hash) == (0, sent.tx_hash)
    assert 0 < done.gas_used <= done.gas_wanted
    assert done.timestamp is not None
    assert done.events["transfer"] == {
        "recipient": str(bob.address()),
        "sender": str(ann.address()),
        "amount": "700neur",
        "msg_index": "0",
    }
    assert done.events["message"]["action"] == "/cosmos.bank.v1beta1.MsgSend"
    assert done.events["tx"]["acc_seq"] == f"{ann.address()}/{sequence}"
    fee = int(done.events["tx"]["fee"].removesuffix("neur"))
    assert fee >= done.gas_wanted * 0.01
    after = client.query_bank_balance(ann.address()), client.query_bank_balance(bob.address())
    assert after == (before[0] - 700 - fee, before[1] + 700)
    assert client.query_bank_balance(account_to_text(FEE_COLLECTOR)) == collected + fee
    assert client.query_tx(sent.tx_hash).height == done.height
    assert client.query_account(ann.address()).sequence == sequence + 1
    assert int(client.query_bank_all_balances(bob.address())[0].amount) == after[1]


def test_a_client_reads_chain_blocks_and_peer(client):
    assert client.query_chain_id() == CHAIN_ID
    height = client.query_height()
    assert client.query_block(height).height == height
    info = client.query_node_info()
    assert (info.app_name, str(info.app_version)) == ("tieline", "0.1.0")
    assert client.query_consensus_params().params.block.max_gas == -1
    assert client.query_params("baseapp", "BlockParams")["max_gas"] == "-1"


def prepared(client, sender, amount=1, gas_limit=200_000, fee="2000neur", **change):
    """A transaction as a wallet makes it, with something changed."""
    account = client.query_account(sender.address())
    transaction = Transaction()
    transaction.add_message(
        create_bank_send_msg(sender.address(), wallet("bob").address(), amount, "neur")
    )
    transaction.seal(
        SigningCfg.direct(sender.public_key(), change.pop("sequence", account.sequence)),
        fee=TxFee(fee, gas_limit),
        **{name: change.pop(name) for name in ("timeout_height", "memo") if name in change},
    )
    chain_id = change.pop("chain_id", CHAIN_ID)
    number = change.pop("number", account.number)
    assert not change
    transaction.sign(sender.signer(), chain_id, number)
    return transaction.complete()


REFUSED = [
    ("wrong sequence", {"sequence": 10**6}, BroadcastError, "account sequence mismatch, expected"),
    ("wrong chain", {"chain_id": "other-1"}, BroadcastError, "verify account number .* chain-id"),
    ("wrong number", {"number": 7}, BroadcastError, "signature verification failed; please verify"),
    ("fee too low", {"fee": "1999neur"}, InsufficientFeesError, "2000neur"),
    ("no fee", {"fee": []}, InsufficientFeesError, "2000neur"),
    ("fee of no coin here", {"fee": "5stake"}, InsufficientFeesError, "2000neur"),
    ("no gas", {"gas_limit": 1}, OutOfGasError, ""),
    ("too late", {"timeout_height": 1}, BroadcastError, "timeout height: 1"),
    ("a novel", {"memo": "x" * 300}, BroadcastError, "memo too large"),
]


@pytest.mark.parametrize(("what", "change", "error", "words"), REFUSED)
def test_what_a_wallet_did_wrong_is_told_in_its_words(client, what, change, error, words):
    ann = wallet("ann")
    before = client.query_account(ann.address()), client.query_bank_balance(ann.address())
    with pytest.raises(error) as refusal:
        client.broadcast_tx(prepared(client, ann, **change))
    assert refusal.match(words), what
    assert (client.query_account(ann.address()), client.query_bank_balance(ann.address())) == before


def test_too_little_money_is_told_before_and_after_the_block(client):
    cid, bob = wallet("cid"), wallet("bob")
    with pytest.raises((grpc.RpcError, RuntimeError), match="insufficient funds"):
        client.send_tokens(bob.address(), 2 * MONEY, "neur", cid)
    sent = client.send_tokens(bob.address(), 2 * MONEY, "neur", cid, fee=TxFee("2000neur", 200_000))
    with pytest.raises(BroadcastError, match=r"spendable balance .* insufficient funds"):
        sent.wait_to_complete(timeout=WAIT_S)
    failed = client.query_tx(sent.tx_hash)
    assert (failed.code, failed.events["tx"]["fee"]) == (5, "2000neur")
    assert "transfer" in failed.events  # of the fee
    assert "action" not in failed.events["message"]


def test_a_transaction_that_is_nowhere_is_not_found(client):
    with pytest.raises(NotFoundError):
        client.query_tx("AB" * 32)


def test_the_same_bytes_again_are_a_code_and_no_error(client):
    transaction = prepared(client, wallet("ann"))
    client.broadcast_tx(transaction).wait_to_complete(timeout=WAIT_S)
    with pytest.raises(BroadcastError, match=r"tx already in mempool|sequence mismatch"):
        client.broadcast_tx(transaction)


def test_every_mode_of_broadcasting(group):
    client, ann = client_of(group, "grpc"), wallet("ann")
    modes = service_pb2.BroadcastMode

    def hand_in(mode):
        raw = prepared(client, ann).tx.SerializeToString()
        request = service_pb2.BroadcastTxRequest(tx_bytes=raw, mode=mode)
        return client.txs.BroadcastTx(request).tx_response

    assert hand_in(modes.BROADCAST_MODE_BLOCK).height > 0
    waiting = hand_in(modes.BROADCAST_MODE_ASYNC)
    assert (waiting.height, waiting.code) == (0, 0)
    client.wait_for_query_tx(waiting.txhash, timeout=WAIT_S)
    with pytest.raises(grpc.RpcError, match="unsupported return type"):
        hand_in(modes.BROADCAST_MODE_UNSPECIFIED)


def test_transactions_are_found_by_their_events(group):
    client, ann = client_of(group, "grpc"), wallet("ann")
    sent = client.send_tokens(wallet("cid").address(), 3, "neur", ann).wait_to_complete(
        timeout=WAIT_S
    )
    queries = [
        f"tx.height={sent.response.height}",
        f"transfer.recipient='{wallet('cid').address()}' AND transfer.amount='3neur'",
        f"message.sender='{ann.address()}' AND tx.height={sent.response.height}",
        f"tx.acc_seq='{sent.response.events['tx']['acc_seq']}'",
    ]
    for query in queries:
        request = service_pb2.GetTxsEventRequest(query=query)
        found = eventually(lambda request=request: client.txs.GetTxsEvent(request))
        assert sent.tx_hash in {one.txhash for one in found.tx_responses}, query
    with pytest.raises(grpc.RpcError) as refusal:
        client.txs.GetTxsEvent(service_pb2.GetTxsEventRequest(query="no query ="))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def eventually(ask):
    """Indexing follows the block; ask until something is there."""
    end = time.monotonic() + WAIT_S
    while True:
        found = ask()
        if found.total or time.monotonic() > end:
            return found
        time.sleep(0.05)


def test_rest_speaks_the_json_of_cosmos_peers(rest):
    ann = account_to_text(key("ann").cosmos_account)
    status, account = rest(f"/cosmos/auth/v1beta1/accounts/{ann}")
    assert status == 200
    assert account["account"]["@type"] == "/cosmos.auth.v1beta1.BaseAccount"
    assert account["account"]["sequence"].isdigit()
    status, balances = rest(f"/cosmos/bank/v1beta1/balances/{ann}?pagination.limit=1")
    assert (status, balances["balances"][0]["denom"]) == (200, "neur")
    status, supply = rest("/cosmos/bank/v1beta1/supply/by_denom?denom=neur")
    assert (status, supply["amount"]["amount"]) == (200, str(MONEY * len(NAMES)))
    assert rest("/cosmos/base/node/v1beta1/config")[1]["minimum_gas_price"].startswith("0.01")
    assert rest("/ibc/core/client/v1/client_states")[1]["client_states"] == []
    assert rest("/cosmos/base/tendermint/v1beta1/validatorsets/latest")[1]["validators"]


NOT_ANSWERED = [
    ("/cosmos/auth/v1beta1/accounts/nobody", 400, "decoding|prefix|not an account"),
    ("/cosmos/tx/v1beta1/txs/xyz", 400, "not a tx hash"),
    ("/cosmos/tx/v1beta1/txs/" + "AB" * 32, 404, "tx not found"),
    ("/cosmos/base/tendermint/v1beta1/blocks/99999999", 404, "less than or equal"),
    ("/cosmos/base/tendermint/v1beta1/blocks/0", 400, "above zero"),
    ("/cosmos/staking/v1beta1/validators", 501, "unknown query path"),
    ("/ibc/core/client/v1/client_states/07-tendermint-0", 404, "light client not found"),
    ("/ibc/core/client/v1/client_states/x", 400, ""),
    ("/cosmos/bank/v1beta1/balances/x?pagination.limit=abc", 400, ""),
]


@pytest.mark.parametrize(("path", "status", "words"), NOT_ANSWERED)
def test_what_rest_cannot_answer_has_a_status_and_words(rest, path, status, words):
    found, content = rest(path)
    assert found == status, content
    assert set(content) == {"code", "message", "details"}
    import re

    assert re.search(words, content["message"])


def test_a_height_that_is_not_there_is_told_so(rest):
    ann = account_to_text(key("ann").cosmos_account)
    path = f"/cosmos/bank/v1beta1/balances/{ann}/by_denom?denom=neur"
    assert rest(path, height=2)[1]["balance"]["amount"] == str(MONEY)
    status, content = rest(path, height=10**9)
    assert (status, "height in the future" in content["message"]) == (400, True)


def test_a_gateway_that_is_killed_comes_back_and_blocks_go_on(group, client):
    gateway = group.gateways[0]
    height, before = client.query_height(), gateway.pid
    os.kill(before, signal.SIGKILL)
    end = time.monotonic() + WAIT_S
    while not (gateway.is_running() and gateway.pid != before) and time.monotonic() < end:
        time.sleep(0.05)
    gateway.await_ready()
    assert group.restarts == 0
    fresh = client_of(group, "grpc")
    while fresh.query_height() <= height:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_bytes_of_a_query_pass_through_the_engine(group):
    request = bank_pb2.QueryBalanceRequest(
        address=account_to_text(key("bob").cosmos_account), denom="neur"
    )
    answer = group.peers[0].rpc.call_now(
        "abci_query",
        path="/cosmos.bank.v1beta1.Query/Balance",
        data=request.SerializeToString().hex(),
    )
    import base64

    value = base64.b64decode(answer["response"]["value"])
    assert bank_pb2.QueryBalanceResponse.FromString(value).balance.denom == "neur"


def test_a_prepared_transaction_is_ours_to_decode(client):
    transaction = Transaction()
    ann = wallet("ann")
    transaction.add_message(create_bank_send_msg(ann.address(), ann.address(), 1, "neur"))
    ready = prepare_basic_transaction(client, transaction, ann)
    assert client.broadcast_tx(ready).wait_to_complete(timeout=WAIT_S).response.code == 0


def account_of(group, name):
    """Sequence and money, asked of the engine: the gateway is not in the way."""
    client = client_of(group, "grpc")
    address = wallet(name).address()
    return client.query_account(address).sequence, client.query_bank_balance(address)


@pytest.mark.parametrize(("what", "make", "code", "words"), BAD, ids=[row[0] for row in BAD])
def test_a_bad_transaction_is_refused_by_a_running_ledger(group, what, make, code, words):
    before = account_of(group, "ann")
    raw = make(Signing(CHAIN_ID, before[0], (("neur", 10_000),)))
    client = client_of(group, "grpc")
    request = service_pb2.BroadcastTxRequest(
        tx_bytes=raw, mode=service_pb2.BroadcastMode.BROADCAST_MODE_SYNC
    )
    if not raw:
        with pytest.raises(grpc.RpcError, match="invalid empty tx"):
            client.txs.BroadcastTx(request)
        return
    response = client.txs.BroadcastTx(request).tx_response
    assert (response.codespace, response.code) == ("sdk", code), response.raw_log
    assert words in response.raw_log or code == 21
    assert account_of(group, "ann") == before
    assert group.restarts == 0


def test_a_ledger_started_by_hand_is_there_and_ends_when_interrupted(tmp_path):
    code = "from tieline.cli.main import main; main()"
    given = f"{account_to_text(key('ann').cosmos_account)}=5000"
    command = [sys.executable, "-c", code, "ledger", "start", str(tmp_path / "net")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    for _ in range(2):  # the second time the ledger goes on
        with subprocess.Popen(
            [*command, "--give", given, "--block-ms", "50"],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        ) as child:
            lines = [child.stdout.readline() for _ in range(4)]
            _, grpc_url, _ = lines[2].split()
            settings = NetworkConfig("energy-1", 0, "neur", "neur", grpc_url)
            client = LedgerClient(settings, query_interval_secs=0.1)
            assert client.query_chain_id() == "energy-1"
            assert client.query_bank_balance(wallet("ann").address()) == 5000
            child.send_signal(signal.SIGINT)
            assert child.wait(WAIT_S) == 0
