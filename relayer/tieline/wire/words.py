"""
Static ABI words: every value right-aligned (numbers, addresses) or whole (bytes32) in 32 bytes.

Compiled once per layout to one ``struct`` call; lengths, ranges and dirty high bits are refused.
Dynamic ABI types are not here.
"""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast

from tieline.wire.errors import Malformed

WORD_BYTES = 32

_NARROW = {
    "uint8": "31xB",
    "uint16": "30xH",
    "uint32": "28xI",
    "uint64": "24xQ",
    "address": "12x20s",
    "bytes32": "32s",
}
"""Types that one struct code packs, with zero bytes above the value."""

_BYTES_LENGTH = {"address": 20, "bytes32": 32}
_USED_BYTES = {"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "address": 20, "bytes32": 32}

_WIDE = {
    "uint128": (0, (1 << 128) - 1),
    "uint256": (0, (1 << 256) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
}
"""Types without a struct code: their lowest and highest value."""


def _widen(value: int, kind: str) -> bytes:
    low, high = _WIDE[kind]
    if not low <= value <= high:
        raise Malformed(f"{kind} out of range: {value}")
    return value.to_bytes(WORD_BYTES, "big", signed=True) if low else value.to_bytes(WORD_BYTES)


def _narrow(word: bytes, kind: str) -> int:
    low, high = _WIDE[kind]
    value = int.from_bytes(word, "big", signed=low < 0)
    if not low <= value <= high:
        raise Malformed(f"dirty high bits: {kind} word {word.hex()}")
    return value


class Words:
    """A fixed sequence of ABI words."""

    __slots__ = ("_dirty", "_sized", "_struct", "_wide", "kinds", "size")

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds
        self.size = WORD_BYTES * len(kinds)
        self._struct = struct.Struct(">" + "".join(_NARROW.get(kind, "32s") for kind in kinds))
        assert self._struct.size == self.size
        self._sized = tuple(
            (index, _BYTES_LENGTH[kind])
            for index, kind in enumerate(kinds)
            if kind in _BYTES_LENGTH
        )
        self._wide = tuple((index, kind) for index, kind in enumerate(kinds) if kind in _WIDE)
        mask = b"".join(
            (b"\xff" * (WORD_BYTES - _USED_BYTES.get(kind, WORD_BYTES))).ljust(WORD_BYTES, b"\0")
            for kind in kinds
        )
        self._dirty = int.from_bytes(mask)

    def pack(self, *values: Any) -> bytes:
        """
        Return the words of *values*, integers and bytes in the order of the types.

        Raises:
            Malformed: A number is out of range, or bytes have another length than their type.
        """
        return self.pack_all(values)

    def pack_all(self, values: tuple[Any, ...]) -> bytes:
        """Return the words of *values*, as ``pack`` does."""
        try:
            for index, length in self._sized:
                if len(values[index]) != length:
                    raise Malformed(f"{self.kinds[index]} of {len(values[index])} bytes")
            if self._wide:
                widened = list(values)
                for index, kind in self._wide:
                    widened[index] = _widen(widened[index], kind)
                values = tuple(widened)
            return self._struct.pack(*values)
        except (struct.error, TypeError) as exc:
            raise Malformed(f"value does not fit its type: {exc}") from exc

    def unpack(self, data: bytes) -> tuple[Any, ...]:
        """
        Return the values, integers and bytes in the order of the types.

        Raises:
            Malformed: Another length than that of the words, or a bit set above a value.
        """
        if len(data) != self.size:
            raise Malformed(f"wrong length: expected={self.size} actual={len(data)}")
        if int.from_bytes(data) & self._dirty:
            raise Malformed("dirty high bits")
        values = self._struct.unpack(data)
        if self._wide:
            narrowed = list(values)
            for index, kind in self._wide:
                narrowed[index] = _narrow(narrowed[index], kind)
            return tuple(narrowed)
        return values


def snake_case(name: str) -> str:
    """Return the Python spelling of a Solidity name."""
    return re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), name)


RecordT = TypeVar("RecordT")


class RecordWords(Generic[RecordT]):
    """The words of a record, its fields in the order of the specification."""

    __slots__ = ("_fields", "_record", "_words", "size")

    def __init__(self, record: type[RecordT], columns: str) -> None:
        """Take *columns* as a Solidity struct lists them: ``uint16 version,uint8 level``."""
        pairs = [column.split(" ") for column in columns.split(",")]
        names = [snake_case(name) for _, name in pairs]
        declared = dataclasses.fields(cast("Any", record))
        assert names == [field.name for field in declared]
        self._record: Callable[..., RecordT] = record
        # attrgetter of one name returns the bare value, so that record's tuple is made by hand.
        self._fields: Callable[[RecordT], tuple[Any, ...]] = (
            attrgetter(*names) if len(names) > 1 else _single(names[0])
        )
        self._words = Words(*(kind for kind, _ in pairs))
        self.size = self._words.size

    def encode(self, record: RecordT) -> bytes:
        """Return the words of *record*. Raises Malformed when a field does not fit its type."""
        return self._words.pack_all(self._fields(record))

    def decode(self, data: bytes) -> RecordT:
        """Return the record. Raises Malformed on another length or dirty high bits."""
        return self._record(*self._words.unpack(data))


def _single(name: str) -> Callable[[Any], tuple[Any, ...]]:
    get = attrgetter(name)
    return lambda record: (get(record),)
