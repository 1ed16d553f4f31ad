"""
Protobuf messages read as Fabric's peers read them, for bytes that a client of Fabric chose.

A peer that commits a transaction passes over fields it does not know and takes the last of a
repeated one. A reader that refused such bytes would miss a write that stands, so this one takes
them; what it takes, it takes exactly as Go's protobuf does.

Sources:
    ``google.golang.org/protobuf`` 1.36, ``encoding/protowire`` and ``internal/impl/decode.go``.
"""

from __future__ import annotations

from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import FIXED32, FIXED64, LENGTH_DELIMITED, VARINT, uvarint

_GROUP = 3
_GROUP_END = 4
_FIELD_NUMBER_MAX = (1 << 29) - 1
_GROUP_DEPTH_MAX = 10_000
_VARINT_BYTES_MAX = 10
_UINT64_COUNT = 1 << 64
_INT64_COUNT = 1 << 63
_UINT32_COUNT = 1 << 32
_INT32_COUNT = 1 << 31


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """Read a varint of at most 64 bits, in any of its spellings."""
    try:
        first = data[start]
        if first < 0x80:
            return first, start + 1
        number = shift = 0
        for place in range(start, start + _VARINT_BYTES_MAX):
            octet = data[place]
            number |= (octet & 0x7F) << shift
            if octet < 0x80:
                if number >= _UINT64_COUNT:
                    break
                return number, place + 1
            shift += 7
    except IndexError:
        raise Malformed(f"varint cut short: offset={start}") from None
    raise Malformed(f"varint beyond 64 bits: offset={start}")


def _tag(data: bytes, start: int) -> tuple[int, int, int]:
    key, place = _varint(data, start)
    number = key >> 3
    if not 1 <= number <= _FIELD_NUMBER_MAX:
        raise Malformed(f"field number out of range: number={number}")
    return number, key & 7, place


def _value(data: bytes, number: int, kind: int, start: int) -> tuple[int | bytes, int]:
    """Return a field's value and the place behind it; of a group, all its bytes."""
    if kind == LENGTH_DELIMITED:
        length, start = _varint(data, start)
        value: int | bytes = data[start : start + length]
        place = start + length
    elif kind == VARINT:
        return _varint(data, start)
    elif kind == FIXED64:
        place = start + 8
        value = data[start:place]
    elif kind == FIXED32:
        place = start + 4
        value = data[start:place]
    elif kind == _GROUP:
        place = _behind_group(data, number, start)
        value = data[start:place]
    else:
        raise Malformed(f"unknown wire type: number={number} type={kind}")
    if place > len(data):
        raise Malformed(f"field cut short: number={number}")
    return value, place


def _behind_group(data: bytes, number: int, place: int) -> int:
    open_groups = [number]
    while open_groups:
        inner, kind, place = _tag(data, place)
        if kind == _GROUP:
            open_groups.append(inner)
            if len(open_groups) > _GROUP_DEPTH_MAX:
                raise Malformed("groups too deep")
        elif kind == _GROUP_END:
            if inner != open_groups.pop():
                raise Malformed(f"group ends another: number={inner}")
        else:
            _, place = _value(data, inner, kind, place)
    return place


class Message:
    """The fields of one message, taken by number and kind as a peer takes them."""

    __slots__ = ("_values",)

    def __init__(self, data: bytes) -> None:
        """Read *data*. Raises Malformed if a peer could not."""
        values: dict[tuple[int, int], list[int | bytes]] = {}
        place, end = 0, len(data)
        while place < end:
            number, kind, place = _tag(data, place)
            value, place = _value(data, number, kind, place)
            values.setdefault((number, kind), []).append(value)
        self._values = values

    def uint64(self, number: int) -> int:
        """Return an unsigned number, 0 if it is not there."""
        values = self._values.get((number, VARINT))
        value = values[-1] if values else 0
        assert isinstance(value, int)
        return value

    def int64(self, number: int) -> int:
        """Return a signed number, 0 if it is not there."""
        value = self.uint64(number)
        return value - _UINT64_COUNT if value >= _INT64_COUNT else value

    def uint32(self, number: int) -> int:
        """Return the low 32 bits of a number, 0 if it is not there."""
        return self.uint64(number) % _UINT32_COUNT

    def int32(self, number: int) -> int:
        """Return the low 32 bits of a number or of an enumeration, signed."""
        value = self.uint32(number)
        return value - _UINT32_COUNT if value >= _INT32_COUNT else value

    def boolean(self, number: int) -> bool:
        """Return a truth value, False if it is not there."""
        return self.uint64(number) != 0

    def has(self, number: int) -> bool:
        """Tell whether a bytes, text or message field is there."""
        return (number, LENGTH_DELIMITED) in self._values

    def has_number(self, number: int) -> bool:
        """Tell whether a number is there."""
        return (number, VARINT) in self._values

    def each(self, number: int) -> tuple[bytes, ...]:
        """Return a repeated bytes or message field, in order."""
        values = self._values.get((number, LENGTH_DELIMITED), ())
        return tuple(value for value in values if isinstance(value, bytes))

    def octets(self, number: int) -> bytes:
        """Return a bytes field, empty if it is not there."""
        values = self.each(number)
        return values[-1] if values else b""

    def each_text(self, number: int) -> tuple[str, ...]:
        """Return a repeated text field, in order. Raises Malformed if any is not UTF-8."""
        try:
            return tuple(value.decode() for value in self.each(number))
        except UnicodeDecodeError as exc:
            raise Malformed(f"not UTF-8: field={number}") from exc

    def text(self, number: int) -> str:
        """Return a text field, empty if it is not there."""
        values = self.each_text(number)
        return values[-1] if values else ""

    def embedded(self, number: int) -> bytes | None:
        """Return an embedded message, its occurrences merged; None if it is not there."""
        # Bytes of two messages one after the other are the bytes of the two merged.
        return b"".join(self.each(number)) if self.has(number) else None

    def message(self, number: int) -> Message:
        """Return an embedded message, empty if it is not there."""
        return Message(self.embedded(number) or b"")

    def entries(self, number: int) -> dict[str, bytes]:
        """Return a map of text to messages; of two equal keys the later."""
        found: dict[str, bytes] = {}
        for raw in self.each(number):
            entry = Message(raw)
            found[entry.text(1)] = entry.embedded(2) or b""
        return found


def is_as_written(data: bytes, known: int) -> bool:
    """
    Tell whether Go, having read *data*, would write the same bytes again.

    Args:
        data: A message of which every known field is bytes or text, none repeated.
        known: The fields it knows are numbered 1 to this.

    Raises:
        Malformed: Not a message.
    """
    place, newest, end = 0, 0, len(data)
    while place < end:
        number, kind, start = _tag(data, place)
        value, after = _value(data, number, kind, start)
        if number <= known and kind == LENGTH_DELIMITED:
            assert isinstance(value, bytes)
            plain = uvarint(number << 3 | kind) + uvarint(len(value)) + value
            if number <= newest or not value or data[place:after] != plain:
                return False
            newest = number
        else:
            # Fields that Go does not know it keeps, and writes behind all others as they were.
            newest = known
        place = after
    return True
