"""
Whole Wh in fair shares: pro rata by largest remainder, the last Wh by the slot's coin.

The coin is the XOR of secrets that all utility cells committed before gate closure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tieline.wire.hashes import keccak


def coin(seed: bytes, order_id: bytes) -> bytes:
    """Return keccak(seed, order id): smaller goes first when remainders tie."""
    return keccak(seed + order_id)


def share_pro_rata(
    total: int, weights: Sequence[int], tie: Callable[[int], bytes | int]
) -> list[int]:
    """
    Split *total* over *weights* in whole units, exactly.

    Args:
        total: 0..sum of weights gives shares that never exceed their weight; more is allowed.
        weights: Non-negative; their sum must be positive when *total* is.
        tie: Key of the place *i*, asked only when equal remainders compete for the last units;
            smaller goes first.

    Returns:
        Shares in the order of *weights*; they sum to *total*. Each is floor or ceil of
        ``total x weight / sum``; who has the largest remainder gains the rounding.

    Raises:
        ValueError: A negative number, or something to split over nothing.
    """
    weight_sum = sum(weights)
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("shares need non-negative numbers")
    if total == 0:
        return [0] * len(weights)
    if weight_sum == 0:
        raise ValueError(f"nothing to share over: total={total}")
    products = [total * weight for weight in weights]
    shares = [product // weight_sum for product in products]
    missing = total - sum(shares)
    if missing == 0:
        return shares
    remainders = [product % weight_sum for product in products]
    for index in _largest(remainders, missing, tie):
        shares[index] += 1
    return shares


def _largest(remainders: Sequence[int], count: int, tie: Callable[[int], bytes | int]) -> list[int]:
    """Return the places of the *count* largest remainders; *tie* only at the cut."""
    cut = sorted(remainders, reverse=True)[count - 1]
    above = [index for index, value in enumerate(remainders) if value > cut]
    level = [index for index, value in enumerate(remainders) if value == cut]
    wanted = count - len(above)
    if wanted < len(level):
        level = sorted(level, key=tie)[:wanted]
    return above + level
