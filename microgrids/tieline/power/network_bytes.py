"""
Canonical bytes of the integer table, and the network epoch: their keccak hash.

Fixed-width big-endian integers, tables in ascending order; there is exactly one encoding of a
network, and decoding refuses every other.

Sources:
    ``docs/spec/network_bytes.md``; golden case ``tests/vectors/network_bytes.json``.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct, error
from typing import Any

from tieline.power.errors import NetworkError
from tieline.power.network import Bus, Line, Network, Slack, Tie, Transformer
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak, tag

TAG = tag("tieline/network/v1")
_COUNT = Struct(">I")
_OWNER = Struct(">20s")
_SLACK = Struct(">IQq")
_BUS = Struct(">IHQQQqq")
_LINE = Struct(">IHIIqqqqQBB")
_TRANSFORMER = Struct(">IHIIQQqqqqQqBiiiiqBB")
_ALIAS = Struct(">II")
_TIE = Struct(">I32s32sI")


def network_bytes(network: Network) -> bytes:
    """
    Return the canonical bytes.

    Raises:
        Malformed: A number does not fit its column.
    """
    tables = (
        (_OWNER, [(owner,) for owner in network.owners]),
        (_BUS, [_bus_row(bus) for bus in network.buses]),
        (_LINE, [_line_row(line) for line in network.lines]),
        (_TRANSFORMER, [_transformer_row(unit) for unit in network.transformers]),
        (_ALIAS, list(network.aliases)),
        (
            _TIE,
            [(tie.line, tie.from_meter, tie.to_meter, tie.from_share) for tie in network.ties],
        ),
    )
    slack = network.slack
    try:
        parts = [TAG, _SLACK.pack(slack.bus, slack.vm, slack.va)]
        for layout, rows in tables:
            parts.append(_COUNT.pack(len(rows)))
            parts.extend(layout.pack(*row) for row in rows)
    except error as cause:
        raise Malformed(f"network does not fit its bytes: {cause}") from cause
    return b"".join(parts)


def network_from_bytes(data: bytes) -> Network:
    """
    Read what ``network_bytes`` wrote.

    Raises:
        Malformed: Any other bytes, or bytes of no valid network.
    """
    reader = _Reader(data)
    if reader.take(32) != TAG:
        raise Malformed("not a network table")
    slack = Slack(*_SLACK.unpack(reader.take(_SLACK.size)))
    owners = tuple(row[0] for row in reader.table(_OWNER))
    buses = tuple(
        Bus(index, owner, vn, low, high, g, b)
        for index, owner, vn, low, high, g, b in reader.table(_BUS)
    )
    lines = tuple(Line(*row[:9], *map(_flag, row[9:])) for row in reader.table(_LINE))
    transformers = tuple(
        Transformer(*row[:18], *map(_flag, row[18:])) for row in reader.table(_TRANSFORMER)
    )
    aliases = tuple((bus, target) for bus, target in reader.table(_ALIAS))
    ties = tuple(Tie(*row) for row in reader.table(_TIE))
    if reader.rest:
        raise Malformed(f"network table: {reader.rest} bytes too many")
    try:
        return Network(owners, slack, buses, lines, transformers, aliases, ties)
    except NetworkError as cause:
        raise Malformed(f"network table: {cause}") from cause


@lru_cache(maxsize=32)
def network_epoch(network: Network) -> bytes:
    """Return the 32-byte network epoch."""
    return keccak(network_bytes(network))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    @property
    def rest(self) -> int:
        return len(self._data) - self._place

    def take(self, size: int) -> bytes:
        if size > self.rest:
            raise Malformed("network table: bytes are missing")
        self._place += size
        return self._data[self._place - size : self._place]

    def table(self, layout: Struct) -> list[tuple[Any, ...]]:
        (count,) = _COUNT.unpack(self.take(_COUNT.size))
        return list(layout.iter_unpack(self.take(count * layout.size)))


def _flag(value: int) -> bool:
    if value > 1:
        raise Malformed(f"network table: a switch is 0 or 1, not {value}")
    return bool(value)


def _bus_row(bus: Bus) -> tuple[int, ...]:
    return (bus.index, bus.owner, bus.vn, bus.v_min, bus.v_max, bus.shunt_g, bus.shunt_b)


def _line_row(line: Line) -> tuple[int, ...]:
    return (
        line.index,
        line.owner,
        line.from_bus,
        line.to_bus,
        line.r,
        line.x,
        line.g,
        line.b,
        line.i_max,
        line.from_closed,
        line.to_closed,
    )


def _transformer_row(unit: Transformer) -> tuple[int, ...]:
    return (
        unit.index,
        unit.owner,
        unit.from_bus,
        unit.to_bus,
        unit.vn_from,
        unit.vn_to,
        unit.r,
        unit.x,
        unit.g,
        unit.b,
        unit.sn,
        unit.shift,
        unit.tap_side,
        unit.tap_neutral,
        unit.tap_min,
        unit.tap_max,
        unit.tap_pos,
        unit.tap_step,
        unit.from_closed,
        unit.to_closed,
    )
