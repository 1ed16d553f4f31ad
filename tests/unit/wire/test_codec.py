"""Messages as bytes: golden cases written by hand, and refusals. Round trips are properties."""

import typing
from dataclasses import replace

import pytest

from tieline.interfaces.ledger import Message
from tieline.protocol.height import Height
from tieline.protocol.messages import (
    AcknowledgePacket,
    AnyMessage,
    IbcMessage,
    RecvPacket,
    TimeoutPacket,
    UpdateClient,
)
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgLockAndSend,
    MsgPlaceOrders,
    MsgRefund,
    MsgReleaseOrder,
    MsgWaive,
    ProvedDeliveryLeaf,
    TradeMessage,
)
from tieline.swap.records import DeliveryLeaf, EnergyTrade, Order, SignedOrder
from tieline.wire import codec
from tieline.wire.bech32 import account_to_text
from tieline.wire.errors import Malformed
from tieline.wire.generated.trade.v1.messages_pb2 import MsgRefund as MsgRefundMessage

SIGNER = bytes(range(20))
SIGNER_FIELD = b"\x0a\x2e" + account_to_text(SIGNER).encode()
H32 = b"\x05" * 32
ORDER = SignedOrder(
    Order(H32, SIGNER, H32, 1, 7, 2, 300, 900, 5000, 0, 300000, bytes(32), 1), b"\x06" * 65
)
PACKET = Packet(1, "07-tendermint-0", "07-tendermint-1", 100, (Payload("a", "b", "c", "d", b"e"),))
TRADE = EnergyTrade(
    *(1, 2, H32, H32, 3, 300, 900, H32, H32, H32, SIGNER, SIGNER, SIGNER, SIGNER, 5000),
    *(200400, 200000, H32, 3, 2, 1, H32, H32),
)


def test_every_message_of_the_domain_has_a_type_url() -> None:
    kinds = set(typing.get_args(IbcMessage)) | set(typing.get_args(TradeMessage))
    assert set(codec.TYPE_URLS) == kinds == set(typing.get_args(Message))
    assert len(set(codec.TYPE_URLS.values())) == len(kinds)


def test_ibc_messages_have_the_standard_type_urls() -> None:
    urls = {kind.__name__: codec.TYPE_URLS[kind] for kind in typing.get_args(IbcMessage)}
    assert urls == {
        "CreateClient": "/ibc.core.client.v1.MsgCreateClient",
        "UpdateClient": "/ibc.core.client.v1.MsgUpdateClient",
        "RegisterCounterparty": "/ibc.core.client.v2.MsgRegisterCounterparty",
        "SendPacket": "/ibc.core.channel.v2.MsgSendPacket",
        "RecvPacket": "/ibc.core.channel.v2.MsgRecvPacket",
        "AcknowledgePacket": "/ibc.core.channel.v2.MsgAcknowledgement",
        "TimeoutPacket": "/ibc.core.channel.v2.MsgTimeout",
        "Transfer": "/ibc.applications.transfer.v1.MsgTransfer",
    }


def test_bytes_of_a_simple_message() -> None:
    wire = codec.encode_message(MsgReleaseOrder(SIGNER, H32))
    assert wire == AnyMessage("/tieline.trade.v1.MsgReleaseOrder", SIGNER_FIELD + b"\x12\x20" + H32)


def test_bytes_of_an_order() -> None:
    """Field by field: zero is left out, the anchor's zero bytes are not."""
    order = (
        b"\x0a\x20" + H32,
        b"\x12\x14" + SIGNER,
        b"\x1a\x20" + H32,
        b"\x20\x01\x28\x07\x30\x02",
        b"\x38\xac\x02\x40\x84\x07\x48\x88\x27",
        b"\x58\xe0\xa7\x12",
        b"\x62\x20" + bytes(32),
        b"\x68\x01",
    )
    inner = b"".join(order)
    expected = b"\x0a" + bytes([len(inner) % 128 + 128, len(inner) // 128]) + inner
    assert codec.encode_signed_order(ORDER) == expected + b"\x12\x41" + b"\x06" * 65


def test_field_numbers_of_packet_messages_are_ibc_go_s() -> None:
    packet = codec.encode_packet(PACKET)
    head = b"\x0a" + bytes([len(packet)]) + packet
    height = b"\x08\x01\x10\x05"
    text = account_to_text(SIGNER).encode()
    signer = bytes([len(text)]) + text
    timeout = TimeoutPacket(SIGNER, PACKET, b"pf", Height(1, 5))
    acknowledge = AcknowledgePacket(SIGNER, PACKET, Acknowledgement((b"ok",)), b"pf", Height(1, 5))
    recv = RecvPacket(SIGNER, PACKET, b"pf", Height(1, 5))
    assert codec.encode_message(recv).value == (
        head + b"\x12\x02pf\x1a\x04" + height + b"\x22" + signer
    )
    assert codec.encode_message(timeout).value == (
        head + b"\x12\x02pf\x1a\x04" + height + b"\x2a" + signer
    )
    assert codec.encode_message(acknowledge).value == (
        head + b"\x12\x04\x0a\x02ok\x1a\x02pf\x22\x04" + height + b"\x2a" + signer
    )


def test_packet_and_acknowledgement_bytes() -> None:
    assert codec.encode_packet(PACKET) == (
        b"\x08\x01\x12\x0f07-tendermint-0\x1a\x0f07-tendermint-1\x20\x64"
        b"\x2a\x0f\x0a\x01a\x12\x01b\x1a\x01c\x22\x01d\x2a\x01e"
    )
    # Seen on a stock ibc-go chain: the success acknowledgement of a token transfer.
    acknowledgement = Acknowledgement((b'{"result":"AQ=="}',))
    data = bytes.fromhex("0a117b22726573756c74223a2241513d3d227d")
    assert codec.encode_acknowledgement(acknowledgement) == data
    assert codec.decode_acknowledgement(data) == acknowledgement
    assert codec.decode_packet(codec.encode_packet(PACKET)) == PACKET


def test_trades_travel_as_the_packet_s_own_736_bytes() -> None:
    message = MsgLockAndSend(SIGNER, "07-tendermint-0", 99, (TRADE,))
    wire = codec.encode_message(message)
    assert codec.decode_message(wire) == message
    at_level_1 = codec.encode_message(replace(message, trades=(replace(TRADE, level=1),)))
    with pytest.raises(Malformed, match="level"):
        codec.decode_message(at_level_1)


def test_unknown_type_url_is_refused() -> None:
    with pytest.raises(Malformed, match="unknown message"):
        codec.decode_message(AnyMessage("/tieline.trade.v1.MsgNothing", b""))


def test_absent_verdict_is_none_and_present_one_stays() -> None:
    message = MsgApplyVerdict(SIGNER, 900, H32, ())
    decoded = codec.decode_message(codec.encode_message(message))
    assert isinstance(decoded, MsgApplyVerdict)
    assert decoded.verdict is None
    # An empty verdict is not the same as none: its hashes have no bytes.
    wire = codec.encode_message(message)
    with pytest.raises(Malformed, match="cell_set_id"):
        codec.decode_message(AnyMessage(wire.type_url, wire.value + b"\x2a\x00"))


SPOILED_ORDERS = [
    replace(ORDER, signature=bytes(64)),
    replace(ORDER, order=replace(ORDER.order, chain_tag=bytes(31))),
    replace(ORDER, order=replace(ORDER.order, account=bytes(32))),
    replace(ORDER, order=replace(ORDER.order, anchor=b"")),
    replace(ORDER, order=replace(ORDER.order, side=256)),
    replace(ORDER, order=replace(ORDER.order, side=-1)),
    replace(ORDER, order=replace(ORDER.order, slot_length=2**32)),
    replace(ORDER, order=replace(ORDER.order, energy_wh=2**64)),
    replace(ORDER, order=replace(ORDER.order, nonce=-1)),
]


@pytest.mark.parametrize("order", SPOILED_ORDERS)
def test_order_out_of_range_is_not_written(order: SignedOrder) -> None:
    with pytest.raises(Malformed):
        codec.encode_message(MsgPlaceOrders(SIGNER, (order,)))


GOOD = codec.encode_signed_order(ORDER)


@pytest.mark.parametrize(
    ("why", "data"),
    [
        ("bytes, expected 65", GOOD[:-67] + b"\x12\x40" + bytes(64)),
        (
            "side out of range",
            GOOD.replace(b"\x20\x01\x28", b"\x20\x81\x02\x28").replace(
                GOOD[:3], b"\x0a" + bytes([GOOD[1] + 1, GOOD[2]])
            ),
        ),
        ("canonical", GOOD + b"\x18\x01"),
        ("canonical", GOOD[-67:] + GOOD[:-67]),
        ("not a", GOOD[:-1]),
        ("signature of 0", b""),
    ],
)
def test_spoiled_order_bytes_are_refused(why: str, data: bytes) -> None:
    with pytest.raises(Malformed, match=why):
        codec.decode_signed_order(data)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_proof_node_of_another_length_is_refused(size: int) -> None:
    leaf = ProvedDeliveryLeaf(DeliveryLeaf(H32, 5), (H32, bytes(size)))
    with pytest.raises(Malformed, match="expected 32"):
        codec.encode_message(MsgRefund(SIGNER, H32, (leaf,)))
    good = codec.encode_message(MsgRefund(SIGNER, H32, (replace(leaf, proof=(H32,)),)))
    spoiled = MsgRefundMessage.FromString(good.value)
    spoiled.deliveries[0].proof.append(bytes(size))
    with pytest.raises(Malformed, match="expected 32"):
        codec.decode_message(AnyMessage(good.type_url, spoiled.SerializeToString()))


@pytest.mark.parametrize("size", [1, 64, 66])
def test_cosignature_is_whole_or_absent(size: int) -> None:
    with pytest.raises(Malformed):
        codec.encode_message(MsgWaive(SIGNER, H32, 5, bytes(size)))
    for whole in (b"", bytes(65)):
        message = MsgWaive(SIGNER, H32, 5, whole)
        assert codec.decode_message(codec.encode_message(message)) == message


def test_height_zero_is_refused() -> None:
    wire = codec.encode_message(RecvPacket(SIGNER, PACKET, b"", Height(0, 1)))
    spoiled = wire.value.replace(b"\x1a\x02\x10\x01", b"\x1a\x00")
    assert spoiled != wire.value
    with pytest.raises(Malformed, match="Height"):
        codec.decode_message(AnyMessage(wire.type_url, spoiled))


def test_client_message_is_carried_unread() -> None:
    inner = AnyMessage("/tieline.client.v1.Paired", b"\xff\xff not protobuf")
    message = UpdateClient(SIGNER, "07-tendermint-0", inner)
    assert codec.decode_message(codec.encode_message(message)) == message
