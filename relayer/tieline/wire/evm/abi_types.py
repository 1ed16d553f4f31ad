"""
Solidity's ABI for types that are known by their names: ``(uint64,bytes,bytes32[])[]`` and the like.

Made once a type; there is one spelling, which Solidity's own encoder writes: offsets in order
without gaps, padding of zeros, nothing after the end. So no short bytes stand for a long value.
Static records that are signed or hashed are ``wire.words``.

Sources:
    Solidity documentation, Contract ABI Specification.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from tieline.wire.errors import Malformed

WORD = 32
_ADDRESS_BITS = 160


class AbiType(ABC):
    """One type, with its encoding."""

    name: str
    is_dynamic: bool = False
    head_bytes: int = WORD
    """What it takes in its parent's head."""

    @abstractmethod
    def encode(self, value: Any) -> bytes:
        """Return the encoding of *value*. Raises Malformed if it does not fit."""

    @abstractmethod
    def read(self, data: bytes, at: int) -> tuple[Any, int]:
        """Return the value whose encoding begins at *at*, and where it ends. Raises Malformed."""

    def decode(self, data: bytes) -> Any:
        """Return the value whose encoding *data* is, whole. Raises Malformed."""
        value, end = self.read(data, 0)
        if end != len(data):
            raise Malformed(f"ABI data goes on after its end: bytes={len(data)} end={end}")
        return value


def _word(data: bytes, at: int) -> int:
    word = data[at : at + WORD]
    if at < 0 or len(word) != WORD:
        raise Malformed(f"ABI data ends early: bytes={len(data)} at={at}")
    return int.from_bytes(word, "big")


class _Number(AbiType):
    """uintN, intN and bool."""

    def __init__(self, name: str, bits: int, *, is_signed: bool = False) -> None:
        self.name = name
        self._low = -(1 << (bits - 1)) if is_signed else 0
        self._high = (1 << (bits - 1 if is_signed else bits)) - 1
        self._is_signed = is_signed

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, int) or not self._low <= value <= self._high:
            raise Malformed(f"{self.name} out of range: {value!r}")
        return int(value).to_bytes(WORD, "big", signed=self._is_signed)

    def read(self, data: bytes, at: int) -> tuple[int, int]:
        number = _word(data, at)
        if self._is_signed and number >> 255:
            number -= 1 << 256
        if not self._low <= number <= self._high:
            raise Malformed(f"dirty high bits in {self.name}")
        return number, at + WORD


class _Bool(_Number):
    def __init__(self) -> None:
        super().__init__("bool", 1)

    def read(self, data: bytes, at: int) -> tuple[bool, int]:
        number, end = super().read(data, at)
        return bool(number), end


class _Address(AbiType):
    name = "address"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, bytes) or len(value) != _ADDRESS_BITS // 8:
            raise Malformed(f"not an address: {value!r}")
        return value.rjust(WORD, b"\0")

    def read(self, data: bytes, at: int) -> tuple[bytes, int]:
        number = _word(data, at)
        if number >> _ADDRESS_BITS:
            raise Malformed("dirty high bits in address")
        return number.to_bytes(_ADDRESS_BITS // 8, "big"), at + WORD


class _FixedBytes(AbiType):
    def __init__(self, size: int) -> None:
        self.name = f"bytes{size}"
        self._size = size

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, bytes) or len(value) != self._size:
            raise Malformed(f"not {self.name}: {value!r}")
        return value.ljust(WORD, b"\0")

    def read(self, data: bytes, at: int) -> tuple[bytes, int]:
        _word(data, at)
        if any(data[at + self._size : at + WORD]):
            raise Malformed(f"dirty low bits in {self.name}")
        return bytes(data[at : at + self._size]), at + WORD


class _Bytes(AbiType):
    name = "bytes"
    is_dynamic = True

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, bytes):
            raise Malformed(f"not bytes: {value!r}")
        padding = bytes(-len(value) % WORD)
        return len(value).to_bytes(WORD, "big") + value + padding

    def read(self, data: bytes, at: int) -> tuple[Any, int]:
        length = _word(data, at)
        start = at + WORD
        end = start + length + -length % WORD
        if end > len(data):
            raise Malformed(f"ABI bytes end early: length={length}")
        if any(data[start + length : end]):
            raise Malformed("ABI bytes are not padded with zeros")
        return bytes(data[start : start + length]), end


class _Text(_Bytes):
    name = "string"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise Malformed(f"not text: {value!r}")
        return super().encode(value.encode())

    def read(self, data: bytes, at: int) -> tuple[str, int]:
        value, end = super().read(data, at)
        try:
            return str(value, "utf-8"), end
        except UnicodeDecodeError as exc:
            raise Malformed("ABI string is not UTF-8") from exc


class _Array(AbiType):
    is_dynamic = True

    def __init__(self, of: AbiType) -> None:
        self.name = of.name + "[]"
        self._of = of

    def encode(self, value: Any) -> bytes:
        values = _values(value)
        return len(values).to_bytes(WORD, "big") + _encode_row([self._of] * len(values), values)

    def read(self, data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        length = _word(data, at)
        start = at + WORD
        if length * self._of.head_bytes > len(data) - start:
            raise Malformed(f"ABI list ends early: length={length}")
        return _read_row([self._of] * length, data, start)


class Tuple(AbiType):
    """A struct, or the arguments of a call; values come in its order."""

    def __init__(self, members: Sequence[AbiType]) -> None:
        self.members = tuple(members)
        self.name = "(" + ",".join(member.name for member in members) + ")"
        self.is_dynamic = any(member.is_dynamic for member in members)
        self.head_bytes = WORD if self.is_dynamic else sum(one.head_bytes for one in members)

    def encode(self, value: Any) -> bytes:
        """Return the encoding without an offset in front, as calls and structs inside need it."""
        values = _values(value)
        if len(values) != len(self.members):
            raise Malformed(f"not {len(self.members)} values for {self.name}")
        return _encode_row(self.members, values)

    def read(self, data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        """Return the values in order, and where they end."""
        return _read_row(self.members, data, at)


def _values(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise Malformed(f"not a list: {value!r}")
    return cast("Sequence[Any]", value)


def _encode_row(types: Sequence[AbiType], values: Sequence[Any]) -> bytes:
    place = sum(one.head_bytes for one in types)
    heads: list[bytes] = []
    tails: list[bytes] = []
    for one, value in zip(types, values, strict=True):
        encoded = one.encode(value)
        if one.is_dynamic:
            heads.append(place.to_bytes(WORD, "big"))
            tails.append(encoded)
            place += len(encoded)
        else:
            heads.append(encoded)
    return b"".join(heads) + b"".join(tails)


def _read_row(types: Sequence[AbiType], data: bytes, start: int) -> tuple[tuple[Any, ...], int]:
    values: list[Any] = []
    at = start
    end = start + sum(one.head_bytes for one in types)
    for one in types:
        if one.is_dynamic:
            if start + _word(data, at) != end:
                raise Malformed("ABI data out of order")
            value, end = one.read(data, end)
        else:
            value, _ = one.read(data, at)
        values.append(value)
        at += one.head_bytes
    return tuple(values), end


_PLAIN: dict[str, AbiType] = {one.name: one for one in (_Address(), _Bytes(), _Text(), _Bool())}


@lru_cache(maxsize=1024)
def parse_type(text: str) -> AbiType:
    """Return the type of a canonical name. Raises ValueError if there is none of that name."""
    if text.endswith("[]"):
        return _Array(parse_type(text[:-2]))
    if text.startswith("(") and text.endswith(")"):
        return Tuple([parse_type(part) for part in split_members(text[1:-1])])
    if text in _PLAIN:
        return _PLAIN[text]
    digits = text.lstrip("abcdefghijklmnopqrstuvwxyz")
    kind, size = text[: len(text) - len(digits)], int(digits)
    if kind in {"uint", "int"} and size % 8 == 0 and 0 < size <= 8 * WORD:
        return _Number(text, size, is_signed=kind == "int")
    if kind == "bytes" and 0 < size <= WORD:
        return _FixedBytes(size)
    message = f"no ABI type: {text}"
    raise ValueError(message)


def split_members(text: str) -> list[str]:
    """Split at the commas that are in no bracket."""
    parts: list[str] = []
    depth = 0
    current = ""
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current] if current else parts
