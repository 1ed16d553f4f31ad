"""
The named quorum rules: how many of n must sign. Every count of signatures goes through one of
them.

They differ for every n divisible by 3, so a rule is named where it is used, never recomputed.

Sources:
    ``docs/spec/trust.md`` 3.
"""

from __future__ import annotations


def more_than_two_thirds(n: int) -> int:
    """
    Return the smallest m with m > 2n/3: CometBFT power, verdicts, clearings, cell sets,
    attestations.

    Args:
        n: Members, at least 1.
    """
    _require_members(n)
    return 2 * n // 3 + 1


def two_thirds_rounded_up(n: int) -> int:
    """Return ceil(2n/3): seals of QBFT and IBFT2 headers."""
    _require_members(n)
    return -(-2 * n // 3)


def byzantine_majority(n: int) -> int:
    """
    Return ceil((n + f + 1) / 2) with f = floor((n - 1) / 3): SmartBFT orderers and delivery
    statements.

    From n = 4 on two quorums share an honest member, and f silent ones stop nothing.
    """
    _require_members(n)
    faulty = (n - 1) // 3
    return (n + faulty + 2) // 2


def has_more_than_two_thirds(tally: int, total: int) -> bool:
    """Say whether *tally* is strictly more than two thirds of *total* (power or heads)."""
    return 3 * tally > 2 * total


def _require_members(n: int) -> None:
    if n < 1:
        message = f"a quorum needs members: n={n}"
        raise ValueError(message)
