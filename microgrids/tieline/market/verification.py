"""
What a utility cell does with another's clearing: clear the same book, compare, name the first
difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from tieline.market.clearing import NO_CAPS, ClearingRules, clear_slot
from tieline.market.order import BookOrder
from tieline.market.position import Position


def first_difference(
    proposed: Sequence[Position],
    orders: Iterable[BookOrder],
    rules: ClearingRules,
    seed: bytes,
    caps: Mapping[bytes, int] = NO_CAPS,
) -> str | None:
    """
    Clear the book and compare; return None to agree, else the first difference in words.

    Args:
        proposed: The proposer's positions, ascending key.
        orders: The own copy of the book.
        rules: The own rules.
        seed: The slot's coin.
        caps: The proposer's caps, once ``constrained.refused_caps`` agreed to them.
    """
    own = clear_slot(orders, rules, seed, caps).positions
    for mine, theirs in zip(own, proposed, strict=False):
        if mine.key != theirs.key:
            return f"position: expected={mine.key.hex()} actual={theirs.key.hex()}"
        if (text := _position_difference(mine, theirs)) is not None:
            return f"position {mine.key.hex()}: {text}"
    if len(own) != len(proposed):
        return f"number of positions: expected={len(own)} actual={len(proposed)}"
    return None


def _position_difference(mine: Position, theirs: Position) -> str | None:
    """Return the first field or leaf that differs."""
    for name in ("energy_wh", "price_in", "price_out", "anchor"):
        expected, actual = getattr(mine, name), getattr(theirs, name)
        if expected != actual:
            return f"{name}: expected={_show(expected)} actual={_show(actual)}"
    for name in ("buys", "sells"):
        expected_rows, actual_rows = getattr(mine, name), getattr(theirs, name)
        for place, (left, right) in enumerate(zip(expected_rows, actual_rows, strict=False)):
            for field in fields(left):
                expected, actual = getattr(left, field.name), getattr(right, field.name)
                if expected != actual:
                    where = f"{name}[{place}].{field.name}"
                    return f"{where}: expected={_show(expected)} actual={_show(actual)}"
        if len(expected_rows) != len(actual_rows):
            return f"{name}: expected={len(expected_rows)} leaves actual={len(actual_rows)}"
    return None


def _show(value: object) -> str:
    """Return bytes as hex, all else as it prints."""
    return value.hex() if isinstance(value, bytes) else str(value)
