"""
The data of a transfer's packet in the three encodings that ibc-go knows. One transfer has one
spelling in each; a second is refused, so that no two ledgers read two amounts in one packet.

Sources:
    ibc-go v11 ``apps/transfer/types/packet.go`` and ``solidity_abi.go``; Go's ``encoding/json``;
    golden cases ``tests/vectors/transfer_data.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, cast

from tieline.protocol.transfer import (
    ABI_ENCODING,
    JSON_ENCODING,
    MEMO_BYTES_MAX,
    PROTOBUF_ENCODING,
    RECEIVER_BYTES_MAX,
    TRANSFER_AMOUNT_MAX,
    TransferData,
)
from tieline.wire import bounded_json
from tieline.wire.errors import Malformed
from tieline.wire.fields import amount_from_text, amount_to_text
from tieline.wire.proto_fields import Fields, bytes_field
from tieline.wire.words import WORD_BYTES

_NAMES = ("denom", "amount", "sender", "receiver", "memo")
_ESCAPED_BY_GO = re.compile("[<>&\u2028\u2029]")


def encode_transfer_data(data: TransferData, encoding: str) -> bytes:
    """
    Return the packet's value.

    Raises:
        Malformed: An encoding that ibc-go does not know, or a field out of range.
    """
    _check(data)
    return _codec(encoding)[0](data)


def decode_transfer_data(value: bytes, encoding: str) -> TransferData:
    """
    Read a packet's value.

    Raises:
        Malformed: An encoding that ibc-go does not know, bytes that ``encode_transfer_data`` does
            not make, or a field out of range.
    """
    encode, decode = _codec(encoding)
    try:
        data = decode(value)
    except UnicodeDecodeError as exc:
        raise Malformed("not a transfer: text is not UTF-8") from exc
    _check(data)
    if encode(data) != value:
        raise Malformed(f"not the canonical {encoding} of a transfer")
    return data


def _check(data: TransferData) -> None:
    if not 0 < data.amount <= TRANSFER_AMOUNT_MAX:
        raise Malformed(f"transfer of an amount out of range: {data.amount}")
    for name in ("denom", "sender", "receiver"):
        if not getattr(data, name).strip():
            raise Malformed(f"transfer with a blank {name}")
    bounds = (
        ("receiver", data.receiver, RECEIVER_BYTES_MAX),
        ("sender", data.sender, RECEIVER_BYTES_MAX),
        ("memo", data.memo, MEMO_BYTES_MAX),
    )
    for name, text, most in bounds:
        length = len(_utf8(text))
        if length > most:
            raise Malformed(f"transfer with a {name} of {length} bytes, at most {most}")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise Malformed("transfer with text that is not Unicode") from exc


def _codec(
    encoding: str,
) -> tuple[Callable[[TransferData], bytes], Callable[[bytes], TransferData]]:
    codec = _CODECS.get(encoding)
    if codec is None:
        raise Malformed(f"unknown encoding of a transfer: {encoding!r}")
    return codec


def _fields(data: TransferData) -> tuple[str, str, str, str, str]:
    return data.denom, amount_to_text(data.amount), data.sender, data.receiver, data.memo


def _from_fields(denom: str, amount: str, sender: str, receiver: str, memo: str) -> TransferData:
    return TransferData(denom, amount_from_text(amount), sender, receiver, memo)


# --- JSON: what Go's json.Marshal makes --------------------------------------------------------


def _encode_json(data: TransferData) -> bytes:
    members = {name: text for name, text in zip(_NAMES, _fields(data), strict=True) if text}
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    return _utf8(_ESCAPED_BY_GO.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def _decode_json(value: bytes) -> TransferData:
    try:
        members = bounded_json.loads(value.decode())
    except ValueError as exc:
        raise Malformed(f"not a transfer in JSON: {exc}") from exc
    if not isinstance(members, dict):
        raise Malformed("not a transfer in JSON: no object")
    found = cast("dict[str, Any]", members)
    if not found.keys() <= set(_NAMES) or not all(isinstance(text, str) for text in found.values()):
        raise Malformed("transfer in JSON with unknown members or values that are not text")
    return _from_fields(*(found.get(name, "") for name in _NAMES))


# --- protobuf: FungibleTokenPacketData ---------------------------------------------------------


def _encode_protobuf(data: TransferData) -> bytes:
    return b"".join(
        bytes_field(number, _utf8(text)) for number, text in enumerate(_fields(data), 1)
    )


def _decode_protobuf(value: bytes) -> TransferData:
    fields = Fields(value, known=len(_NAMES))
    return _from_fields(*(fields.text(number) for number in range(1, len(_NAMES) + 1)))


# --- Solidity: one dynamic tuple (string denom, string sender, string receiver, uint256, string) --

_HEAD_BYTES = 5 * WORD_BYTES
_AMOUNT_PLACE = 3


def _word(number: int) -> bytes:
    return number.to_bytes(WORD_BYTES)


def _encode_abi(data: TransferData) -> bytes:
    texts = (data.denom, data.sender, data.receiver, data.memo)
    head: list[bytes] = []
    tail = b""
    for text in texts:
        octets = _utf8(text)
        head.append(_word(_HEAD_BYTES + len(tail)))
        tail += _word(len(octets)) + octets + bytes(-len(octets) % WORD_BYTES)
    head.insert(_AMOUNT_PLACE, _word(data.amount))
    return _word(WORD_BYTES) + b"".join(head) + tail


def _decode_abi(value: bytes) -> TransferData:
    tuple_bytes = value[WORD_BYTES:]
    if len(tuple_bytes) < _HEAD_BYTES:
        raise Malformed(f"transfer in ABI of {len(value)} bytes")
    words = [
        int.from_bytes(tuple_bytes[place : place + WORD_BYTES])
        for place in range(0, _HEAD_BYTES, WORD_BYTES)
    ]
    denom, sender, receiver, memo = (_abi_text(tuple_bytes, words[index]) for index in (0, 1, 2, 4))
    return TransferData(denom, words[_AMOUNT_PLACE], sender, receiver, memo)


def _abi_text(tuple_bytes: bytes, start: int) -> str:
    size = int.from_bytes(tuple_bytes[start : start + WORD_BYTES])
    begin = start + WORD_BYTES
    if begin > len(tuple_bytes) or size > len(tuple_bytes) - begin:
        raise Malformed("transfer in ABI with text beyond its end")
    return tuple_bytes[begin : begin + size].decode()


_CODECS: dict[str, tuple[Callable[[TransferData], bytes], Callable[[bytes], TransferData]]] = {
    JSON_ENCODING: (_encode_json, _decode_json),
    PROTOBUF_ENCODING: (_encode_protobuf, _decode_protobuf),
    ABI_ENCODING: (_encode_abi, _decode_abi),
}
