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
_KEY_MIN = 1 << 3
_KEY_MAX = (1 << 32) - 1
"""Of fields numbered 1 to 2**29 - 1, the wire type in the lowest three bits."""
_ONE_OCTET = 0x80
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


def _key(data: bytes, start: int) -> tuple[int, int]:
    """Read a field's number with its wire type, as one number, and the place behind it."""
    key, place = _varint(data, start)
    if not _KEY_MIN <= key <= _KEY_MAX:
        raise Malformed(f"field number out of range: number={key >> 3}")
    return key, place


def _value(data: bytes, key: int, start: int) -> tuple[int | bytes, int]:
    """Return a field's value and the place behind it; of a group, all its bytes."""
    kind = key & 7
    if kind == LENGTH_DELIMITED:
        length, start = _varint(data, start)
        place = start + length
    elif kind == VARINT:
        return _varint(data, start)
    elif kind == FIXED64:
        place = start + 8
    elif kind == FIXED32:
        place = start + 4
    elif kind == _GROUP:
        place = _behind_group(data, key >> 3, start)
    else:
        raise Malformed(f"unknown wire type: number={key >> 3} type={kind}")
    if place > len(data):
        raise Malformed(f"field cut short: number={key >> 3}")
    return data[start:place], place


def _behind_group(data: bytes, number: int, place: int) -> int:
    open_groups = [number]
    while open_groups:
        key, place = _key(data, place)
        kind = key & 7
        if kind == _GROUP:
            open_groups.append(key >> 3)
            if len(open_groups) > _GROUP_DEPTH_MAX:
                raise Malformed("groups too deep")
        elif kind == _GROUP_END:
            if key >> 3 != open_groups.pop():
                raise Malformed(f"group ends another: number={key >> 3}")
        else:
            _, place = _value(data, key, place)
    return place


class Message:
    """The fields of one message, taken by number and kind as a peer takes them."""

    __slots__ = ("_numbers", "_octets")

    def __init__(self, data: bytes) -> None:
        """Read *data*. Raises Malformed if a peer could not."""
        octets: dict[int, list[bytes]] = {}
        numbers: dict[int, int] = {}
        place, end = 0, len(data)
        while place < end:
            key = data[place]
            # Nearly all keys and lengths are one octet: read here, the others where it is slower.
            if _KEY_MIN <= key < _ONE_OCTET:
                place += 1
            else:
                key, place = _key(data, place)
            kind = key & 7
            if kind == LENGTH_DELIMITED:
                length = data[place] if place < end else _ONE_OCTET
                if length < _ONE_OCTET:
                    place += 1
                else:
                    length, place = _varint(data, place)
                start, place = place, place + length
                if place > end:
                    raise Malformed(f"field cut short: number={key >> 3}")
                held = octets.get(key >> 3)
                if held is None:
                    octets[key >> 3] = [data[start:place]]
                else:
                    held.append(data[start:place])
            elif kind == VARINT:
                numbers[key >> 3], place = _varint(data, place)
            else:
                _, place = _value(data, key, place)
        self._octets = octets
        self._numbers = numbers

    def uint64(self, number: int) -> int:
        """Return an unsigned number, 0 if it is not there."""
        return self._numbers.get(number, 0)

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
        return number in self._octets

    def has_number(self, number: int) -> bool:
        """Tell whether a number is there."""
        return number in self._numbers

    def each(self, number: int) -> tuple[bytes, ...]:
        """Return a repeated bytes or message field, in order."""
        return tuple(self._octets.get(number, ()))

    def octets(self, number: int) -> bytes:
        """Return a bytes field, empty if it is not there."""
        values = self._octets.get(number)
        return values[-1] if values else b""

    def each_text(self, number: int) -> tuple[str, ...]:
        """Return a repeated text field, in order. Raises Malformed if any is not UTF-8."""
        try:
            return tuple([value.decode() for value in self._octets.get(number, ())])
        except UnicodeDecodeError as exc:
            raise Malformed(f"not UTF-8: field={number}") from exc

    def text(self, number: int) -> str:
        """Return a text field, empty if it is not there."""
        values = self.each_text(number)
        return values[-1] if values else ""

    def embedded(self, number: int) -> bytes | None:
        """Return an embedded message, its occurrences merged; None if it is not there."""
        values = self._octets.get(number)
        if values is None:
            return None
        # Bytes of two messages one after the other are the bytes of the two merged.
        return values[0] if len(values) == 1 else b"".join(values)

    def message(self, number: int) -> Message:
        """Return an embedded message, empty if it is not there."""
        return Message(self.embedded(number) or b"")

    def entries(self, number: int) -> dict[str, bytes]:
        """Return a map of text to messages; of two equal keys the later."""
        found: dict[str, bytes] = {}
        for raw in self._octets.get(number, ()):
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
        key, start = _key(data, place)
        value, after = _value(data, key, start)
        if key >> 3 <= known and isinstance(value, bytes) and key & 7 == LENGTH_DELIMITED:
            plain = uvarint(key) + uvarint(len(value))
            is_plain = data[place : after - len(value)] == plain
            if key >> 3 <= newest or not value or not is_plain:
                return False
            newest = key >> 3
        else:
            # Fields that Go does not know it keeps, and writes behind all others as they were.
            newest = known
        place = after
    return True
