"""
Who may send on a ledger right now: several accounts, each with one transaction under way.

A second transaction of an account would need its sequence guessed; more accounts need no guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A transaction that was handed in and has not been seen in a block."""

    ledger_id: str
    lane: str
    tx_hash: bytes
    names: tuple[str, ...]
    """Of its effects, in order."""
    intent_ids: tuple[int, ...]
    height: int
    """The ledger's height when it was handed in."""
    submitted_s: int


class Lanes:
    """The lanes of one ledger."""

    def __init__(self, names: Sequence[str]) -> None:
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a ledger needs lanes with different names: {list(names)}")
        self._busy: dict[str, UnderWay | None] = dict.fromkeys(names)
        self._by_hash: dict[bytes, UnderWay] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All lanes, in order."""
        return tuple(self._busy)

    def free(self) -> list[str]:
        """Return the lanes that nothing is under way on, in order."""
        return [name for name, transaction in self._busy.items() if transaction is None]

    def start(self, transaction: UnderWay) -> None:
        """Take a lane."""
        assert self._busy[transaction.lane] is None, transaction.lane
        self._busy[transaction.lane] = transaction
        self._by_hash[transaction.tx_hash] = transaction

    def end(self, tx_hash: bytes) -> UnderWay | None:
        """Free the lane of a transaction; None if it is none of ours."""
        transaction = self._by_hash.pop(tx_hash, None)
        if transaction is not None:
            self._busy[transaction.lane] = None
        return transaction

    def overdue(self, height: int, now_s: int, blocks_max: int, seconds_max: int) -> list[UnderWay]:
        """Return what should have been in a block by now, by height or by the hub's clock."""
        return [
            transaction
            for transaction in self._by_hash.values()
            if height - transaction.height > blocks_max
            or now_s - transaction.submitted_s > seconds_max
        ]

    def __len__(self) -> int:
        return len(self._by_hash)
