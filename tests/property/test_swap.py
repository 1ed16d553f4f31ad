"""Both legs under any order of events: money is conserved, and the honest never stand alone."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.swap.lock import Leg, LockStatus, LockTerms, open_source
from tieline.swap.lock_events import (
    AcknowledgeRefusal,
    ClaimAsked,
    LockEvent,
    Outcome,
    PendingExpired,
    RaiseAlarm,
    RefundAsked,
    VerdictAccepted,
    VerdictRefused,
    WaiverAsked,
)
from tieline.swap.records import Reason
from tieline.swap.secret import HashLock
from tieline.swap.swap import (
    AbsenceCarried,
    AnswerCarried,
    OnDestination,
    OnSource,
    PacketReceived,
    ReceiveRefused,
    Swap,
    SwapEvent,
    advance,
)

SECRET = b"\x5e" * 32
ENERGY = 40
TAU, D, C, T_B, T_A = 600, 900, 2200, 2800, 3700
HASH_LOCK = HashLock(sha256(SECRET).digest())
IN = LockTerms(Leg.IN, HASH_LOCK, ENERGY, T_A, TAU, D, T_A)
OUT = replace(IN, leg=Leg.OUT, expiry=T_B)


def fresh() -> Swap:
    """A trade that was just sent."""
    return Swap(open_source(IN), OUT)


TIMES = st.sampled_from(
    [0, *(t + d for t in (TAU, D, C, T_B, T_A) for d in (-1, 0, 1)), T_A + 5000]
)
WH = st.integers(0, ENERGY + 5)
LOCK_EVENTS: st.SearchStrategy[LockEvent] = st.one_of(
    st.builds(ClaimAsked, st.sampled_from([SECRET, bytes(32)]), WH),
    st.builds(WaiverAsked, WH, st.booleans()),
    st.builds(RefundAsked, st.lists(WH, max_size=2).map(tuple), st.booleans()),
    st.builds(VerdictAccepted, WH),
    st.builds(VerdictRefused, st.just(Reason.V_HIGH)),
    st.just(PendingExpired()),
)
EVENTS: st.SearchStrategy[SwapEvent] = st.one_of(
    st.just(PacketReceived()),
    st.builds(ReceiveRefused, st.just(AcknowledgeRefusal(Reason.VAULT))),
    st.just(AnswerCarried()),
    st.builds(AbsenceCarried, TIMES),
    st.builds(OnSource, LOCK_EVENTS),
    st.builds(OnDestination, LOCK_EVENTS),
)


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(st.tuples(EVENTS, TIMES), max_size=30))
def test_no_order_of_events_makes_or_loses_money(steps: list[tuple[SwapEvent, int]]) -> None:
    swap = fresh()
    now = 0
    for event, at in steps:
        now = max(now, at)
        before = swap
        moved = advance(swap, event, now)
        swap = moved.next_state
        if moved.outcome is not Outcome.MOVED:
            assert swap == before
            effects = (*moved.source_effects, *moved.destination_effects)
            assert all(isinstance(effect, RaiseAlarm) for effect in effects)
        for lock in (swap.source, swap.destination):
            if lock is not None:
                assert lock.paid_wh + lock.refunded_wh + lock.open_wh == ENERGY
        # Terminal is terminal, and paid never falls.
        for lock_before, lock_after in (
            (before.source, swap.source),
            (before.destination, swap.destination),
        ):
            if lock_before is not None and lock_after is not None:
                assert lock_after.paid_wh >= lock_before.paid_wh
                if lock_before.status in (LockStatus.CLOSED, LockStatus.REFUSED):
                    assert lock_after == lock_before
        # An answer is written once.
        assert before.answer is None or swap.answer == before.answer


@settings(max_examples=300, deadline=None)
@given(
    is_delivered=st.booleans(),
    cap=st.integers(0, ENERGY),
    delivered=st.integers(0, ENERGY),
    is_ack_carried=st.booleans(),
    reveal_at=st.integers(C, T_B - 1),
    claim_delay=st.integers(0, T_A - T_B - 1),
    noise=st.lists(st.tuples(EVENTS, st.integers(0, 19)), max_size=10),
)
def test_the_honest_are_paid_on_both_legs_or_on_none(
    is_delivered: bool,
    cap: int,
    delivered: int,
    is_ack_carried: bool,
    reveal_at: int,
    claim_delay: int,
    noise: list[tuple[SwapEvent, int]],
) -> None:
    """
    An honest seller and connector, any relayer, verdict and stranger; delays inside the margin.
    Strangers know no secret, are not the payee, and bring true leaves only.
    """
    true_leaf = min(delivered, cap)
    plan: list[tuple[int, SwapEvent]] = []
    if is_delivered:
        plan.append((TAU - 1, PacketReceived()))
    verdict: LockEvent = VerdictAccepted(cap) if cap else VerdictRefused(Reason.LINE)
    plan.append((D - 1, OnDestination(verdict)))
    plan.append((D, OnDestination(PendingExpired())))
    plan.append((D, AbsenceCarried(D)))
    if is_ack_carried:
        plan.append((D + 1, AnswerCarried()))
    is_locked = is_delivered and cap > 0
    if is_locked:  # cells sign a leaf, and the seller reveals, for locked trades only
        claim = ClaimAsked(SECRET, true_leaf)
        plan.append((reveal_at, OnDestination(claim)))
        plan.append((reveal_at + claim_delay, OnSource(claim)))
    plan.append((T_A, OnDestination(RefundAsked((true_leaf,)))))
    plan.append((T_A, OnSource(RefundAsked())))
    harmless = [
        (plan[place % len(plan)][0], event)
        for event, place in noise
        if not (
            isinstance(event, OnSource | OnDestination)
            and isinstance(event.event, ClaimAsked | WaiverAsked | VerdictAccepted | VerdictRefused)
        )
        and not isinstance(event, PacketReceived | ReceiveRefused | AbsenceCarried)
    ]
    swap = fresh()
    for at, event in sorted([*plan, *harmless], key=lambda step: step[0]):
        swap = advance(swap, event, at).next_state
    assert swap.source.status is LockStatus.CLOSED
    paid_out = 0 if swap.destination is None else swap.destination.paid_wh
    assert paid_out == (true_leaf if is_locked else 0)
    assert swap.source.paid_wh == paid_out
    assert swap.source.refunded_wh == ENERGY - paid_out
    if swap.destination is not None:
        assert swap.destination.refunded_wh == ENERGY - paid_out
