"""
Solidity's ABI for types that are known by their names: ``(uint64,bytes,bytes32[])[]`` and the like.

Made once a type; strict as the contracts' own decoders: lengths, ranges and offsets are checked, so
what is read twice is read alike. Static records that are signed or hashed are ``wire.words``.

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
    def decode(self, data: bytes, at: int) -> Any:
        """Return the value whose encoding begins at *at*. Raises Malformed."""


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

    def decode(self, data: bytes, at: int) -> int:
        number = _word(data, at)
        if self._is_signed and number >> 255:
            number -= 1 << 256
        if not self._low <= number <= self._high:
            raise Malformed(f"dirty high bits in {self.name}")
        return number


class _Bool(_Number):
    def __init__(self) -> None:
        super().__init__("bool", 1)

    def decode(self, data: bytes, at: int) -> bool:
        return bool(super().decode(data, at))


class _Address(AbiType):
    name = "address"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, bytes) or len(value) != _ADDRESS_BITS // 8:
            raise Malformed(f"not an address: {value!r}")
        return value.rjust(WORD, b"\0")

    def decode(self, data: bytes, at: int) -> bytes:
        number = _word(data, at)
        if number >> _ADDRESS_BITS:
            raise Malformed("dirty high bits in address")
        return number.to_bytes(_ADDRESS_BITS // 8, "big")


class _FixedBytes(AbiType):
    def __init__(self, size: int) -> None:
        self.name = f"bytes{size}"
        self._size = size

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, bytes) or len(value) != self._size:
            raise Malformed(f"not {self.name}: {value!r}")
        return value.ljust(WORD, b"\0")

    def decode(self, data: bytes, at: int) -> bytes:
        _word(data, at)
        if any(data[at + self._size : at + WORD]):
            raise Malformed(f"dirty low bits in {self.name}")
        return bytes(data[at : at + self._size])


class _Bytes(AbiType):
    name = "bytes"
    is_dynamic = True

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, bytes):
            raise Malformed(f"not bytes: {value!r}")
        padding = bytes(-len(value) % WORD)
        return len(value).to_bytes(WORD, "big") + value + padding

    def decode(self, data: bytes, at: int) -> Any:
        length = _word(data, at)
        start = at + WORD
        if length > len(data) - start:
            raise Malformed(f"ABI bytes end early: length={length}")
        return bytes(data[start : start + length])


class _Text(_Bytes):
    name = "string"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise Malformed(f"not text: {value!r}")
        return super().encode(value.encode())

    def decode(self, data: bytes, at: int) -> str:
        try:
            return str(super().decode(data, at), "utf-8")
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

    def decode(self, data: bytes, at: int) -> tuple[Any, ...]:
        length = _word(data, at)
        start = at + WORD
        if length * self._of.head_bytes > len(data) - start:
            raise Malformed(f"ABI list ends early: length={length}")
        return _decode_row([self._of] * length, data, start)


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

    def decode(self, data: bytes, at: int = 0) -> tuple[Any, ...]:
        """Return the values in order."""
        return _decode_row(self.members, data, at)


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


def _decode_row(types: Sequence[AbiType], data: bytes, start: int) -> tuple[Any, ...]:
    values: list[Any] = []
    at = start
    for one in types:
        values.append(one.decode(data, start + _word(data, at) if one.is_dynamic else at))
        at += one.head_bytes
    return tuple(values)


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
