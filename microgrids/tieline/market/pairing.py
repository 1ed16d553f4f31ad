"""
Who trades with whom between microgrids, once it is known who buys and sells how much.

A flow never leads from a microgrid to itself; few flows, so few packets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """Energy from the sellers of one microgrid to the buyers of another."""

    source: bytes
    """Chain tag of the buyers' ledger."""
    destination: bytes
    """Chain tag of the sellers' ledger."""
    energy_wh: int


def crowded(bought: Mapping[bytes, int], sold: Mapping[bytes, int]) -> bytes | None:
    """
    Return the microgrid that would have to trade with itself, if there is one.

    There is at most one: its purchases and sales together exceed the whole volume.
    """
    volume = sum(bought.values())
    for tag in sorted(bought.keys() | sold.keys()):
        if bought.get(tag, 0) + sold.get(tag, 0) > volume:
            return tag
    return None


def pair(bought: Mapping[bytes, int], sold: Mapping[bytes, int]) -> list[Flow]:
    """
    Match purchases with sales of other microgrids.

    Args:
        bought: Wh by chain tag of the buyers' ledger, >= 0.
        sold: Wh by chain tag of the sellers' ledger, >= 0; the same sum.

    Returns:
        Flows, ascending (source, destination); each positive.

    Raises:
        ValueError: The sums differ, or one microgrid is too large to be matched with others.
    """
    if sum(bought.values()) != sum(sold.values()):
        raise ValueError("purchases and sales differ")
    if (tag := crowded(bought, sold)) is not None:
        raise ValueError(f"microgrid would trade with itself: {tag.hex()}")
    buys = {tag: wh for tag, wh in sorted(bought.items()) if wh}
    sells = {tag: wh for tag, wh in sorted(sold.items()) if wh}
    flows: dict[tuple[bytes, bytes], int] = {}
    while buys:
        source, destination = _tightest_pair(buys, sells)
        # Nobody else may become too large for what is left.
        others = (buys.keys() | sells.keys()) - {source, destination}
        slack = sum(buys.values()) - max(
            (buys.get(tag, 0) + sells.get(tag, 0) for tag in others), default=0
        )
        wh = min(buys[source], sells[destination], slack)
        flows[source, destination] = flows.get((source, destination), 0) + wh
        _take(buys, source, wh)
        _take(sells, destination, wh)
    return [Flow(source, destination, wh) for (source, destination), wh in sorted(flows.items())]


def _take(amounts: dict[bytes, int], tag: bytes, wh: int) -> None:
    """Lower one amount; nothing left is no entry."""
    amounts[tag] -= wh
    if not amounts[tag]:
        del amounts[tag]


def _tightest_pair(buys: Mapping[bytes, int], sells: Mapping[bytes, int]) -> tuple[bytes, bytes]:
    """Return (source, destination) with the microgrid that has most to trade among them."""

    def load(tag: bytes) -> tuple[int, bytes]:
        return (buys.get(tag, 0) + sells.get(tag, 0), tag)

    first = max(buys.keys() | sells.keys(), key=load)
    if first in buys:
        return first, max((tag for tag in sells if tag != first), key=load)
    return max((tag for tag in buys if tag != first), key=load), first
