"""Messages for chains whose accounts begin otherwise: the same ones, in that chain's spelling."""

from __future__ import annotations

import pytest
from cosmpy.protos.cosmos.bank.v1beta1 import tx_pb2 as bank_pb2
from cosmpy.protos.cosmos.tx.v1beta1 import tx_pb2
from cosmpy.protos.ibc.applications.transfer.v1 import tx_pb2 as transfer_pb2
from cosmpy.protos.ibc.core.client.v1 import tx_pb2 as client_pb2
from fakes.microgrid import key

from tieline.protocol.messages import AnyMessage, Transfer, UpdateClient
from tieline.swap.messages import MsgSend
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import build_transaction, decode_message, encode_message
from tieline.wire.errors import Malformed
from tieline.wire.transactions import sign_messages

ANN = key("ann").cosmos_account
OURS, THEIRS = account_to_text(ANN), account_to_text(ANN, "cosmos")
SEND = MsgSend(ANN, b"\2" * 20, 5, "stake")
MESSAGES = [
    (SEND, bank_pb2.MsgSend, "from_address"),
    (
        UpdateClient(ANN, "07-tendermint-0", AnyMessage("/x", b"y")),
        client_pb2.MsgUpdateClient,
        "signer",
    ),
    (Transfer(ANN, "07-tendermint-0", "stake", 1, "r", 9), transfer_pb2.MsgTransfer, "sender"),
]


@pytest.mark.parametrize(("message", "kind", "field"), MESSAGES)
def test_an_account_is_spelled_as_its_chain_does(message, kind, field):
    for prefix, spelling in (("cosmos", THEIRS), ("tieline", OURS)):
        wire = encode_message(message, prefix)
        assert getattr(kind.FromString(wire.value), field) == spelling
    assert encode_message(message) == encode_message(message, "tieline")


@pytest.mark.parametrize("message", [one for one, _, _ in MESSAGES])
def test_our_own_ledgers_take_no_other_spelling(message):
    assert decode_message(encode_message(message)) == message
    with pytest.raises(Malformed):
        decode_message(encode_message(message, "cosmos"))


def test_a_transaction_for_another_chain_is_signed_over_its_spelling():
    raw = build_transaction([SEND], key("ann"), "stock-1", 7, 3, account_prefix="cosmos")
    (inside,) = tx_pb2.TxBody.FromString(tx_pb2.TxRaw.FromString(raw).body_bytes).messages
    assert bank_pb2.MsgSend.FromString(inside.value).from_address == THEIRS
    encoded = [encode_message(SEND, "cosmos")]
    assert sign_messages(encoded, key("ann"), "stock-1", 7, 3) == raw
    assert sign_messages(encoded, key("ann"), "stock-1", 8, 3) != raw
