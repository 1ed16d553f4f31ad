"""
Who may send on a ledger right now: accounts, each with so many transactions under way as the
ledger's adapter counts sequences for.

A node checks a transaction against its last block and what it has checked since. One that waits
from before that block may be unknown to it (a mempool without recheck), and so the next one of the
same account is refused; another account is free to go on.
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
    announced: tuple[tuple[str, int], ...] = ()
    """Clients and heights whose updates it brings."""


class Lanes:
    """
    The lanes of one ledger.

    Args:
        names: Of its accounts.
        depth: Transactions of one lane that may be under way at once.

    Raises:
        ValueError: No lane, or one twice.
    """

    def __init__(self, names: Sequence[str], depth: int = 1) -> None:
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a ledger needs lanes with different names: {list(names)}")
        self._depth = depth
        self._counts = dict.fromkeys(names, 0)
        self._by_hash: dict[bytes, UnderWay] = {}
        self._refused: dict[str, int] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All lanes, in order."""
        return tuple(self._counts)

    def free(self, height: int | None = None) -> list[str]:
        """
        Return a lane for each transaction that may be handed in, lane by lane: what rests on an
        earlier transaction best follows it from the same account.

        Args:
            height: Of the ledger; a lane with transactions from before it is left out. None: it
                does not matter.
        """
        stale = {one.lane for one in self._by_hash.values() if height not in {None, one.height}}
        stale |= {lane for lane, refused in self._refused.items() if refused == height}
        busy_first = sorted(self._counts, key=lambda name: not self._counts[name])
        return [
            name
            for name in busy_first
            if name not in stale
            for _ in range(self._depth - self._counts[name])
        ]

    def refuse(self, lane: str, height: int) -> None:
        """The ledger takes no more of a lane before the block after *height*."""
        self._refused[lane] = height

    def start(self, transaction: UnderWay) -> None:
        """Take room of a lane."""
        assert self._counts[transaction.lane] < self._depth, transaction.lane
        if transaction.tx_hash not in self._by_hash:  # the same bytes are one transaction
            self._counts[transaction.lane] += 1
        self._by_hash[transaction.tx_hash] = transaction

    def end(self, tx_hash: bytes) -> UnderWay | None:
        """Give back the room of a transaction; None if it is none of ours."""
        transaction = self._by_hash.pop(tx_hash, None)
        if transaction is not None:
            self._counts[transaction.lane] -= 1
        return transaction

    def forget_all(self) -> None:
        """Nothing is under way as far as is known here."""
        self._counts = dict.fromkeys(self._counts, 0)
        self._by_hash.clear()
        self._refused.clear()

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
