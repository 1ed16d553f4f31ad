"""
One leg of a swap: what may happen to a lock, counted in Wh, as one pure transition function.

The rows are those of the state tables in ``docs/spec/trade.md`` 3 (source) and 4 (destination,
local).
Money is not moved here: effects say for how many Wh, the ledger multiplies by the price.
Who signed what, which statement is stored, which packet was proved: the caller establishes that
and says so in the event.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import assert_never

from tieline.swap.lock_events import (
    Acknowledge,
    AcknowledgedWithRefusal,
    AcknowledgedWithSuccess,
    AcknowledgeRefusal,
    ClaimAsked,
    Effect,
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
from tieline.swap.records import Reason
from tieline.swap.secret import HashLock


class LockStatus(IntEnum):
    """Where a lock stands. Numbers are bytes on ledgers and never change."""

    OPEN = 1
    CONFIRMED = 2
    CLOSED = 3
    PENDING = 4
    LOCKED = 5
    REFUSED = 6


class Leg(IntEnum):
    """Which part of a trade a lock carries. Numbers are bytes on ledgers and never change."""

    IN = 1
    """Source: the buying side pays the connector."""
    OUT = 2
    """Destination: the connector's vault pays the selling side."""
    LOCAL = 3
    """INTRA: the buying side pays the selling side on one ledger, no packet between."""


TERMINAL = frozenset({LockStatus.CLOSED, LockStatus.REFUSED})
CLAIMABLE = frozenset({LockStatus.OPEN, LockStatus.CONFIRMED, LockStatus.LOCKED})


@dataclass(frozen=True, slots=True)
class LockTerms:
    """What a lock says once and for all. Times are unix seconds of its ledger's chain time."""

    leg: Leg
    hash_lock: HashLock
    energy_wh: int
    """At least 1."""
    expiry: int
    """T_A on the source, T_B elsewhere: claims before it, refunds from it."""
    tau: int
    """The packet's timeout: when the batch closes."""
    verdict_deadline: int
    """D: verdicts before it, ``PendingExpired`` from it."""
    late_expiry: int
    """T_A: from here on a destination's refund needs no statement. LOCAL: the expiry itself."""


@dataclass(frozen=True, slots=True)
class LockState:
    """Where a lock stands. ``paid_wh <= cap_wh <= energy_wh`` always."""

    terms: LockTerms
    status: LockStatus
    cap_wh: int
    paid_wh: int = 0
    slashed_wh: int = 0
    """Of these Wh the seller's bond went to the imbalance pool."""

    @property
    def open_wh(self) -> int:
        """Wh that may still be paid."""
        return 0 if self.status in TERMINAL else self.cap_wh - self.paid_wh

    @property
    def refunded_wh(self) -> int:
        """Wh whose money went back to the payer: the rest, so that nothing is ever lost."""
        return self.terms.energy_wh - self.paid_wh - self.open_wh

    @property
    def bond_back_wh(self) -> int:
        """Wh whose bond is free again: paid, capped, refused, or refunded without fault."""
        return self.terms.energy_wh - self.open_wh - self.slashed_wh


@dataclass(frozen=True, slots=True)
class Transition:
    """The next state and what the ledger has to do. Only MOVED changes the state."""

    next_state: LockState
    effects: tuple[Effect, ...] = ()
    outcome: Outcome = Outcome.MOVED
    refusal: str = ""
    """The rule that was hit, if REFUSED."""


def open_source(terms: LockTerms) -> LockState:
    """Return a fresh source lock (A3): its money is there, its packet is on the way."""
    _check_terms(terms, Leg.IN)
    return LockState(terms, LockStatus.OPEN, terms.energy_wh)


def open_pending(terms: LockTerms) -> LockState:
    """Return a fresh destination or local lock (B1): reserved, waiting for the verdict."""
    _check_terms(terms, Leg.OUT, Leg.LOCAL)
    return LockState(terms, LockStatus.PENDING, terms.energy_wh)


def _check_terms(terms: LockTerms, *legs: Leg) -> None:
    if terms.leg not in legs:
        raise ValueError(f"lock opened on the wrong leg: {terms.leg.name}")
    if terms.energy_wh < 1:
        raise ValueError(f"lock without energy: energy_wh={terms.energy_wh}")


def advance(state: LockState, event: LockEvent, now_s: int) -> Transition:
    """
    Apply *event* at chain time *now_s*. Total: every pair of state and event has an answer.

    Returns:
        MOVED with effects, ALREADY_DONE for a repeat, or REFUSED with the rule in ``refusal``.
    """
    match event:
        case AcknowledgedWithSuccess():
            return _acknowledge(state, event)
        case AcknowledgedWithRefusal():
            return _acknowledge_refusal(state)
        case PacketTimedOut():
            return _time_out(state, event)
        case VerdictAccepted():
            return _accept(state, event, now_s)
        case VerdictRefused():
            return _refuse_by_verdict(state, event, now_s)
        case PendingExpired():
            return _expire_pending(state, now_s)
        case ClaimAsked():
            return _claim(state, event, now_s)
        case WaiverAsked():
            return _waive(state, event)
        case RefundAsked():
            return _refund(state, event, now_s)
        case _:
            assert_never(event)


def _unchanged(state: LockState) -> Transition:
    return Transition(state, outcome=Outcome.ALREADY_DONE)


def _refused(state: LockState, refusal: str) -> Transition:
    return Transition(state, outcome=Outcome.REFUSED, refusal=refusal)


def _alarm(state: LockState, reason: str) -> Transition:
    return Transition(state, (RaiseAlarm(reason),), Outcome.ALREADY_DONE)


# --- source: A5, A6, A7 ---------------------------------------------------------------------


def _acknowledge(state: LockState, event: AcknowledgedWithSuccess) -> Transition:
    if state.terms.leg is not Leg.IN:
        return _refused(state, "only a source lock is acknowledged")
    if event.cap_wh is None:
        # Whatever it is, it is not the sentinel: it never refunds below the cap.
        confirmed = _confirmed(state, state.cap_wh)
        return replace(confirmed, effects=(*confirmed.effects, RaiseAlarm("ACK_UNREADABLE")))
    if state.status is not LockStatus.OPEN:
        return _unchanged(state)
    return _confirmed(state, max(state.paid_wh, min(event.cap_wh, state.cap_wh)))


def _confirmed(state: LockState, cap_wh: int) -> Transition:
    if state.status is not LockStatus.OPEN:
        return _unchanged(state)
    status = LockStatus.CLOSED if state.paid_wh == cap_wh else LockStatus.CONFIRMED
    lost_wh = state.cap_wh - cap_wh
    return Transition(
        replace(state, status=status, cap_wh=cap_wh),
        (RefundPayer(lost_wh),) if lost_wh else (),
    )


def _acknowledge_refusal(state: LockState) -> Transition:
    if state.terms.leg is not Leg.IN:
        return _refused(state, "only a source lock is acknowledged")
    if state.status is LockStatus.CLOSED:
        return _alarm(state, "SENTINEL_AFTER_CLAIM") if state.paid_wh else _unchanged(state)
    if state.status is LockStatus.CONFIRMED:
        return _alarm(state, "SENTINEL_AFTER_SUCCESS")
    closed = _close(state, ())
    if state.paid_wh:
        # The destination refused, yet a statement let the connector claim: contradiction.
        return replace(closed, effects=(*closed.effects, RaiseAlarm("SENTINEL_AFTER_CLAIM")))
    return closed


def _time_out(state: LockState, event: PacketTimedOut) -> Transition:
    if state.terms.leg is not Leg.IN:
        return _refused(state, "only a source lock times out")
    if event.proof_time_s < state.terms.tau:
        return _refused(state, "absence proved before the timeout")
    if state.status is LockStatus.CLOSED:
        return _alarm(state, "TIMEOUT_AFTER_CLAIM") if state.paid_wh else _unchanged(state)
    if state.status is LockStatus.CONFIRMED:
        return _alarm(state, "TIMEOUT_AFTER_SUCCESS")
    closed = _close(state, ())
    if state.paid_wh:
        return replace(closed, effects=(*closed.effects, RaiseAlarm("TIMEOUT_AFTER_CLAIM")))
    return closed


# --- destination and local: B2, B3, B4 ------------------------------------------------------


def _accept(state: LockState, event: VerdictAccepted, now_s: int) -> Transition:
    if state.terms.leg is Leg.IN:
        return _refused(state, "a verdict is applied where the trade is received")
    if state.status is not LockStatus.PENDING:
        return _unchanged(state)
    if (early_or_late := _outside_verdict_time(state.terms, now_s)) is not None:
        return _refused(state, early_or_late)
    if not 1 <= event.cap_wh <= state.terms.energy_wh:
        return _refused(state, "cap outside 1..energy")
    surplus_wh = state.terms.energy_wh - event.cap_wh
    effects: tuple[Effect, ...] = (Acknowledge(event.cap_wh),)
    if surplus_wh:
        effects = (RefundPayer(surplus_wh), ReturnBond(surplus_wh), *effects)
    locked = replace(state, status=LockStatus.LOCKED, cap_wh=event.cap_wh)
    return Transition(locked, effects)


def _refuse_by_verdict(state: LockState, event: VerdictRefused, now_s: int) -> Transition:
    if state.terms.leg is Leg.IN:
        return _refused(state, "a verdict is applied where the trade is received")
    if state.status is not LockStatus.PENDING:
        return _unchanged(state)
    if (early_or_late := _outside_verdict_time(state.terms, now_s)) is not None:
        return _refused(state, early_or_late)
    return _give_back(state, event.reason)


def _expire_pending(state: LockState, now_s: int) -> Transition:
    if state.terms.leg is Leg.IN:
        return _refused(state, "a source lock is never pending")
    if state.status is not LockStatus.PENDING:
        return _unchanged(state)
    if now_s < state.terms.verdict_deadline:
        return _refused(state, "before the verdict deadline")
    return _give_back(state, Reason.NO_VERDICT)


def _outside_verdict_time(terms: LockTerms, now_s: int) -> str | None:
    if now_s < terms.tau:
        return "verdict before the batch closed"
    if now_s >= terms.verdict_deadline:
        return "verdict from its deadline on"
    return None


def _give_back(state: LockState, reason: Reason) -> Transition:
    wh = state.terms.energy_wh
    refused = replace(state, status=LockStatus.REFUSED, cap_wh=0)
    return Transition(refused, (RefundPayer(wh), ReturnBond(wh), AcknowledgeRefusal(reason)))


# --- exits: A9 = B6, A10 = B7, A11, B8 ------------------------------------------------------


def _claim(state: LockState, event: ClaimAsked, now_s: int) -> Transition:
    if state.status in TERMINAL:
        return _unchanged(state)
    if state.status not in CLAIMABLE:
        return _refused(state, "no claim before the verdict")
    if now_s >= state.terms.expiry:
        return _refused(state, "claim from the expiry on")
    if not state.terms.hash_lock.is_opened_by(event.preimage):
        return _refused(state, "preimage does not open the hash lock")
    wh = min(event.delivered_wh, state.cap_wh) - state.paid_wh
    if wh <= 0:
        return _unchanged(state)
    paid_wh = state.paid_wh + wh
    status = LockStatus.CLOSED if paid_wh == state.cap_wh else state.status
    effects: tuple[Effect, ...] = (PayPayee(wh),)
    if state.terms.leg is not Leg.IN:
        effects = (PayPayee(wh), ReturnBond(wh))
    return Transition(replace(state, status=status, paid_wh=paid_wh), effects)


def _waive(state: LockState, event: WaiverAsked) -> Transition:
    if state.status in TERMINAL:
        return _unchanged(state)
    if state.status not in CLAIMABLE:
        return _refused(state, "no waiver before the verdict")
    if not event.is_by_payee:
        return _refused(state, "waiver by the payee only")
    if event.wh == state.cap_wh:
        return _unchanged(state)
    if not state.paid_wh <= event.wh < state.cap_wh:
        return _refused(state, "waiver outside paid..cap")
    given_up_wh = state.cap_wh - event.wh
    status = LockStatus.CLOSED if event.wh == state.paid_wh else state.status
    if state.terms.leg is Leg.IN:
        waived = replace(state, status=status, cap_wh=event.wh)
        return Transition(waived, (RefundPayer(given_up_wh),))
    slashed_wh = state.slashed_wh + given_up_wh
    waived = replace(state, status=status, cap_wh=event.wh, slashed_wh=slashed_wh)
    return Transition(waived, (RefundPayer(given_up_wh), SlashBond(given_up_wh)))


def _refund(state: LockState, event: RefundAsked, now_s: int) -> Transition:
    if state.status in TERMINAL:
        return _unchanged(state)
    if state.status not in CLAIMABLE:
        return _refused(state, "a pending lock expires, it is not refunded")
    if now_s < state.terms.expiry:
        return _refused(state, "refund before the expiry")
    if state.terms.leg is Leg.IN:
        return _close(state, ())
    if now_s < state.terms.late_expiry and not event.is_every_root_covered:
        return _refused(state, "refund without a leaf from every stored statement")
    # Some of the statements are as good as none: the bringer would choose the one that slashes.
    shown_wh = event.delivered_wh if event.is_every_root_covered else ()
    largest_wh = max(shown_wh, default=None)
    shortfall_wh = 0
    if largest_wh is not None:
        # What the most generous statement says was never delivered.
        shortfall_wh = max(0, state.cap_wh - max(state.paid_wh, largest_wh))
    slashed = replace(state, slashed_wh=state.slashed_wh + shortfall_wh)
    back_wh = state.cap_wh - state.paid_wh - shortfall_wh
    bond: tuple[Effect, ...] = (SlashBond(shortfall_wh),) if shortfall_wh else ()
    if back_wh:
        bond = (*bond, ReturnBond(back_wh))
    return _close(slashed, bond)


def _close(state: LockState, more: tuple[Effect, ...]) -> Transition:
    open_wh = state.open_wh
    closed = replace(state, status=LockStatus.CLOSED)
    return Transition(closed, (*((RefundPayer(open_wh),) if open_wh else ()), *more))
