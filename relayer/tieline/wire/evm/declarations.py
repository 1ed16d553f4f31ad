"""
Functions, events and errors by their Solidity declarations: selectors and topics computed once.

Structs are written as tuples: ``function f(uint64 client, (bytes data, bytes signatures) proof)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tieline.wire.errors import Malformed
from tieline.wire.evm.abi_types import Tuple, parse_type, split_members
from tieline.wire.evm.logs import Log
from tieline.wire.hashes import keccak

SELECTOR_BYTES = 4


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    type: str
    is_indexed: bool


def _close_of(text: str) -> int:
    """Return where the bracket closes that *text* begins with."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if not depth:
            return place
    message = f"no closing bracket: {text}"
    raise ValueError(message)


def _member(text: str) -> _Member:
    text = text.strip()
    end = _close_of(text) + 1 if text.startswith("(") else 0
    body, rest = text[:end], text[end:]
    suffix, _, words = rest.partition(" ")
    *marks, name = words.split() or [""]
    if body:
        inner = [_member(part).type for part in split_members(body[1:-1])]
        body = "(" + ",".join(inner) + ")"
    return _Member(name, body + suffix, "indexed" in marks)


def _read(declaration: str) -> tuple[str, list[_Member]]:
    head, bracket, rest = " ".join(declaration.split()).partition("(")
    name = head.split()[-1]
    whole = bracket + rest
    inside = whole[1 : _close_of(whole)]
    return name, [_member(part) for part in split_members(inside)]


def _signature(name: str, members: list[_Member]) -> bytes:
    return f"{name}({','.join(member.type for member in members)})".encode()


class Function:
    """A function of a contract, or a custom error, which has the same form."""

    def __init__(self, declaration: str) -> None:
        """Read ``function name(type name, ...)`` or ``error name(...)``."""
        self.name, members = _read(declaration)
        self.names = tuple(member.name for member in members)
        self.signature = _signature(self.name, members).decode()
        self.selector = keccak(self.signature.encode())[:SELECTOR_BYTES]
        self.arguments = Tuple([parse_type(member.type) for member in members])

    def encode(self, *values: Any) -> bytes:
        """Return call data. Raises Malformed when a value does not fit its type."""
        return self.selector + self.arguments.encode(values)

    def decode(self, data: bytes) -> dict[str, Any]:
        """Return the arguments of call data by name. Raises Malformed."""
        if data[:SELECTOR_BYTES] != self.selector:
            raise Malformed(f"not a call of {self.name}")
        values = self.arguments.decode(data[SELECTOR_BYTES:])
        return dict(zip(self.names, values, strict=True))


class EventKind:
    """One event of a contract."""

    def __init__(self, declaration: str) -> None:
        """Read ``event name(type indexed name, ...)``."""
        self.name, members = _read(declaration)
        self.signature = _signature(self.name, members).decode()
        self.topic = keccak(self.signature.encode())
        self._indexed = [(one.name, parse_type(one.type)) for one in members if one.is_indexed]
        assert not any(one.is_dynamic for _, one in self._indexed), "a hash would be in its place"
        self._names = [one.name for one in members if not one.is_indexed]
        self._body = Tuple([parse_type(one.type) for one in members if not one.is_indexed])

    @property
    def indexed(self) -> tuple[str, ...]:
        """Names of what stands in topics."""
        return tuple(name for name, _ in self._indexed)

    def decode(self, log: Log) -> dict[str, Any]:
        """Return what a log of this kind says, by name. Raises Malformed."""
        if log.topics[:1] != (self.topic,) or len(log.topics) != 1 + len(self._indexed):
            raise Malformed(f"not a log of {self.name}")
        values = {
            name: kind.decode(topic)
            for (name, kind), topic in zip(self._indexed, log.topics[1:], strict=True)
        }
        values.update(zip(self._names, self._body.decode(log.data), strict=True))
        return values


@dataclass(frozen=True, slots=True)
class DecodedLog:
    """What a contract told, by name."""

    name: str
    address: bytes
    values: Mapping[str, Any]
    """Integers, bytes, text, and tuples of these in the order of the declaration."""


def read_declarations(text: str) -> list[str]:
    """Split Solidity text at its semicolons; lines that begin with ``//`` are left out."""
    lines = [line for line in text.splitlines() if not line.strip().startswith("//")]
    return [part.strip() for part in " ".join(lines).split(";") if part.strip()]
