"""
The protobuf wire format by hand: what light clients and proofs need, fast and strict.

Writers leave out zero and empty fields, as proto3 does; ``message_field`` always writes, as
gogoproto does for embedded messages. A reader that must refuse every second spelling of a message
writes it again and compares.
"""

from __future__ import annotations

from tieline.wire.errors import Malformed

_SMALL = tuple(bytes([n]) if n < 0x80 else bytes([n & 0x7F | 0x80, n >> 7]) for n in range(1 << 12))
_SMALL_COUNT = len(_SMALL)
_UINT64_COUNT = 1 << 64
_INT64_COUNT = 1 << 63

VARINT = 0
FIXED64 = 1
LENGTH_DELIMITED = 2
FIXED32 = 5


def uvarint(number: int) -> bytes:
    """Encode 0 <= *number* < 2**64 in base 128, low groups first."""
    if number < _SMALL_COUNT:
        return _SMALL[number]
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def zigzag(number: int) -> bytes:
    """Encode -2**63 <= *number* < 2**63 as IAVL and Amino do: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return uvarint(number << 1 if number >= 0 else (-number << 1) - 1)


def read_uvarint(data: bytes, start: int) -> tuple[int, int]:
    """
    Return the number at *start* and the place behind it.

    Raises:
        Malformed: Cut short, longer than 64 bits, or not the shortest spelling.
    """
    first = data[start] if start < len(data) else 0x80
    if first < 0x80:  # nearly all of them
        return first, start + 1
    number = shift = 0
    place = start
    for octet in data[start : start + 10]:
        place += 1
        number |= (octet & 0x7F) << shift
        if octet < 0x80:
            if (octet == 0 and shift) or number >= _UINT64_COUNT:
                break
            return number, place
        shift += 7
    raise Malformed(f"varint out of range: offset={start}")


def uint_field(number: int, value: int) -> bytes:
    """Write an unsigned or enumerated field; nothing for zero."""
    return _SMALL[number << 3] + uvarint(value) if value else b""


def int_field(number: int, value: int) -> bytes:
    """Write an int64 field; nothing for zero, ten bytes below zero."""
    return uint_field(number, value % _UINT64_COUNT)


def sfixed64_field(number: int, value: int) -> bytes:
    """Write an sfixed64 field; nothing for zero."""
    if not value:
        return b""
    return uvarint(number << 3 | FIXED64) + value.to_bytes(8, "little", signed=True)


def bytes_field(number: int, value: bytes) -> bytes:
    """Write bytes or UTF-8 text; nothing if empty."""
    return message_field(number, value) if value else b""


def message_field(number: int, value: bytes) -> bytes:
    """Write an embedded message, even when it is empty."""
    length = len(value)
    size = _SMALL[length] if length < _SMALL_COUNT else uvarint(length)
    return _SMALL[number << 3 | LENGTH_DELIMITED] + size + value


def delimited(message: bytes) -> bytes:
    """Put the length before *message*."""
    return uvarint(len(message)) + message


class Fields:
    """
    The fields of one message, taken by number and kind; an unknown or repeated one is refused.
    """

    __slots__ = ("_values",)

    def __init__(self, data: bytes, known: int) -> None:
        """
        Read *data*, whose fields are numbered 1 to *known*.

        Raises:
            Malformed: Cut short, a group, or a number beyond *known*.
        """
        values: dict[int, list[int | bytes]] = {}
        place, end = 0, len(data)
        while place < end:
            key = data[place]
            if key < 0x80:
                place += 1
            else:
                key, place = read_uvarint(data, place)
            number, kind = key >> 3, key & 7
            if not 1 <= number <= known:
                raise Malformed(f"unknown field: number={number}")
            value: int | bytes
            if kind == LENGTH_DELIMITED:
                length, start = read_uvarint(data, place)
                place = start + length
                value = data[start:place]
            elif kind == VARINT:
                value, place = read_uvarint(data, place)
            elif kind == FIXED64:
                value = int.from_bytes(data[place : place + 8], "little", signed=True)
                place += 8
            else:
                raise Malformed(f"unknown wire type: number={number} type={kind}")
            if place > end:
                raise Malformed(f"field cut short: number={number}")
            if number in values:
                values[number].append(value)
            else:
                values[number] = [value]
        self._values = values

    def uint(self, number: int) -> int:
        """Return an unsigned field, 0 if it is not there."""
        value = self._one(number, 0)
        if not isinstance(value, int):
            raise Malformed(f"not a number: field={number}")
        return value

    def int64(self, number: int) -> int:
        """Return a signed field, 0 if it is not there."""
        value = self.uint(number)
        return value - _UINT64_COUNT if value >= _INT64_COUNT else value

    def octets(self, number: int) -> bytes:
        """Return a bytes field, empty if it is not there."""
        value = self._one(number, b"")
        if not isinstance(value, bytes):
            raise Malformed(f"not bytes: field={number}")
        return value

    def text(self, number: int) -> str:
        """Return a text field, empty if it is not there."""
        try:
            return self.octets(number).decode()
        except UnicodeDecodeError as exc:
            raise Malformed(f"not UTF-8: field={number}") from exc

    def has(self, number: int) -> bool:
        """Tell whether the field is there."""
        return number in self._values

    def each_bytes(self, number: int) -> tuple[bytes, ...]:
        """Return a repeated bytes or message field, in order."""
        values = self._values.get(number, [])
        found = tuple(value for value in values if isinstance(value, bytes))
        if len(found) != len(values):
            raise Malformed(f"not bytes: field={number}")
        return found

    def _one(self, number: int, absent: int | bytes) -> int | bytes:
        values = self._values.get(number)
        if values is None:
            return absent
        if len(values) > 1:
            raise Malformed(f"field repeated: number={number}")
        return values[0]
