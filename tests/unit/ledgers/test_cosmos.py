"""A stock chain's answers: events once, sequences as the chain wants them, gas and fees."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from fakes.comet_server import RpcError, comet_server
from fakes.microgrid import key

from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.ledgers.cosmos.accounts import Account, decode_account
from tieline.ledgers.cosmos.events import block_events_of, reading_only
from tieline.ledgers.cosmos.gas import Fees, gas_limit
from tieline.ledgers.cosmos.genesis import add_balances, validator_transaction
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.cosmos.refusals import sorted_refusal
from tieline.ledgers.tendermint.rpc import CometRpc
from tieline.protocol.messages import AnyMessage
from tieline.swap.messages import MsgSend
from tieline.wire.attestation_proofs import encode_any
from tieline.wire.bech32 import account_to_text
from tieline.wire.hashes import sha256
from tieline.wire.proto_fields import Fields, bytes_field, uint_field

CHAIN_ID = "stock-1"


def packet_event(kind, sequence=1, **more):
    names = {
        "packet_source_client": "07-tendermint-0",
        "packet_dest_client": "07-tendermint-1",
        "packet_sequence": str(sequence),
    } | more
    return {
        "type": kind,
        "attributes": [{"key": name, "value": value} for name, value in names.items()],
    }


def answers(*outcomes, own=(), height=7):
    raw = [f"tx {n}".encode() for n in range(len(outcomes))]
    block = {
        "block": {
            "header": {"height": str(height), "time": "2026-11-21T17:40:09.850752578Z"},
            "data": {"txs": [base64.b64encode(one).decode() for one in raw] or None},
        }
    }
    results = {
        "height": str(height),
        "txs_results": [
            {"code": code, "log": "", "codespace": "", "events": events}
            for code, events in outcomes
        ],
        "finalize_block_events": list(own),
    }
    return block, results


def test_an_event_that_ibc_go_emits_twice_is_told_once():
    twice = [packet_event("recv_packet"), packet_event("recv_packet")]
    other = [packet_event("recv_packet", 2), packet_event("write_acknowledgement")]
    block = block_events_of(*answers((0, [*twice, *other])), 7)
    (transaction,) = block.transactions
    assert [(one.type, one.get("packet_sequence")) for one in transaction.events] == [
        ("recv_packet", "1"),
        ("recv_packet", "2"),
        ("write_acknowledgement", "1"),
    ]
    assert (block.height, block.time_s) == (7, 1795282809)
    assert transaction.tx_hash == sha256(b"tx 0")


def test_events_that_are_no_packets_may_repeat():
    coin = {"type": "coin_spent", "attributes": [{"key": "amount", "value": "1stake"}]}
    block = block_events_of(*answers((0, [coin, coin])), 7)
    assert len(block.transactions[0].events) == 2


def test_events_that_are_made_while_json_is_read_are_the_same():
    coin = {"type": "coin_spent", "attributes": [{"key": "amount", "value": "1", "index": True}]}
    bare = {"type": "mint", "attributes": None}
    told = answers(
        (0, [packet_event("recv_packet"), coin, bare]), own=[packet_event("send_packet")]
    )

    def read(kinds):
        again = [json.loads(json.dumps(one), object_hook=reading_only(kinds)) for one in told]
        return block_events_of(*again, 7)

    assert read(None) == block_events_of(*told, 7)
    (only,) = read(frozenset({"recv_packet"})).transactions
    assert ([one.type for one in only.events], only.tx_hash) == (["recv_packet"], sha256(b"tx 0"))


def test_what_was_undone_has_no_events_and_hides_none():
    undone, done = (11, [packet_event("recv_packet")]), (0, [packet_event("recv_packet")])
    block = block_events_of(*answers(undone, done), 7)
    assert [len(one.events) for one in block.transactions] == [0, 1]


def test_packets_that_the_chain_itself_sends_are_seen():
    mint = {"type": "mint", "attributes": None}
    block = block_events_of(*answers(own=[mint, packet_event("send_packet")]), 7)
    (transaction,) = block.transactions
    assert [one.type for one in transaction.events] == ["send_packet"]
    assert transaction.tx_hash == b""
    assert block_events_of(*answers(own=[mint]), 7).transactions == ()


@pytest.mark.parametrize("spoil", ["height", "count", "time", "nothing"])
def test_a_block_without_sense_is_unavailable(spoil):
    block, results = answers((0, []))
    if spoil == "height":
        results["height"] = "8"
    elif spoil == "count":
        results["txs_results"] = []
    elif spoil == "time":
        block["block"]["header"]["time"] = "now"
    else:
        block = {}
    with pytest.raises(Unavailable):
        block_events_of(block, results, 7)


def base_account(number, sequence, kind="/cosmos.auth.v1beta1.BaseAccount"):
    account = bytes_field(1, b"cosmos1...") + uint_field(3, number) + uint_field(4, sequence)
    return bytes_field(1, encode_any(AnyMessage(kind, account)))


def test_account_number_and_sequence_are_the_chains():
    assert decode_account(base_account(13, 7)) == Account(13, 7)
    assert decode_account(base_account(0, 0)) == Account(0, 0)
    for wrong in (base_account(1, 1, "/cosmos.auth.v1beta1.ModuleAccount"), b"\xff"):
        with pytest.raises(Unavailable):
            decode_account(wrong)


def test_refusals_are_sorted_by_their_words():
    early = "packet timeout not reached: timeout not reached, current timestamp: 1, timeout 2"
    assert isinstance(sorted_refusal("channel", 10, early), NotYet)
    assert isinstance(sorted_refusal("sdk", 20, "mempool is full"), NotYet)
    refused = sorted_refusal("channel", 22, "packet messages are redundant")
    assert isinstance(refused, Rejected)
    assert (refused.codespace, refused.code) == ("channel", 22)


def test_fees_are_rounded_in_the_chains_favour():
    assert Fees().of(10**6) == ()
    assert Fees("stake", 1).of(1) == (("stake", 1),)
    assert Fees("stake", 25_000_000).of(200_001) == (("stake", 5001),)


def test_gas_grows_with_messages_and_bytes():
    send = MsgSend(b"\1" * 20, b"\2" * 20, 1)
    small = gas_limit([send], [AnyMessage("/x", b"")])
    assert gas_limit([send, send], [AnyMessage("/x", b"")] * 2) > small
    assert gas_limit([send], [AnyMessage("/x", bytes(1000))]) == small + 12_000


def test_a_genesis_gives_everyone_coins_and_adds_them_up():
    state = {"auth": {"accounts": []}, "bank": {"balances": [], "supply": []}}
    add_balances(state, {b"\1" * 20: {"pay": 3, "stake": 1}, b"\2" * 20: {"pay": 4}})
    assert state["bank"]["supply"] == [
        {"denom": "pay", "amount": "7"},
        {"denom": "stake", "amount": "1"},
    ]
    addresses = [one["address"] for one in state["auth"]["accounts"]]
    assert addresses == [account_to_text(bytes([n]) * 20, "cosmos") for n in (1, 2)]


def test_the_validators_transaction_says_in_words_what_it_signs():
    transaction = validator_transaction(CHAIN_ID, key("owner"), b"\7" * 32)
    (message,) = transaction["body"]["messages"]
    operator = account_to_text(key("owner").cosmos_account, "cosmosvaloper")
    assert message["validator_address"] == operator
    assert message["commission"]["rate"] == "0." + "1".ljust(18, "0")
    assert base64.b64decode(message["pubkey"]["key"]) == b"\7" * 32
    assert json.loads(json.dumps(transaction)) == transaction


class Chain:
    """Answers as a chain of one account does, and checks sequences like one."""

    def __init__(self, network=CHAIN_ID):
        self.network = network
        self.height = 9
        self.sequence = 3
        self.accounts_asked = 0
        self.taken = []
        self.fails = ""
        self.is_stranger = False

    def __call__(self, method, parameters):
        return getattr(self, method)(**parameters)

    def abci_info(self):
        return {"response": {"data": "SimApp", "last_block_height": str(self.height)}}

    def status(self):
        return {"node_info": {"network": self.network}}

    def abci_query(self, path, **_):
        assert path == "/cosmos.auth.v1beta1.Query/Account"
        self.accounts_asked += 1
        if self.is_stranger:
            log = "cosmos1...: key not found: account cosmos1... not found: key not found"
            return {"response": {"code": 22, "codespace": "sdk", "log": log}}
        value = base64.b64encode(base_account(13, self.sequence)).decode()
        return {"response": {"code": 0, "value": value}}

    def broadcast_tx_sync(self, tx):
        if self.fails:
            raise RpcError(self.fails)
        raw = base64.b64decode(tx)
        info = Fields(Fields(Fields(raw, known=3).octets(2), known=2).octets(1), known=3)
        found = info.uint(3)
        if found != self.sequence:
            log = f"account sequence mismatch, expected {self.sequence}, got {found}: incorrect"
            return {"code": 32, "codespace": "sdk", "log": log}
        self.sequence += 1
        self.taken.append(found)
        return {"code": 0, "codespace": "", "log": ""}


@pytest.fixture
def chain():
    return Chain()


@pytest.fixture
def ledger(chain):
    with comet_server(chain) as server:
        ledger = CosmosLedger(CHAIN_ID, CometRpc("127.0.0.1", server.server_port))
        ledger.add_lane("ann", key("ann"))
        yield ledger
        ledger.close()


def pay(ledger):
    message = MsgSend(ledger.lane_account("ann"), b"\2" * 20, 1, "stake")
    return asyncio.run(ledger.submit("ann", [message]))


def test_sequences_are_counted_here_and_the_account_is_read_once(chain, ledger):
    for _ in range(3):
        pay(ledger)
    assert chain.taken == [3, 4, 5]
    assert chain.accounts_asked == 1


def test_a_sequence_that_the_chain_does_not_want_is_taken_from_its_refusal(chain, ledger):
    pay(ledger)
    chain.sequence = 9
    pay(ledger)
    assert chain.taken == [3, 9]


def test_after_silence_the_account_is_read_again(chain, ledger):
    pay(ledger)
    chain.fails = "something broke"
    with pytest.raises(Unavailable):
        pay(ledger)
    chain.fails = ""
    pay(ledger)
    assert chain.accounts_asked == 2


def test_an_account_that_never_held_anything_is_refused(chain, ledger):
    chain.is_stranger = True
    with pytest.raises(Rejected, match="not found"):
        pay(ledger)


def test_another_chain_is_not_used(chain, ledger):
    chain.network = "other-1"
    with pytest.raises(Unavailable, match="another ledger"):
        asyncio.run(ledger.latest_height())


def test_stores_of_ours_are_empty_there(ledger):
    assert asyncio.run(ledger.query("tieline", b"a")) is None
    assert asyncio.run(ledger.scan("tieline", b"a")) == []


def test_what_is_not_there_yet_is_said_so(ledger):
    with pytest.raises(NotYet):
        asyncio.run(ledger.prove(b"key", 9))
    with pytest.raises(NotYet):
        asyncio.run(ledger.header(10, 3))
