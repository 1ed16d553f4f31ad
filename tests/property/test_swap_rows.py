"""
Every row of the two state tables at T-1, T, T+1, over all states a lock can be in; the coverage
is printed at the end. The guards stand here a second time, as the tables have them. Rows without
a time of their own (A0, A8, A12, A13, B5, B9, B10) are driven in the contract's tests.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.swap import ladder, lock, order_escrow
from tieline.swap.lock import (
    Leg,
    LockState,
    LockStatus,
    LockTerms,
    Transition,
    open_pending,
    open_source,
)
from tieline.swap.lock_events import (
    AcknowledgedWithRefusal,
    AcknowledgedWithSuccess,
    ClaimAsked,
    LockEvent,
    Outcome,
    PacketTimedOut,
    PayPayee,
    PendingExpired,
    RaiseAlarm,
    RefundAsked,
    RefundPayer,
    ReturnBond,
    SlashBond,
    VerdictAccepted,
    VerdictRefused,
    WaiverAsked,
)
from tieline.swap.order_escrow import CancelAsked, ReleaseAsked, place
from tieline.swap.records import Reason
from tieline.swap.secret import HashLock

SECRET = b"\x5e" * 32
GATE, LOCK_DEADLINE, TAU, D, T_B, T_A = 100, 440, 600, 900, 2800, 3700
SLOT = TAU + ladder.FAST.tau_lead_s
COVERED: Counter[tuple[str, int]] = Counter()
TERMINAL = (LockStatus.CLOSED, LockStatus.REFUSED)


@dataclass(frozen=True)
class Row:
    """A row of the tables: its event, its boundary, and when its guard holds."""

    name: str
    leg: Leg
    boundary: int
    event: st.SearchStrategy[LockEvent]
    is_allowed: Callable[[LockState, LockEvent, int], bool]
    """Of a state that is neither terminal nor already past the row."""
    states: tuple[LockStatus, ...]
    """States in which the row moves; in others it is a no-op or a refusal."""


def _claim_holds(state: LockState, event: LockEvent, now: int) -> bool:
    assert isinstance(event, ClaimAsked)
    opens = len(event.preimage) == 32 and event.preimage == SECRET
    more = min(event.delivered_wh, state.cap_wh) > state.paid_wh
    return now < state.terms.expiry and opens and more


def _waiver_holds(state: LockState, event: LockEvent, now: int) -> bool:
    assert isinstance(event, WaiverAsked)
    return event.is_by_payee and state.paid_wh <= event.wh < state.cap_wh


def _refund_holds(state: LockState, event: LockEvent, now: int) -> bool:
    assert isinstance(event, RefundAsked)
    if state.terms.leg is Leg.IN:
        return now >= state.terms.expiry
    if event.is_every_root_covered:
        return now >= state.terms.expiry
    return now >= state.terms.late_expiry


def _verdict_time(state: LockState, event: LockEvent, now: int) -> bool:
    return TAU <= now < D


def _accept_holds(state: LockState, event: LockEvent, now: int) -> bool:
    assert isinstance(event, VerdictAccepted)
    return _verdict_time(state, event, now) and 1 <= event.cap_wh <= state.terms.energy_wh


WH = st.integers(0, 60)
PREIMAGES = st.sampled_from([SECRET, SECRET, SECRET, SECRET[:31], SECRET + b"x", bytes(32)])
CLAIMS = st.builds(ClaimAsked, PREIMAGES, WH)
WAIVERS = st.builds(WaiverAsked, WH, st.booleans())
LEAVES = st.lists(WH, max_size=3).map(tuple)
REFUNDS = st.builds(RefundAsked, LEAVES, st.booleans())
ACKS = st.builds(AcknowledgedWithSuccess, st.none() | WH)
LIVE_IN = (LockStatus.OPEN, LockStatus.CONFIRMED)


def always(state: LockState, event: LockEvent, now: int) -> bool:
    """No guard but the state."""
    return True


ROWS = [
    Row("A5", Leg.IN, D, ACKS, always, (LockStatus.OPEN,)),
    Row("A6", Leg.IN, D, st.just(AcknowledgedWithRefusal()), always, (LockStatus.OPEN,)),
    Row("A9", Leg.IN, T_A, CLAIMS, _claim_holds, LIVE_IN),
    Row("A10", Leg.IN, T_A, WAIVERS, _waiver_holds, LIVE_IN),
    Row("A11", Leg.IN, T_A, REFUNDS, _refund_holds, LIVE_IN),
    *(
        row
        for leg, mark in ((Leg.OUT, ""), (Leg.LOCAL, " local"))
        for row in (
            Row(
                f"B2 tau{mark}",
                leg,
                TAU,
                st.builds(VerdictAccepted, WH),
                _accept_holds,
                (LockStatus.PENDING,),
            ),
            Row(
                f"B2 D{mark}",
                leg,
                D,
                st.builds(VerdictAccepted, WH),
                _accept_holds,
                (LockStatus.PENDING,),
            ),
            Row(
                f"B3 tau{mark}",
                leg,
                TAU,
                st.builds(VerdictRefused, st.sampled_from(Reason)),
                _verdict_time,
                (LockStatus.PENDING,),
            ),
            Row(
                f"B3 D{mark}",
                leg,
                D,
                st.builds(VerdictRefused, st.sampled_from(Reason)),
                _verdict_time,
                (LockStatus.PENDING,),
            ),
            Row(
                f"B4{mark}",
                leg,
                D,
                st.just(PendingExpired()),
                lambda state, event, now: now >= D,
                (LockStatus.PENDING,),
            ),
            Row(f"B6{mark}", leg, T_B, CLAIMS, _claim_holds, (LockStatus.LOCKED,)),
            Row(f"B7{mark}", leg, T_B, WAIVERS, _waiver_holds, (LockStatus.LOCKED,)),
            Row(f"B8 T_B{mark}", leg, T_B, REFUNDS, _refund_holds, (LockStatus.LOCKED,)),
            Row(f"B8 T_A{mark}", leg, T_A, REFUNDS, _refund_holds, (LockStatus.LOCKED,)),
        )
    ),
]


@st.composite
def lock_states(draw: st.DrawFn, leg: Leg) -> LockState:
    """Any state that a lock of this leg can be in, not only those an honest run reaches."""
    energy = draw(st.integers(1, 50))
    expiry = T_A if leg is Leg.IN else T_B
    late = T_B if leg is Leg.LOCAL else T_A
    terms = LockTerms(leg, HashLock(sha256(SECRET).digest()), energy, expiry, TAU, D, late)
    fresh = open_source(terms) if leg is Leg.IN else open_pending(terms)
    statuses = (
        (LockStatus.OPEN, LockStatus.CONFIRMED, LockStatus.CLOSED)
        if leg is Leg.IN
        else (LockStatus.PENDING, LockStatus.LOCKED, LockStatus.REFUSED, LockStatus.CLOSED)
    )
    status = draw(st.sampled_from(statuses))
    if status is LockStatus.PENDING:
        return fresh
    if status is LockStatus.REFUSED:
        return replace(fresh, status=status, cap_wh=0)
    cap = draw(st.integers(1, energy))
    paid = draw(st.integers(0, cap if status is LockStatus.CLOSED else cap - 1))
    slashed = 0 if leg is Leg.IN else draw(st.integers(0, energy - cap))
    return replace(fresh, status=status, cap_wh=cap, paid_wh=paid, slashed_wh=slashed)


def check_money(before: LockState, moved: Transition) -> None:
    """Conservation per Wh, for money and bond, and that every Wh that moved has an effect."""
    after = moved.next_state
    energy = before.terms.energy_wh
    assert after.paid_wh + after.refunded_wh + after.open_wh == energy
    assert after.slashed_wh + after.bond_back_wh + after.open_wh == energy
    assert 0 <= after.paid_wh <= energy
    assert after.slashed_wh >= before.slashed_wh
    assert after.cap_wh <= before.cap_wh
    by_kind: Counter[type] = Counter()
    for effect in moved.effects:
        if isinstance(effect, PayPayee | RefundPayer | ReturnBond | SlashBond):
            assert effect.wh > 0
            by_kind[type(effect)] += effect.wh
    assert by_kind[PayPayee] == after.paid_wh - before.paid_wh
    assert by_kind[RefundPayer] == after.refunded_wh - before.refunded_wh
    if before.terms.leg is not Leg.IN:
        assert by_kind[SlashBond] == after.slashed_wh - before.slashed_wh
        assert by_kind[ReturnBond] == after.bond_back_wh - before.bond_back_wh


@pytest.fixture(scope="module")
def capsys_off(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[None]]:
    """Print past pytest's capture: the table is for people."""
    manager = request.config.pluginmanager.getplugin("capturemanager")
    return manager.global_and_fixture_disabled


@pytest.fixture(scope="module", autouse=True)
def _print_coverage(
    capsys_off: Callable[[], AbstractContextManager[None]],
) -> Iterator[None]:
    yield
    lines = ["", "rows of the state tables, transitions tried at T-1, T, T+1:"]
    for name in sorted({name for name, _ in COVERED}):
        counts = "".join(f"{COVERED[name, offset]:6}" for offset in (-1, 0, 1))
        lines.append(f"  {name:12}{counts}")
    with capsys_off():
        sys.stdout.write("\n".join([*lines, ""]))


CASES = [(row, offset) for row in ROWS for offset in (-1, 0, 1)]


@pytest.mark.parametrize(
    ("row", "offset"), CASES, ids=[f"{row.name} T{offset:+d}" for row, offset in CASES]
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_row_moves_exactly_when_its_guard_holds(
    row: Row, offset: int, data: st.DataObject
) -> None:
    state = data.draw(lock_states(row.leg))
    event = data.draw(row.event)
    now = row.boundary + offset
    moved = lock.advance(state, event, now)
    COVERED[row.name, offset] += 1
    check_money(state, moved)
    should_move = state.status in row.states and row.is_allowed(state, event, now)
    assert (moved.outcome is Outcome.MOVED) == should_move
    if not should_move:
        assert moved.next_state == state
        assert all(isinstance(effect, RaiseAlarm) for effect in moved.effects)
    if state.status in TERMINAL:
        assert moved.outcome is Outcome.ALREADY_DONE
    again = lock.advance(moved.next_state, event, now)
    if moved.outcome is Outcome.MOVED:
        assert again.outcome is not Outcome.MOVED
        assert again.next_state == moved.next_state


@pytest.mark.parametrize("offset", [-1, 0, 1])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_timeout_moves_exactly_when_absence_is_proved_from_tau(
    offset: int, data: st.DataObject
) -> None:
    state = data.draw(lock_states(Leg.IN))
    moved = lock.advance(state, PacketTimedOut(TAU + offset), D)
    COVERED["A7", offset] += 1
    check_money(state, moved)
    assert (moved.outcome is Outcome.MOVED) == (state.status is LockStatus.OPEN and offset >= 0)


@pytest.mark.parametrize("offset", [-1, 0, 1])
@settings(max_examples=40, deadline=None)
@given(leg=st.sampled_from(Leg), data=st.data())
def test_claim_and_refund_are_never_both_open(leg: Leg, offset: int, data: st.DataObject) -> None:
    state = data.draw(lock_states(leg))
    now = state.terms.expiry + offset
    claim = lock.advance(state, ClaimAsked(SECRET, state.cap_wh), now)
    refund = lock.advance(state, RefundAsked(), now)
    assert not (claim.outcome is Outcome.MOVED and refund.outcome is Outcome.MOVED)


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_the_orders_rows_at_their_boundaries(offset: int) -> None:
    for name in ("A1", "B0"):
        placed = place(GATE, TAU, 5000, 1500, GATE + offset)
        assert (placed.outcome is Outcome.MOVED) == (offset < 0)
        COVERED[name, offset] += 1
    held = place(GATE, TAU, 5000, 1500, 0).next_state
    for name in ("A2", "B0a"):
        cancelled = order_escrow.advance(held, CancelAsked(is_by_account=True), GATE + offset)
        assert (cancelled.outcome is Outcome.MOVED) == (offset < 0)
        COVERED[name, offset] += 1
    for name in ("A4", "B0b"):
        released = order_escrow.advance(held, ReleaseAsked(), TAU + offset)
        assert (released.outcome is Outcome.MOVED) == (offset >= 0)
        COVERED[name, offset] += 1


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_sending_and_receiving_at_their_boundaries(offset: int) -> None:
    late = ladder.failed_send_time(ladder.FAST, SLOT, LOCK_DEADLINE + offset)
    assert (late is None) == (offset < 0)
    COVERED["A3", offset] += 1
    from tieline.swap.swap import PacketReceived, Swap
    from tieline.swap.swap import advance as advance_swap

    hash_lock = HashLock(sha256(SECRET).digest())
    source = open_source(LockTerms(Leg.IN, hash_lock, 9, T_A, TAU, D, T_A))
    swap = Swap(source, LockTerms(Leg.OUT, hash_lock, 9, T_B, TAU, D, T_A))
    received = advance_swap(swap, PacketReceived(), TAU + offset)
    assert (received.outcome is Outcome.MOVED) == (offset < 0)
    COVERED["B1", offset] += 1
