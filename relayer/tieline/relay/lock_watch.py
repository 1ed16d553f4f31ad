"""
A lock as the relayer watches it on one ledger, as a frozen state machine over that ledger's events.

The rules of locks are in ``tieline.swap.lock`` and enforced by ledgers; here is only what must be
known to push a lock to its end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from tieline.relay.route import last_tick
from tieline.swap.lock import TERMINAL, Leg, LockStatus


@dataclass(frozen=True, slots=True)
class LockConfirmed:
    """A success acknowledgement arrived on the source; the cap is what it said."""

    cap_wh: int


@dataclass(frozen=True, slots=True)
class VerdictApplied:
    """The cells' decision arrived on the destination."""

    is_accepted: bool
    cap_wh: int


@dataclass(frozen=True, slots=True)
class PendingExpired:
    """No verdict came by its deadline."""


@dataclass(frozen=True, slots=True)
class LockClaimed:
    """*wh* were paid by one claim."""

    wh: int


@dataclass(frozen=True, slots=True)
class LockWaived:
    """The payee gave up *wh* of the cap."""

    wh: int


@dataclass(frozen=True, slots=True)
class LockRefunded:
    """*wh* went back to the payer; the rest of the lock may live on."""

    wh: int


@dataclass(frozen=True, slots=True)
class LockClosed:
    """The lock is over."""

    paid_wh: int


@dataclass(frozen=True, slots=True)
class ShareCollected:
    """One order of a pool was credited."""

    side: int
    order_id: bytes


LockEvent = (
    LockConfirmed
    | VerdictApplied
    | PendingExpired
    | LockClaimed
    | LockWaived
    | LockRefunded
    | LockClosed
    | ShareCollected
)


@dataclass(frozen=True, slots=True)
class LockWatch:
    """What is known of one lock. Times are unix seconds of its ledger's chain time."""

    ledger_id: str
    lock_id: bytes
    trade_id: bytes
    leg: Leg
    status: LockStatus
    hashlock: bytes
    payer: bytes
    payee: bytes
    energy_wh: int
    price: int
    expiry: int
    slot_start: int
    slot_length: int
    client: str
    sequence: int
    peer_lock_id: bytes
    opened_height: int
    cap_wh: int
    paid_wh: int = 0
    pool_sides: tuple[int, ...] = ()
    """Sides whose party here is a pool: their money waits for ``collect_share``."""
    collected: frozenset[tuple[int, bytes]] = frozenset()
    """(side, order id) of shares that were credited."""
    cursor_wh: tuple[int, int] = (0, 0)
    """Wh of the buying and the selling side's leaves that a store said were collected."""

    @property
    def tick(self) -> int:
        """Start of the tick whose delivery statement counts."""
        return last_tick(self.slot_start, self.slot_length)

    @property
    def is_over(self) -> bool:
        """No money can move any more but shares of a pool."""
        return self.status in TERMINAL

    def __str__(self) -> str:
        return f"{self.ledger_id}/lock/{self.lock_id.hex()[:16]}"


def advance(lock: LockWatch, event: LockEvent) -> LockWatch:
    """Add what *event* says. What changes nothing returns the watch itself."""
    match event:
        case LockRefunded():
            return lock
        case ShareCollected(side, order_id):
            if (side, order_id) in lock.collected:
                return lock
            return replace(lock, collected=lock.collected | {(side, order_id)})
        case _:
            # What is over stays over, whatever is told late or twice: a ledger says "closed",
            # with all that was paid, before it says by which claim.
            return lock if lock.is_over else _change_status(lock, event)


def _change_status(
    lock: LockWatch,
    event: LockConfirmed | VerdictApplied | PendingExpired | LockClosed | LockClaimed | LockWaived,
) -> LockWatch:
    match event:
        case LockClaimed(wh):
            return replace(lock, paid_wh=lock.paid_wh + wh)
        case LockWaived(wh):
            return replace(lock, cap_wh=max(lock.paid_wh, lock.cap_wh - wh))
        case LockConfirmed(cap_wh):
            return replace(lock, status=LockStatus.CONFIRMED, cap_wh=cap_wh)
        case LockClosed(paid_wh):
            # "Closed" is told before the verdict that refused: from pending there is no other end.
            is_refused = lock.status is LockStatus.PENDING
            ended = LockStatus.REFUSED if is_refused else LockStatus.CLOSED
            return replace(lock, status=ended, paid_wh=paid_wh)
        case VerdictApplied(is_accepted, cap_wh):
            if lock.status is not LockStatus.PENDING:
                return lock
            if is_accepted:
                return replace(lock, status=LockStatus.LOCKED, cap_wh=cap_wh)
            return replace(lock, status=LockStatus.REFUSED)
        case PendingExpired():
            if lock.status is not LockStatus.PENDING:
                return lock
            return replace(lock, status=LockStatus.REFUSED)
        case _:
            assert_never(event)
