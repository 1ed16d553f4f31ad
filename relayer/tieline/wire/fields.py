"""
Frozen records to protobuf messages and back, from one line of columns a record.

Columns are ``kind name`` or ``kind name:name_in_the_schema``. Lengths and ranges that protobuf does
not know are checked on the way in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from tieline.wire.bech32 import account_from_text, account_to_text
from tieline.wire.errors import Malformed

_LENGTHS = {"bytes32": 32, "address": 20, "bytes65": 65}
_HIGHEST = {"uint8": 0xFF, "uint16": 0xFFFF}
_PLAIN = {"uint32", "uint64", "bytes"}
_UINT128_MAX = (1 << 128) - 1
_UINT256_MAX = (1 << 256) - 1
_UINT256_DIGITS = 78


def money_to_text(amount: int) -> str:
    """Return an unsigned 128-bit amount in decimal. Raises Malformed outside that range."""
    return _to_decimal(amount, _UINT128_MAX)


def money_from_text(text: str) -> int:
    """Return the amount. Raises Malformed unless *text* is what ``money_to_text`` makes."""
    return _from_decimal(text, _UINT128_MAX)


def amount_to_text(amount: int) -> str:
    """Return an unsigned 256-bit amount in decimal. Raises Malformed outside that range."""
    return _to_decimal(amount, _UINT256_MAX)


def amount_from_text(text: str) -> int:
    """Return the amount. Raises Malformed unless *text* is what ``amount_to_text`` makes."""
    return _from_decimal(text, _UINT256_MAX)


def _to_decimal(amount: int, highest: int) -> str:
    if not 0 <= amount <= highest:
        raise Malformed(f"amount out of range: {amount}")
    return str(amount)


def _from_decimal(text: str, highest: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _UINT256_DIGITS):
        raise Malformed(f"not an amount: {text!r}")
    if text[0] == "0" and text != "0":
        raise Malformed(f"amount with leading zeros: {text!r}")
    amount = int(text)
    if amount > highest:
        raise Malformed(f"amount out of range: {text}")
    return amount


def _sized_list(length: int) -> Callable[[Any], tuple[bytes, ...]]:
    def convert(values: Any) -> tuple[bytes, ...]:
        result: tuple[bytes, ...] = tuple(values)
        for value in result:
            if len(value) != length:
                raise Malformed(f"entry of {len(value)} bytes, expected {length}")
        return result

    return convert


def _empty_or_sized(length: int) -> Callable[[bytes], bytes]:
    def convert(value: bytes) -> bytes:
        if len(value) not in {0, length}:
            raise Malformed(f"{len(value)} bytes, expected {length} or none")
        return value

    return convert


Converter = Callable[[Any], Any]

_SCALARS: dict[str, tuple[Converter, Converter]] = {
    "account": (account_to_text, account_from_text),
    "uint128": (money_to_text, money_from_text),
    "bytes65?": (_empty_or_sized(65), _empty_or_sized(65)),
    "bytes32[]": (_sized_list(32), _sized_list(32)),
    "bytes65[]": (_sized_list(65), _sized_list(65)),
    "bytes[]": (tuple, tuple),
}
"""Kinds that change their form: to the wire, from the wire."""

RecordT = TypeVar("RecordT")


class RecordCodec(Generic[RecordT]):
    """One record and its protobuf message."""

    def __init__(
        self,
        record: type[RecordT],
        message: type[Message],
        columns: str,
        nested: Mapping[str, RecordCodec[Any]] | None = None,
        scalars: Mapping[str, tuple[Converter, Converter]] | None = None,
    ) -> None:
        """
        Compile *columns*.

        Args:
            record: A frozen dataclass; columns stand in the order of its fields.
            message: The generated class.
            columns: Kinds and names; a kind is a scalar or a key of *nested*, with ``[]`` for
                many and ``?`` for one or none.
            nested: Codecs of the records inside.
            scalars: Further kinds that change their form: to the wire, from the wire.
        """
        kinds, names, wire_names = _parse(columns)
        assert names == [field.name for field in fields(cast("Any", record))]
        assert set(wire_names) == set(message.DESCRIPTOR.fields_by_name)
        self.record: Callable[..., RecordT] = record
        self.message = message
        self.kinds = kinds
        self.wire_names = wire_names
        self._from_record = _getter(names)
        self._from_message = _getter(wire_names)
        self._sized: list[tuple[int, int]] = []
        self._bounded: list[tuple[int, int]] = []
        self._incoming: list[tuple[int, Converter]] = []
        self._outgoing: list[tuple[int, Converter]] = []
        self._optional: list[tuple[int, str]] = []
        forms = {**_SCALARS, **(scalars or {})}
        for index, kind in enumerate(kinds):
            self._compile_column(index, kind, forms, nested or {})

    def _compile_column(
        self,
        index: int,
        kind: str,
        forms: Mapping[str, tuple[Converter, Converter]],
        nested: Mapping[str, RecordCodec[Any]],
    ) -> None:
        if kind in _LENGTHS:
            self._sized.append((index, _LENGTHS[kind]))
        elif kind in _HIGHEST:
            self._bounded.append((index, _HIGHEST[kind]))
        elif kind in forms:
            outgoing, incoming = forms[kind]
            self._outgoing.append((index, outgoing))
            self._incoming.append((index, incoming))
        elif kind == "string":
            # Names of clients and ports come with every packet: one object serves all of a kind.
            self._incoming.append((index, sys.intern))
        elif kind not in _PLAIN:
            codec = nested[kind.rstrip("[]?")]
            if kind.endswith("[]"):
                self._outgoing.append((index, _each(codec.to_message)))
                self._incoming.append((index, _each(codec.from_message)))
                return
            if kind.endswith("?"):
                self._optional.append((index, self.wire_names[index]))
            self._outgoing.append((index, _unless_none(codec.to_message)))
            self._incoming.append((index, _unless_none(codec.from_message)))

    def _check(self, values: list[Any]) -> None:
        for index, length in self._sized:
            if len(values[index]) != length:
                actual = len(values[index])
                raise Malformed(f"{self.wire_names[index]} of {actual} bytes, expected {length}")
        for index, highest in self._bounded:
            if not 0 <= values[index] <= highest:
                raise Malformed(f"{self.wire_names[index]} out of range: {values[index]}")

    def to_message(self, record: RecordT) -> Message:
        """Return the message. Raises Malformed when a field does not fit its kind."""
        values = list(self._from_record(record))
        self._check(values)
        for index, convert in self._outgoing:
            values[index] = convert(values[index])
        try:
            return self.message(**dict(zip(self.wire_names, values, strict=True)))
        except (TypeError, ValueError) as exc:
            raise Malformed(f"{self.message.DESCRIPTOR.name}: {exc}") from exc

    def from_message(self, message: Message) -> RecordT:
        """Return the record. Raises Malformed when a field does not fit its kind."""
        values = list(self._from_message(message))
        for index, name in self._optional:
            if not message.HasField(name):
                values[index] = None
        self._check(values)
        for index, convert in self._incoming:
            values[index] = convert(values[index])
        try:
            return self.record(*values)
        except Malformed:
            raise
        except ValueError as exc:
            raise Malformed(f"{self.message.DESCRIPTOR.name}: {exc}") from exc

    def encode(self, record: RecordT) -> bytes:
        """Return the message's bytes. Raises Malformed when a field does not fit its kind."""
        return self.to_message(record).SerializeToString(deterministic=True)

    def decode(self, data: bytes) -> RecordT:
        """Read the record. Raises Malformed on all bytes that ``encode`` does not make."""
        return self.from_message(parse_strictly(self.message, data))


MessageT = TypeVar("MessageT", bound=Message)


def parse_strictly(message_class: type[MessageT], data: bytes) -> MessageT:
    """
    Read a message of which exactly one encoding is accepted.

    Raises:
        Malformed: Not protobuf, a field that the schema does not know, fields out of order, or
            defaults written out.
    """
    message = message_class()
    try:
        message.ParseFromString(data)
    except DecodeError as exc:
        raise Malformed(f"not a {message_class.DESCRIPTOR.full_name}: {exc}") from exc
    # Unknown fields would survive the round trip. (The stubs do not know the method.)
    cast("Any", message).DiscardUnknownFields()
    if message.SerializeToString(deterministic=True) != data:
        raise Malformed(f"not the canonical encoding of a {message_class.DESCRIPTOR.full_name}")
    return message


def _parse(columns: str) -> tuple[list[str], list[str], list[str]]:
    kinds: list[str] = []
    names: list[str] = []
    wire_names: list[str] = []
    for column in columns.split(","):
        kind, name = column.split(" ")
        name, _, wire_name = name.partition(":")
        kinds.append(kind)
        names.append(name)
        wire_names.append(wire_name or name)
    return kinds, names, wire_names


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    get = attrgetter(*names)
    # attrgetter of a single name returns the bare value.
    return get if len(names) > 1 else lambda owner: (get(owner),)


def _each(convert: Converter) -> Converter:
    return lambda values: tuple(map(convert, values))


def _unless_none(convert: Converter) -> Converter:
    return lambda value: None if value is None else convert(value)
