"""A transfer's packet has ibc-go's bytes in each encoding, and only those."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.protocol.messages import Transfer
from tieline.protocol.transfer import TRANSFER_ENCODINGS, TransferData
from tieline.wire import codec
from tieline.wire.errors import Malformed
from tieline.wire.transfer_data import decode_transfer_data, encode_transfer_data

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "transfer_data.json").read_text(encoding="utf-8")
)
PLAIN = TransferData("neur", 1_000_000_000, "cosmos1sender", "tieline1receiver")
TEXT = st.text(min_size=1, max_size=40).filter(str.strip)
WORD = 32


def _plain(encoding: str) -> bytes:
    return encode_transfer_data(PLAIN, encoding)


@pytest.mark.parametrize("encoding", TRANSFER_ENCODINGS)
@pytest.mark.parametrize("row", VECTORS["data"], ids=lambda row: row["name"])
def test_a_transfer_has_the_bytes_that_ibc_go_makes(row: dict[str, str], encoding: str) -> None:
    data = TransferData(
        row["denom"], int(row["amount"]), row["sender"], row["receiver"], row["memo"]
    )
    assert encode_transfer_data(data, encoding).hex() == row[encoding]
    assert decode_transfer_data(bytes.fromhex(row[encoding]), encoding) == data


@pytest.mark.parametrize("encoding", TRANSFER_ENCODINGS)
@given(
    st.builds(TransferData, TEXT, st.integers(1, 2**256 - 1), TEXT, TEXT, st.text(max_size=80)),
    st.data(),
)
def test_a_transfer_reads_back_and_a_changed_byte_is_another_one_or_none(
    encoding: str, data: TransferData, draw: st.DataObject
) -> None:
    value = encode_transfer_data(data, encoding)
    assert decode_transfer_data(value, encoding) == data
    place = draw.draw(st.integers(0, len(value) - 1))
    byte = draw.draw(st.integers(0, 255).filter(lambda other: other != value[place]))
    changed = value[:place] + bytes([byte]) + value[place + 1 :]
    with contextlib.suppress(Malformed):
        assert decode_transfer_data(changed, encoding) != data


@pytest.mark.parametrize("encoding", [*TRANSFER_ENCODINGS, "application/x-protobuf "])
@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing_but_malformed(encoding: str, value: bytes) -> None:
    with contextlib.suppress(Malformed):
        decode_transfer_data(value, encoding)


@pytest.mark.parametrize(
    "value",
    [
        b'{"denom": "neur","amount":"1","sender":"a","receiver":"b"}',
        b'{"amount":"1","denom":"neur","receiver":"b","sender":"a"}',
        b'{"denom":"neur","amount":"1","sender":"a","receiver":"b","memo":""}',
        b'{"denom":"neur","amount":"1","Amount":"9","sender":"a","receiver":"b"}',
        b'{"denom":"neur","amount":"1","amount":"9","sender":"a","receiver":"b"}',
        b'{"denom":"neur","amount":1,"sender":"a","receiver":"b"}',
        b'{"denom":"neur","amount":"1","sender":"<","receiver":"b"}',
        b'{"denom":"neur","amount":"1","sender":"a","receiver":"b"}\n',
        b'["neur","1","a","b"]',
        b"null",
        b"",
        b"[" * 100_000,
        b'{"denom":"\\ud800","amount":"1","sender":"a","receiver":"b"}',
        b'{"denom":"n\xff","amount":"1","sender":"a","receiver":"b"}',
    ],
)
def test_json_that_go_would_not_write_is_refused(value: bytes) -> None:
    """ibc-go reads some of these, and not always as we would."""
    with pytest.raises(Malformed):
        decode_transfer_data(value, "application/json")


@pytest.mark.parametrize(
    "amount",
    ["0", "-1", "+1", "01", "1_000", "0x10", "1e9", "1.0", " 1", "", "٣", str(2**256), "9" * 80],
)
def test_an_amount_is_decimal_positive_and_within_256_bits(amount: str) -> None:
    value = json.dumps(
        {"denom": "neur", "amount": amount, "sender": "a", "receiver": "b"},
        separators=(",", ":"),
        ensure_ascii=False,
    )
    with pytest.raises(Malformed):
        decode_transfer_data(value.encode(), "application/json")


def test_a_blank_or_oversized_field_is_refused_both_ways() -> None:
    bad = (
        TransferData(" ", 1, "a", "b"),
        TransferData("neur", 1, "", "b"),
        TransferData("neur", 1, "a", "\t"),
        TransferData("neur", 1, "a", "b" * 2_049),
        TransferData("neur", 1, "a", "b", "m" * 32_769),
        TransferData("neur", 0, "a", "b"),
        TransferData("neur", -5, "a", "b"),
        TransferData("neur", 2**256, "a", "b"),
        TransferData("neur", 1, "a", "b", "\ud800"),
        TransferData("\ud800", 1, "a", "b"),
    )
    for data in bad:
        for encoding in TRANSFER_ENCODINGS:
            with pytest.raises(Malformed):
                encode_transfer_data(data, encoding)
    widest = TransferData("neur", 1, "a", "b" * 2_048, "m" * 32_768)
    assert decode_transfer_data(
        encode_transfer_data(widest, "application/json"), "application/json"
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value[:-WORD],
        lambda value: value + bytes(WORD),
        lambda value: value[:-1] + b"\x01",
        lambda value: value[: WORD - 1] + b"\x40" + value[WORD:],
        lambda value: value[: 2 * WORD - 2] + b"\xff" + value[2 * WORD - 1 :],
        lambda value: value[:WORD] + b"\xff" * WORD + value[2 * WORD :],
        lambda value: value[: 5 * WORD],
        lambda _: b"",
    ],
)
def test_abi_with_moved_offsets_dirty_padding_or_missing_words_is_refused(spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(Malformed):
        decode_transfer_data(
            spoil(_plain("application/x-solidity-abi")), "application/x-solidity-abi"
        )


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(Malformed, match="application/cbor"):
        encode_transfer_data(PLAIN, "application/cbor")
    with pytest.raises(Malformed, match="unknown encoding"):
        decode_transfer_data(b"", "")


SIGNER = bytes(range(20))


def test_the_message_has_ibc_go_s_bytes_with_an_empty_height() -> None:
    wire = codec.encode_message(
        Transfer(SIGNER, "07-tendermint-0", "neur", 5, "cosmos1b", 1_800_000_000)
    )
    assert wire.type_url == "/ibc.applications.transfer.v1.MsgTransfer"
    assert wire.value.startswith(
        b"\x0a\x08transfer\x12\x0f07-tendermint-0\x1a\x09\x0a\x04neur\x12\x015"
    )
    assert b"\x2a\x08cosmos1b\x32\x00\x38" in wire.value


def test_a_transfer_with_a_height_or_from_another_port_is_refused() -> None:
    wire = codec.encode_message(Transfer(SIGNER, "07-tendermint-0", "neur", 5, "b", 9))
    absent = wire.value.replace(b"\x32\x00", b"")
    assert codec.decode_message(type(wire)(wire.type_url, absent)) == codec.decode_message(wire)
    for spoiled, words in (
        (wire.value.replace(b"\x32\x00", b"\x32\x02\x10\x09"), "timeout height"),
        (wire.value.replace(b"transfer", b"transfes"), "port"),
    ):
        with pytest.raises(Malformed, match=words):
            codec.decode_message(type(wire)(wire.type_url, spoiled))
