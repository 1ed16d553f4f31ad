"""A lock as the relayer follows it by events, in whatever order a ledger tells them."""

import pytest

from tieline.relay.lock_watch import (
    LockClosed,
    LockEvent,
    LockWatch,
    PendingExpired,
    VerdictApplied,
    advance,
)
from tieline.swap.lock import Leg, LockStatus

WATCH = LockWatch(
    ledger_id="b-1",
    lock_id=b"l" * 32,
    trade_id=b"t" * 32,
    leg=Leg.OUT,
    status=LockStatus.PENDING,
    hashlock=b"h" * 32,
    payer=b"p" * 20,
    payee=b"q" * 20,
    energy_wh=1000,
    price=300,
    expiry=2000,
    slot_start=900,
    slot_length=900,
    client="07-tendermint-0",
    sequence=1,
    peer_lock_id=b"m" * 32,
    opened_height=3,
    cap_wh=1000,
)


@pytest.mark.parametrize("reason", [VerdictApplied(is_accepted=False, cap_wh=0), PendingExpired()])
def test_a_pending_lock_that_closes_was_refused_whatever_is_told_first(reason: LockEvent) -> None:
    closed = LockClosed(paid_wh=0)
    assert advance(advance(WATCH, closed), reason).status is LockStatus.REFUSED
    assert advance(advance(WATCH, reason), closed).status is LockStatus.REFUSED


def test_a_locked_lock_closes_with_what_was_paid() -> None:
    locked = advance(WATCH, VerdictApplied(is_accepted=True, cap_wh=600))
    closed = advance(locked, LockClosed(paid_wh=400))
    assert (closed.status, closed.cap_wh, closed.paid_wh) == (LockStatus.CLOSED, 600, 400)
