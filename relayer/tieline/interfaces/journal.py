"""
The hub's memory of what it meant to do: every side effect is written down before it is performed.

Ledgers are the truth. A journal that is lost is rebuilt from them; one that is there says what was
under way, and where to start reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class IntentStatus(IntEnum):
    """What became of an intent. Numbers are stored and never change."""

    WRITTEN = 1
    SUBMITTED = 2
    DONE = 3
    REJECTED = 4
    NOT_YET = 5
    UNKNOWN = 6
    """The process ended, or the ledger fell silent; the ledger's state was looked at again."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One effect on one ledger, about to be performed. Holds no secret."""

    ledger_id: str
    lane: str
    step: str
    """Name of the relay step, such as ``deliver_packet``."""
    key: str
    """What it is about, such as ``recv/07-tendermint-0/4``; the same effect, the same key."""
    written_s: int


@dataclass(frozen=True, slots=True)
class StoredIntent:
    """An intent with its number and what became of it."""

    intent_id: int
    intent: Intent
    status: IntentStatus
    tx_hash: bytes
    """Empty until submitted."""
    detail: str


@dataclass(frozen=True, slots=True)
class JourneyRow:
    """A packet or lock as operators see it; rebuilt from the ledgers at any time."""

    key: str
    """Such as ``source-1/07-tendermint-0/4`` or ``source-1/lock/ab12``."""
    route: str
    status: str
    slot_start: int
    updated_s: int
    detail: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A ledger as operators see it. Times are the hub's, but for ``time_s``; unix seconds."""

    ledger_id: str
    height: int
    """Of the last block that was read."""
    time_s: int
    """That block's chain time."""
    block_seen_s: int
    """When it was read; 0 before the first."""
    under_way: int
    """Transactions of ours that are in no block yet."""
    reason: str
    """Why something is held there; empty if nothing is."""
    updated_s: int
    """When the relayer last wrote this: it lives, or it does not."""


class JournalStore(Protocol):
    """
    Durable before it returns. One writer.

    Raises:
        Unavailable: The store does not answer; nothing may be performed without it.
    """

    def resume_heights(self) -> Mapping[str, int]:
        """
        Return for each ledger the height below which nothing is under way; missing means 0.
        """
        ...

    def save_resume_heights(self, heights: Mapping[str, int]) -> None:
        """Set heights to resume from. One that is too low costs time only."""
        ...

    def write_intents(self, intents: Sequence[Intent]) -> Sequence[int]:
        """Write down what is about to be performed; return the numbers in order."""
        ...

    def record_outcome(
        self,
        intent_ids: Sequence[int],
        status: IntentStatus,
        *,
        tx_hash: bytes = b"",
        detail: str = "",
    ) -> None:
        """Write what became of intents. An empty *tx_hash* leaves the stored one."""
        ...

    def open_intents(self) -> Sequence[StoredIntent]:
        """Return intents that have no end yet (WRITTEN or SUBMITTED), oldest first."""
        ...

    def recent_failures(self, limit: int = 20) -> Sequence[StoredIntent]:
        """Return the latest intents that a ledger refused, newest first."""
        ...

    def save_journeys(self, rows: Sequence[JourneyRow]) -> None:
        """Insert or replace rows by key."""
        ...

    def journeys(self) -> Sequence[JourneyRow]:
        """Return rows that are not done, by key."""
        ...

    def save_ledgers(self, rows: Sequence[LedgerRow]) -> None:
        """Insert or replace rows by ledger."""
        ...

    def ledgers(self) -> Sequence[LedgerRow]:
        """Return all rows, by ledger."""
        ...

    def forget_before(self, written_s: int) -> int:
        """Drop ended intents and done journeys older than this; return how many intents."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
