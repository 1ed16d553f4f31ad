"""
Records as canonical JSON: one value, one form.

Fields stand in the order of the dataclass, bytes are lower-case hex, there is no white space;
``parse`` refuses anything else, so that a changed byte is seen even where it would not change
the meaning.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Hashable
from functools import cache

from tieline.wire.bounded_json import loads
from tieline.wire.errors import Malformed

T = typing.TypeVar("T")


def canonical(value: object) -> bytes:
    """Return the one JSON form of a record, ending in a newline."""
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def parse(kind: type[T], raw: bytes) -> T:
    """
    Read a record from its canonical form.

    Raises:
        Malformed: Not JSON, not of this kind, or not in the one form. Trying again gives the same.
    """
    try:
        value = _reader(typing.cast("Hashable", kind))(loads(raw.decode()))
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(f"not a {kind.__name__}: {error}") from error
    if canonical(value) != raw:
        raise Malformed(f"{kind.__name__} is not in canonical form")
    return typing.cast("T", value)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_plain(item) for item in typing.cast("tuple[object, ...]", value)]
    if dataclasses.is_dataclass(value):
        return {
            name: _plain(getattr(value, name))
            for name in _field_names(typing.cast("Hashable", type(value)))
        }
    assert value is None or isinstance(value, str | int), "records hold bytes, integers and text"
    return value


@cache
def _field_names(kind: Hashable) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(typing.cast("type", kind)))


Reader = Callable[[object], object]


@cache
def _reader(kind: Hashable) -> Reader:
    """Return the function that reads plain JSON as *kind*."""
    if kind is bytes:
        return _read_bytes
    if kind is int or kind is str:
        return lambda data: _read_scalar(typing.cast("type", kind), data)
    if isinstance(kind, types.UnionType):
        members = [member for member in typing.get_args(kind) if member is not types.NoneType]
        inner = _reader(members[0])
        return lambda data: None if data is None else inner(data)
    if typing.get_origin(kind) is tuple:
        return _tuple_reader(typing.get_args(kind))
    return _record_reader(typing.cast("type", kind))


def _read_bytes(data: object) -> bytes:
    if not isinstance(data, str):
        raise TypeError(f"expected hex text, got {type(data).__name__}")
    return bytes.fromhex(data)


def _read_scalar(kind: type, data: object) -> object:
    if type(data) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {type(data).__name__}")
    return data


def _tuple_reader(arguments: tuple[Hashable, ...]) -> Reader:
    if arguments[-1] is Ellipsis:
        inner = _reader(arguments[0])
        return lambda data: tuple(inner(item) for item in _as_list(data))
    inners = [_reader(argument) for argument in arguments]
    return lambda data: tuple(
        inner(item) for inner, item in zip(inners, _as_list(data), strict=True)
    )


def _as_list(data: object) -> list[object]:
    if not isinstance(data, list):
        raise TypeError(f"expected a list, got {type(data).__name__}")
    return typing.cast("list[object]", data)


def _record_reader(kind: type) -> Reader:
    hints = typing.get_type_hints(kind)
    readers = [(name, _reader(hints[name])) for name in _field_names(kind)]
    names = {name for name, _ in readers}

    def read(data: object) -> object:
        if not isinstance(data, dict):
            raise TypeError(f"expected {kind.__name__}, got {type(data).__name__}")
        record = typing.cast("dict[str, object]", data)
        if record.keys() != names:
            difference = sorted(names ^ record.keys())
            raise TypeError(f"{kind.__name__}: unknown or missing fields {difference}")
        return kind(**{name: inner(record[name]) for name, inner in readers})

    return read
