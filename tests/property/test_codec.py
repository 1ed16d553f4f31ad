"""Every message reads back as it was written, and has one encoding."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.protocol.messages import Transfer
from tieline.swap.messages import MsgSend
from tieline.swap.records import EnergyTrade
from tieline.wire import codec, records_codec
from tieline.wire.errors import Malformed
from tieline.wire.fields import RecordCodec
from tieline.wire.messages_codec import _CODECS, _NESTED

U64 = st.integers(0, 2**64 - 1)
B20, B32, B65 = (st.binary(min_size=size, max_size=size) for size in (20, 32, 65))
TEXT = st.text(max_size=12)
TRADE = st.builds(
    EnergyTrade,
    *(
        st.just(1),
        st.sampled_from([2, 4]),
        B32,
        B32,
        U64,
        U64,
        st.integers(0, 2**32 - 1),
        B32,
        B32,
        B32,
        B20,
        B20,
        B20,
        B20,
        U64,
        U64,
        U64,
        B32,
        U64,
        U64,
        U64,
        B32,
        B32,
    ),
)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bytes32": B32,
    "address": B20,
    "account": B20,
    "bytes65": B65,
    "bytes65?": st.one_of(st.just(b""), B65),
    "bytes": st.binary(max_size=40),
    "bytes[]": st.lists(st.binary(max_size=8), max_size=3).map(tuple),
    "bytes32[]": st.lists(B32, max_size=3).map(tuple),
    "bytes65[]": st.lists(B65, max_size=2).map(tuple),
    "string": TEXT,
    "uint8": st.integers(0, 255),
    "uint16": st.integers(0, 65535),
    "uint32": st.integers(0, 2**32 - 1),
    "uint64": U64,
    "uint128": st.integers(0, 2**128 - 1),
    "EnergyTrade": st.lists(TRADE, max_size=2).map(tuple),
}
NESTED: dict[str, RecordCodec[Any]] = {
    **_NESTED,
    "Order": records_codec.ORDER,
    "VerdictLeaf": records_codec.VERDICT_LEAF,
    "DeliveryLeaf": records_codec.DELIVERY_LEAF,
    "OwnLeaf": records_codec.OWN_LEAF,
}


def column(kind: str) -> st.SearchStrategy[Any]:
    if kind in SCALARS:
        return SCALARS[kind]
    if kind == "Height":
        return st.builds(NESTED[kind].record, U64, st.integers(1, 2**64 - 1))
    one = record(NESTED[kind.rstrip("[]?")])
    if kind.endswith("[]"):
        return st.lists(one, max_size=2).map(tuple)
    return st.one_of(st.none(), one) if kind.endswith("?") else one


def record(of: RecordCodec[Any]) -> st.SearchStrategy[Any]:
    return st.builds(of.record, *map(column, of.kinds))


BY_HAND: dict[type, st.SearchStrategy[Any]] = {
    MsgSend: st.builds(MsgSend, B20, B20, st.integers(0, 2**128 - 1), TEXT),
    Transfer: st.builds(
        Transfer, B20, TEXT, TEXT, st.integers(0, 2**256 - 1), TEXT, U64, TEXT, TEXT
    ),
}
MESSAGES = {
    kind: BY_HAND[kind] if kind in BY_HAND else record(entry) for kind, entry in _CODECS.items()
}


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_message_reads_back_as_it_was_written(kind: type, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[kind])
    wire = codec.encode_message(message)
    assert codec.decode_message(wire) == message
    assert wire.type_url == codec.TYPE_URLS[kind]


@given(record(records_codec.SIGNED_ORDER), st.data())
@settings(max_examples=60, deadline=None)
def test_changed_bytes_of_an_order_are_refused_or_mean_another_order(
    order: Any, data: st.DataObject
) -> None:
    """No two byte strings decode to the same order."""
    encoded = codec.encode_signed_order(order)
    place = data.draw(st.integers(0, len(encoded) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != encoded[place]))
    changed = encoded[:place] + bytes([value]) + encoded[place + 1 :]
    try:
        decoded = codec.decode_signed_order(changed)
    except Malformed:
        return
    assert decoded != order
    assert codec.encode_signed_order(decoded) == changed


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_raise_nothing_but_malformed(data: bytes) -> None:
    for decode in (codec.decode_transaction, codec.decode_packet, codec.decode_signed_order):
        try:
            decode(data)
        except Malformed:
            continue
