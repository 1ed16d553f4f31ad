"""gRPC methods by name, at the door of ABCI, against what the ledger holds."""

from __future__ import annotations

import pytest
from cosmpy.protos.cosmos.auth.v1beta1 import auth_pb2
from cosmpy.protos.cosmos.auth.v1beta1 import query_pb2 as auth_query
from cosmpy.protos.cosmos.bank.v1beta1 import query_pb2 as bank_query
from cosmpy.protos.cosmos.base.node.v1beta1 import query_pb2 as node_query
from cosmpy.protos.cosmos.staking.v1beta1 import query_pb2 as staking_query
from cosmpy.protos.cosmos.tx.v1beta1 import service_pb2, tx_pb2
from cosmpy.protos.ibc.core.channel.v2 import query_pb2 as channel_query
from cosmpy.protos.ibc.core.client.v1 import query_pb2 as client_query
from cosmpy.protos.ibc.core.client.v2 import query_pb2 as client_v2_query
from fakes.abci_engine import Engine
from fakes.light_client import CONSENSUS, STATE
from fakes.microgrid import CHAIN_ID, LOCAL, REMOTE, START_S, key, pay
from fakes.packets import CELL, RELAYER, TIMEOUT_S, incoming, payload, receive

from tieline.contract.fees import FEE_COLLECTOR
from tieline.ledgers.tendermint.queries.view import InvalidQuery, page_of
from tieline.protocol.messages import (
    AnyMessage,
    CreateClient,
    RegisterCounterparty,
    SendPacket,
    UpdateClient,
)
from tieline.wire.bech32 import account_to_text

AUTH, BANK = "/cosmos.auth.v1beta1.Query/", "/cosmos.bank.v1beta1.Query/"
CLIENT, CHANNEL = "/ibc.core.client.v1.Query/", "/ibc.core.channel.v2.Query/"
ANN = account_to_text(key("ann").cosmos_account)
MONEY = 10**12


@pytest.fixture
def engine(tmp_path):
    engine = Engine(tmp_path / "state.sqlite")
    engine.block()
    yield engine
    engine.store.close()


def ask(engine, path, request, response_class, height=0):
    answer = engine.ask("query", path=path, data=request.SerializeToString(), height=height)
    assert answer.code == 0, answer.log
    assert answer.height == height or engine.height
    return response_class.FromString(answer.value)


def refused(engine, path, request):
    answer = engine.ask("query", path=path, data=request.SerializeToString())
    return answer.code, answer.log


def pays(engine, amount=1, **change):
    raw = engine.ledger.transaction("ann", pay("ann", "bob", amount), **change)
    (result,) = engine.block(raw).tx_results
    assert result.code == 0, result.log
    return raw


def test_an_account_has_number_and_sequence(engine):
    pays(engine)
    request = auth_query.QueryAccountRequest(address=ANN)
    found = ask(engine, AUTH + "Account", request, auth_query.QueryAccountResponse).account
    account = auth_pb2.BaseAccount()
    assert found.Unpack(account)
    assert (account.address, account.account_number, account.sequence) == (ANN, 0, 1)
    info = ask(
        engine,
        AUTH + "AccountInfo",
        auth_query.QueryAccountInfoRequest(address=ANN),
        auth_query.QueryAccountInfoResponse,
    )
    assert info.info == account
    nobody = auth_query.QueryAccountRequest(address=account_to_text(b"\x09" * 20))
    code, log = refused(engine, AUTH + "Account", nobody)
    assert (code, "not found" in log) == (22, True)


def test_accounts_come_in_pages(engine):
    seen = []
    request = auth_query.QueryAccountsRequest()
    request.pagination.limit = 3
    while True:
        answer = ask(engine, AUTH + "Accounts", request, auth_query.QueryAccountsResponse)
        seen += [one.value for one in answer.accounts]
        if not answer.pagination.next_key:
            break
        request.pagination.key = answer.pagination.next_key
    assert len(seen) == len(set(seen)) == answer.pagination.total == len(engine.ledger.names)


def test_pages_are_cut_as_asked_for():
    from cosmpy.protos.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest

    assert page_of([1, 2, 3], PageRequest(offset=1, limit=1))[0] == [2]
    assert page_of([1, 2, 3], PageRequest(reverse=True, limit=2))[0] == [3, 2]
    assert page_of([1], PageRequest(offset=2**63))[0] == []
    assert page_of([1, 2], PageRequest(limit=2))[1].next_key == b""
    assert page_of([1, 2, 3], PageRequest(limit=2))[1].next_key == (2).to_bytes(8, "big")
    for wrong in (PageRequest(key=b"x"), PageRequest(key=b"\0" * 8, offset=1)):
        with pytest.raises(InvalidQuery):
            page_of([1], wrong)


def test_balances_of_now_and_of_then(engine):
    for amount in (1, 2, 4):
        pays(engine, amount)
    request = bank_query.QueryBalanceRequest(address=ANN, denom="neur")
    amounts = [
        int(
            ask(
                engine, BANK + "Balance", request, bank_query.QueryBalanceResponse, height=height
            ).balance.amount
        )
        for height in (1, 2, 3, 4, 0)
    ]
    assert amounts == [MONEY, MONEY - 1, MONEY - 3, MONEY - 7, MONEY - 7]
    other = bank_query.QueryBalanceRequest(address=ANN, denom="stake")
    found = ask(engine, BANK + "Balance", other, bank_query.QueryBalanceResponse)
    assert (found.balance.denom, found.balance.amount) == ("stake", "0")
    whole = bank_query.QueryAllBalancesRequest(address=ANN)
    coins = ask(engine, BANK + "AllBalances", whole, bank_query.QueryAllBalancesResponse)
    assert [(one.denom, one.amount) for one in coins.balances] == [("neur", str(MONEY - 7))]
    assert coins.pagination.total == 1


def test_supply_is_what_genesis_gave(engine):
    pays(engine)
    supply = ask(
        engine,
        BANK + "SupplyOf",
        bank_query.QuerySupplyOfRequest(denom="neur"),
        bank_query.QuerySupplyOfResponse,
    )
    assert int(supply.amount.amount) == MONEY * len(engine.ledger.names)
    total = ask(
        engine,
        BANK + "TotalSupply",
        bank_query.QueryTotalSupplyRequest(),
        bank_query.QueryTotalSupplyResponse,
    )
    assert [one.denom for one in total.supply] == ["neur"]


def test_metadata_says_what_a_denomination_is(engine):
    found = ask(
        engine,
        BANK + "DenomMetadata",
        bank_query.QueryDenomMetadataRequest(denom="neur"),
        bank_query.QueryDenomMetadataResponse,
    ).metadata
    assert (found.base, found.display, found.denom_units[1].exponent) == ("neur", "eur", 9)
    unknown = bank_query.QueryDenomMetadataRequest(denom="x")
    assert refused(engine, BANK + "DenomMetadata", unknown)[0] == 22


def test_the_fee_collector_is_a_module_account(engine):
    found = ask(
        engine,
        AUTH + "ModuleAccountByName",
        auth_query.QueryModuleAccountByNameRequest(name="fee_collector"),
        auth_query.QueryModuleAccountByNameResponse,
    )
    module = auth_pb2.ModuleAccount.FromString(found.account.value)
    assert module.base_account.address == account_to_text(FEE_COLLECTOR)


def test_a_peer_tells_its_settings(engine):
    config = ask(
        engine,
        "/cosmos.base.node.v1beta1.Service/Config",
        node_query.ConfigRequest(),
        node_query.ConfigResponse,
    )
    assert config.minimum_gas_price == "0.000000000000000000neur"
    params = ask(
        engine,
        "/cosmos.staking.v1beta1.Query/Params",
        staking_query.QueryParamsRequest(),
        staking_query.QueryParamsResponse,
    )
    assert params.params.unbonding_time.seconds == 21 * 24 * 3600


def test_a_simulation_tells_gas_and_events_and_leaves_nothing(engine):
    raw = engine.ledger.transaction("ann", pay("ann", "bob", 5), gas_limit=0)
    envelope = tx_pb2.TxRaw.FromString(raw)
    whole = tx_pb2.Tx(
        body=tx_pb2.TxBody.FromString(envelope.body_bytes),
        auth_info=tx_pb2.AuthInfo.FromString(envelope.auth_info_bytes),
        signatures=[b""],
    )
    path = "/cosmos.tx.v1beta1.Service/Simulate"
    before = engine.contract.app_hash
    answers = [
        ask(engine, path, request, service_pb2.SimulateResponse)
        for request in (
            service_pb2.SimulateRequest(tx_bytes=raw),
            service_pb2.SimulateRequest(tx=whole),
        )
    ]
    assert engine.contract.app_hash == before
    told = {one.type for one in answers[0].result.events}
    assert {"transfer", "message", "tx"} <= told
    assert answers[0].result.msg_responses[0].type_url == "/cosmos.bank.v1beta1.MsgSendResponse"
    engine.ledger.sequences.clear()
    limit = answers[0].gas_info.gas_used + 100  # the limit itself is written in some bytes
    (result,) = engine.block(
        engine.ledger.transaction("ann", pay("ann", "bob", 5), gas_limit=limit)
    ).tx_results
    assert result.code == 0
    again = service_pb2.SimulateRequest(tx_bytes=raw)
    code, log = refused(engine, path, again)
    assert code == 18
    assert "account sequence mismatch, expected 1, got 0" in log


@pytest.fixture
def paired(engine):
    """A client, paired, with a packet sent and one received."""
    state = AnyMessage(STATE, (10).to_bytes(8, "big"))
    consensus = AnyMessage(CONSENSUS, (START_S * 10**9).to_bytes(8, "big"))
    ledger = engine.ledger
    for name, message in (
        ("cell", CreateClient(CELL, state, consensus)),
        ("cell", RegisterCounterparty(CELL, LOCAL, REMOTE, (b"ibc", b""))),
        ("relayer", UpdateClient(RELAYER, LOCAL, ledger.header(11, START_S + 1))),
        ("relayer", SendPacket(RELAYER, LOCAL, TIMEOUT_S, (payload(),))),
        ("relayer", receive(incoming())),
    ):
        (result,) = engine.block(ledger.transaction(name, message)).tx_results
        assert result.code == 0, result.log
    return engine


def test_a_client_is_known_with_its_counterparty_and_status(paired):
    one = client_query.QueryClientStatusRequest(client_id=LOCAL)
    assert ask(
        paired, CLIENT + "ClientStatus", one, client_query.QueryClientStatusResponse
    ).status in {"Active", "Expired"}
    creator = ask(
        paired,
        CLIENT + "ClientCreator",
        client_query.QueryClientCreatorRequest(client_id=LOCAL),
        client_query.QueryClientCreatorResponse,
    )
    assert creator.creator == account_to_text(CELL)
    info = ask(
        paired,
        "/ibc.core.client.v2.Query/CounterpartyInfo",
        client_v2_query.QueryCounterpartyInfoRequest(client_id=LOCAL),
        client_v2_query.QueryCounterpartyInfoResponse,
    ).counterparty_info
    assert (info.client_id, list(info.merkle_prefix)) == (REMOTE, [b"ibc", b""])
    params = ask(
        paired,
        CLIENT + "ClientParams",
        client_query.QueryClientParamsRequest(),
        client_query.QueryClientParamsResponse,
    )
    assert list(params.params.allowed_clients) == ["07-fake"]


def test_packets_are_listed_and_counted(paired):
    nexts = ask(
        paired,
        CHANNEL + "NextSequenceSend",
        channel_query.QueryNextSequenceSendRequest(client_id=LOCAL),
        channel_query.QueryNextSequenceSendResponse,
    )
    assert nexts.next_sequence_send == 2
    commitments = ask(
        paired,
        CHANNEL + "PacketCommitments",
        channel_query.QueryPacketCommitmentsRequest(client_id=LOCAL),
        channel_query.QueryPacketCommitmentsResponse,
    )
    assert [(one.client_id, one.sequence) for one in commitments.commitments] == [(LOCAL, 1)]
    single = ask(
        paired,
        CHANNEL + "PacketCommitment",
        channel_query.QueryPacketCommitmentRequest(client_id=LOCAL, sequence=1),
        channel_query.QueryPacketCommitmentResponse,
    )
    assert single.commitment == commitments.commitments[0].data
    assert single.proof_height.revision_height == paired.height
    acknowledgements = ask(
        paired,
        CHANNEL + "PacketAcknowledgements",
        channel_query.QueryPacketAcknowledgementsRequest(client_id=LOCAL),
        channel_query.QueryPacketAcknowledgementsResponse,
    )
    assert [one.sequence for one in acknowledgements.acknowledgements] == [1]


def test_what_was_not_received_or_acknowledged_is_told(paired):
    unreceived = ask(
        paired,
        CHANNEL + "UnreceivedPackets",
        channel_query.QueryUnreceivedPacketsRequest(client_id=LOCAL, sequences=[1, 2, 3]),
        channel_query.QueryUnreceivedPacketsResponse,
    )
    assert list(unreceived.sequences) == [2, 3]
    waiting = ask(
        paired,
        CHANNEL + "UnreceivedAcks",
        channel_query.QueryUnreceivedAcksRequest(client_id=LOCAL, packet_ack_sequences=[1, 2]),
        channel_query.QueryUnreceivedAcksResponse,
    )
    assert list(waiting.sequences) == [1]
    for sequence, was_received in ((1, True), (2, False)):
        receipt = ask(
            paired,
            CHANNEL + "PacketReceipt",
            channel_query.QueryPacketReceiptRequest(client_id=LOCAL, sequence=sequence),
            channel_query.QueryPacketReceiptResponse,
        )
        assert receipt.received is was_received


MISSING = [
    (
        CHANNEL + "PacketCommitment",
        channel_query.QueryPacketCommitmentRequest(client_id=LOCAL, sequence=9),
        22,
    ),
    (
        CHANNEL + "PacketAcknowledgement",
        channel_query.QueryPacketAcknowledgementRequest(client_id=LOCAL, sequence=9),
        22,
    ),
    (
        CHANNEL + "PacketCommitment",
        channel_query.QueryPacketCommitmentRequest(client_id=LOCAL),
        18,
    ),
    (
        CHANNEL + "UnreceivedPackets",
        channel_query.QueryUnreceivedPacketsRequest(client_id=LOCAL, sequences=range(1, 1_002)),
        18,
    ),
    (
        CHANNEL + "NextSequenceSend",
        channel_query.QueryNextSequenceSendRequest(client_id=REMOTE),
        22,
    ),
    (CLIENT + "ClientState", client_query.QueryClientStateRequest(client_id=REMOTE), 22),
    (CLIENT + "ClientState", client_query.QueryClientStateRequest(client_id="x"), 18),
    (CLIENT + "ConsensusState", client_query.QueryConsensusStateRequest(client_id=LOCAL), 18),
    (CLIENT + "ClientStatus", client_query.QueryClientStatusRequest(client_id=REMOTE), 22),
]


@pytest.mark.parametrize(("path", "request_", "code"), MISSING)
def test_what_is_not_there_is_not_found(paired, path, request_, code):
    assert refused(paired, path, request_)[0] == code
    assert paired.contract.genesis.chain_id == CHAIN_ID
