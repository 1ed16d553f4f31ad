"""
RLP, strict and bounded: one spelling of everything, and no more work than the caller allows.

Sources:
    Ethereum yellow paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from tieline.wire.errors import Malformed

Item: TypeAlias = "bytes | list[Item]"
"""What RLP holds: bytes, or a list of such."""

DEPTH_MAX = 8
ITEMS_MAX = 1024
"""Of one decoded whole, lists counted too; headers have 21, trie nodes 17 and a few."""

_SHORT_MAX = 55
_BYTES_SHORT, _BYTES_LONG = 0x80, 0xB7
_LIST_SHORT, _LIST_LONG = 0xC0, 0xF7
_LENGTH_BYTES_MAX = 4


def encode(item: bytes | Sequence[Item]) -> bytes:
    """Write bytes or a list."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < _BYTES_SHORT:
            return item
        return _head(len(item), _BYTES_SHORT) + item
    content = b"".join(encode(one) for one in item)
    return _head(len(content), _LIST_SHORT) + content


def encode_uint(number: int) -> bytes:
    """Write 0 <= *number* as big-endian bytes without leading zeros; zero is empty."""
    return encode(uint_octets(number))


def uint_octets(number: int) -> bytes:
    """Return the bytes of a number before they are written: big-endian, zero is empty."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def decode(data: bytes, *, depth_max: int = DEPTH_MAX, items_max: int = ITEMS_MAX) -> Item:
    """
    Read exactly what ``encode`` writes.

    Args:
        data: The whole; nothing may follow.
        depth_max: Lists inside lists, 0 for bytes alone.
        items_max: Bytes and lists together.

    Raises:
        Malformed: Cut short, followed by something, a second spelling, or beyond a bound.
    """
    reader = _Reader(data, items_max)
    item, end = reader.item(0, len(data), depth_max)
    if end != len(data):
        raise Malformed(f"RLP is followed by something: offset={end} bytes={len(data)}")
    return item


def decode_list(
    data: bytes, *, depth_max: int = DEPTH_MAX, items_max: int = ITEMS_MAX
) -> list[Item]:
    """Read a list. Raises Malformed as ``decode``, and on anything but a list."""
    item = decode(data, depth_max=depth_max, items_max=items_max)
    if isinstance(item, bytes):
        raise Malformed("RLP is not a list")
    return item


def to_octets(item: Item, size: int | None = None) -> bytes:
    """Return an item that must be bytes, *size* of them if given. Raises Malformed."""
    if not isinstance(item, bytes):
        raise Malformed("RLP list where bytes belong")
    if size is not None and len(item) != size:
        raise Malformed(f"RLP bytes of another length: expected={size} got={len(item)}")
    return item


def to_uint(item: Item, bits: int) -> int:
    """Return an item that must be a number below 2**bits, without leading zeros; else Malformed."""
    octets = to_octets(item)
    if octets[:1] == b"\0":
        raise Malformed("RLP number with leading zero")
    if len(octets) * 8 > bits:
        raise Malformed(f"RLP number out of range: bits={bits} bytes={len(octets)}")
    return int.from_bytes(octets, "big")


def _head(length: int, short: int) -> bytes:
    if length <= _SHORT_MAX:
        return bytes((short + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((short + _SHORT_MAX + len(size),)) + size


class _Reader:
    """One pass over some bytes; counts what it has read."""

    __slots__ = ("_data", "_left")

    def __init__(self, data: bytes, items_max: int) -> None:
        self._data = data
        self._left = items_max

    def item(self, start: int, end: int, depth: int) -> tuple[Item, int]:
        """Return the item at *start*, which ends at *end* or before, and where it ends."""
        self._left -= 1
        if self._left < 0:
            raise Malformed("RLP with too many items")
        if start >= end:
            raise Malformed(f"RLP cut short: offset={start}")
        first = self._data[start]
        if first < _BYTES_SHORT:
            return self._data[start : start + 1], start + 1
        is_list = first >= _LIST_SHORT
        begin, stop = self._span(start, end, first, is_list=is_list)
        if not is_list:
            octets = self._data[begin:stop]
            if len(octets) == 1 and octets[0] < _BYTES_SHORT:
                raise Malformed(f"RLP byte with a length before it: offset={start}")
            return octets, stop
        if depth < 1:
            raise Malformed(f"RLP too deep: offset={start}")
        items: list[Item] = []
        place = begin
        while place < stop:
            one, place = self.item(place, stop, depth - 1)
            items.append(one)
        return items, stop

    def _span(self, start: int, end: int, first: int, *, is_list: bool) -> tuple[int, int]:
        short, long = (_LIST_SHORT, _LIST_LONG) if is_list else (_BYTES_SHORT, _BYTES_LONG)
        begin = start + 1
        length = first - short
        if first > long:
            count = first - long
            if count > _LENGTH_BYTES_MAX or begin + count > end:
                raise Malformed(f"RLP length out of range: offset={start}")
            size = self._data[begin : begin + count]
            length = int.from_bytes(size, "big")
            if size[0] == 0 or length <= _SHORT_MAX:
                raise Malformed(f"RLP length in a second spelling: offset={start}")
            begin += count
        if begin + length > end:
            raise Malformed(f"RLP cut short: offset={start}")
        return begin, begin + length
