"""What Cosmos tools read of a transaction: events in a stock chain's order, message responses."""

import base64

from cosmpy.protos.cosmos.bank.v1beta1.tx_pb2 import MsgSendResponse
from cosmpy.protos.cosmos.base.abci.v1beta1.abci_pb2 import TxMsgData
from cosmpy.protos.ibc.core.channel.v2.tx_pb2 import (
    RESPONSE_RESULT_TYPE_NOOP as NOOP,
)
from cosmpy.protos.ibc.core.channel.v2.tx_pb2 import (
    RESPONSE_RESULT_TYPE_SUCCESS as SUCCESS,
)
from cosmpy.protos.ibc.core.channel.v2.tx_pb2 import (
    MsgRecvPacketResponse,
    MsgSendPacketResponse,
)
from cosmpy.protos.ibc.core.client.v1.tx_pb2 import MsgCreateClientResponse
from fakes.light_client import CONSENSUS, STATE
from fakes.microgrid import LOCAL, REMOTE, Ledger, key, pay
from fakes.packets import CELL, RELAYER, TIMEOUT_S, incoming, open_ledger, payload, receive

from tieline.contract.cosmos_form import cosmos_events
from tieline.contract.fees import FEE_COLLECTOR
from tieline.protocol.messages import AnyMessage, CreateClient, RegisterCounterparty, SendPacket
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import build_transaction, decode_transaction

ANN, BOB = (account_to_text(key(name).cosmos_account) for name in ("ann", "bob"))


def rows(result):
    return [(one.type, dict(one.attributes)) for one in cosmos_events(result)]


def test_a_payment_with_a_fee_tells_what_a_stock_chain_tells():
    ledger = Ledger()
    raw = build_transaction(
        [pay("ann", "bob", 7)], key("ann"), "tieline-a-1", 0, 0, 100_000, [("neur", 5)]
    )
    (result,) = ledger.block(raw)
    collector = account_to_text(FEE_COLLECTOR)
    signature = base64.b64encode(decode_transaction(raw).signature).decode()
    index = {"msg_index": "0"}
    assert rows(result) == [
        ("coin_spent", {"spender": ANN, "amount": "5neur"}),
        ("coin_received", {"receiver": collector, "amount": "5neur"}),
        ("transfer", {"recipient": collector, "sender": ANN, "amount": "5neur"}),
        ("message", {"sender": ANN}),
        ("tx", {"fee": "5neur", "fee_payer": ANN}),
        ("tx", {"acc_seq": f"{ANN}/0"}),
        ("tx", {"signature": signature}),
        (
            "message",
            {
                "action": "/cosmos.bank.v1beta1.MsgSend",
                "sender": ANN,
                "module": "bank",
                "msg_index": "0",
            },
        ),
        ("coin_spent", {"spender": ANN, "amount": "7neur"} | index),
        ("coin_received", {"receiver": BOB, "amount": "7neur"} | index),
        ("transfer", {"recipient": BOB, "sender": ANN, "amount": "7neur"} | index),
        ("message", {"sender": ANN} | index),
    ]


def test_every_event_of_a_message_names_its_message():
    ledger = Ledger()
    result = ledger.must("ann", pay("ann", "bob", 1), pay("ann", "bob", 2))
    told = [row for row in rows(result) if row[0] != "tx"]
    assert [row[1]["msg_index"] for row in told] == ["0"] * 5 + ["1"] * 5


def test_a_failed_transaction_keeps_the_events_of_fee_and_signature():
    ledger = Ledger()
    failed = ledger.run("ann", pay("ann", "bob", 10**13))
    assert [row[0] for row in rows(failed)] == ["tx", "tx", "tx"]
    unsigned = ledger.block(b"nonsense")[0]
    assert rows(unsigned) == []


def test_packets_are_told_as_ibc_go_tells_them():
    ledger = open_ledger(Ledger())
    result = ledger.must("relayer", receive(incoming()))
    told = rows(result)[3:]
    assert [row[0] for row in told if row[0] != "echo_received"][-4:] == [
        "recv_packet",
        "message",
        "write_acknowledgement",
        "message",
    ]
    modules = [row[1]["module"] for row in told if row[0] == "message" and "action" not in row[1]]
    assert modules[-2:] == ["ibc_channelv2"] * 2
    assert all(row[1]["msg_index"] for row in told)
    received = next(row[1] for row in told if row[0] == "recv_packet")
    assert received["encoded_packet_hex"]
    responses = TxMsgData.FromString(result.data).msg_responses
    answer = MsgRecvPacketResponse.FromString(responses[-1].value)
    assert (responses[-1].type_url, answer.result) == (
        "/ibc.core.channel.v2.MsgRecvPacketResponse",
        SUCCESS,
    )
    again = ledger.must("relayer", receive(incoming()))
    last = TxMsgData.FromString(again.data).msg_responses[-1]
    assert MsgRecvPacketResponse.FromString(last.value).result == NOOP


def test_responses_name_what_was_made():
    ledger = Ledger()
    paid = ledger.must("ann", pay("ann", "bob", 1))
    (response,) = TxMsgData.FromString(paid.data).msg_responses
    assert response.type_url == "/cosmos.bank.v1beta1.MsgSendResponse"
    assert MsgSendResponse.FromString(response.value) == MsgSendResponse()
    state = AnyMessage(STATE, (10).to_bytes(8, "big"))
    consensus = AnyMessage(CONSENSUS, (ledger.now_s * 10**9).to_bytes(8, "big"))
    created = ledger.must("cell", CreateClient(CELL, state, consensus))
    (response,) = TxMsgData.FromString(created.data).msg_responses
    assert MsgCreateClientResponse.FromString(response.value).client_id == LOCAL
    (told,) = [row[1] for row in rows(created) if row[0] == "create_client"]
    assert told["consensus_height"] == told["consensus_heights"]
    ledger.must("cell", RegisterCounterparty(CELL, LOCAL, REMOTE, (b"ibc", b"")))
    sent = ledger.must("relayer", SendPacket(RELAYER, LOCAL, TIMEOUT_S, (payload(),)))
    (response,) = TxMsgData.FromString(sent.data).msg_responses
    assert MsgSendPacketResponse.FromString(response.value).sequence == 1
