"""
The life of one slot as a pure machine: phase x event, at a time, gives a move, nothing, or a
typed refusal.

It knows no ledger and no market; the utility cells perform its effects, one file a phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntEnum

from tieline.market.timeline import ROUNDS_MAX, SlotTimeline


class Phase(IntEnum):
    """Where a slot stands. The numbers lie in journals and never change."""

    OPEN = 1
    """Orders come in."""
    GATE_CLOSED = 2
    """The book is fixed; it is cleared, or cleared again under cuts."""
    CLEARED = 3
    """Provisional positions; the network is asked."""
    CHECKED = 4
    """The network holds the set; signatures are collected."""
    SEALED = 5
    """More than two thirds signed the clearing."""
    LOCKING = 6
    """Locks and packets are out."""
    BATCH_CLOSED = 7
    """From tau: the pending set can no longer grow."""
    JUDGED = 8
    """It is known what will be delivered; perhaps nothing."""
    DELIVERING = 9
    METERED = 10
    """Readings are in."""
    STATED = 11
    """It is known what was delivered; claims run."""
    SETTLED = 12
    """All locks ended, deviations priced."""
    FINAL = 13
    """Late readings are trued up; nothing moves any more."""


class Event(Enum):
    """What can happen to a slot."""

    GATE_REACHED = "gate reached"
    BOOKS_CLEARED = "books cleared"
    NOTHING_CLEARED = "nothing cleared"
    NETWORK_HOLDS = "network holds"
    NETWORK_CUTS = "network cuts"
    CLEARING_SEALED = "clearing sealed"
    SEAL_MISSED = "seal missed"
    LOCKS_SENT = "locks sent"
    BATCH_CLOSED = "batch closed"
    VERDICT_REACHED = "verdict reached"
    VERDICT_MISSED = "verdict missed"
    DELIVERY_STARTED = "delivery started"
    READINGS_TAKEN = "readings taken"
    STATEMENT_SIGNED = "statement signed"
    STATEMENT_MISSED = "statement missed"
    LOCKS_ENDED = "locks ended"
    FINAL_REACHED = "final reached"


class Effect(Enum):
    """What the cell must do next."""

    CLEAR_BOOKS = "clear books"
    CHECK_NETWORK = "check network"
    DROP_TRADES = "drop trades"
    COLLECT_SIGNATURES = "collect signatures"
    SEND_LOCKS = "send locks"
    RELEASE_ORDERS = "release orders"
    PROPOSE_VERDICT = "propose verdict"
    APPLY_VERDICT = "apply verdict"
    EXPIRE_PENDING = "expire pending"
    SEND_SET_POINTS = "send set points"
    READ_METERS = "read meters"
    SIGN_STATEMENT = "sign statement"
    CLAIM = "claim"
    REFUND = "refund"
    SETTLE = "settle"
    TRUE_UP = "true up"


class Why(Enum):
    """Why an event is refused."""

    WRONG_PHASE = "wrong phase"
    TOO_EARLY = "too early"
    TOO_LATE = "too late"


@dataclass(frozen=True, slots=True)
class SlotState:
    """One slot as its cell knows it."""

    phase: Phase = Phase.OPEN
    rounds: int = 0
    """Rounds of cuts so far."""
    has_trades: bool = False
    """False: nothing was cleared, sealed or accepted; there is nothing to claim."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The event took place."""

    state: SlotState
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """The slot is past it; nothing to do."""

    state: SlotState


@dataclass(frozen=True, slots=True)
class Refused:
    """The event cannot take place now."""

    state: SlotState
    why: Why
    detail: str


Outcome = Moved | AlreadyDone | Refused


@dataclass(frozen=True, slots=True)
class _Row:
    """One event: from which phases, to which, in which window, with which effects."""

    sources: tuple[Phase, ...]
    target: Phase
    effects: tuple[Effect, ...] = ()
    not_before: str = ""
    """Name of an instant of the timeline; the event holds from it on."""
    before: str = ""
    """Name of an instant; the event holds before it."""


_P = Phase
_UNSEALED = (_P.GATE_CLOSED, _P.CLEARED, _P.CHECKED)

ROWS: Mapping[Event, _Row] = {
    Event.GATE_REACHED: _Row(
        (_P.OPEN,), _P.GATE_CLOSED, (Effect.CLEAR_BOOKS,), not_before="gate_closure"
    ),
    Event.BOOKS_CLEARED: _Row(
        (_P.GATE_CLOSED,), _P.CLEARED, (Effect.CHECK_NETWORK,), before="lock_deadline"
    ),
    Event.NOTHING_CLEARED: _Row((_P.GATE_CLOSED, _P.CLEARED), _P.JUDGED, (Effect.RELEASE_ORDERS,)),
    Event.NETWORK_HOLDS: _Row(
        (_P.CLEARED,), _P.CHECKED, (Effect.COLLECT_SIGNATURES,), before="lock_deadline"
    ),
    Event.NETWORK_CUTS: _Row(
        (_P.CLEARED,), _P.GATE_CLOSED, (Effect.CLEAR_BOOKS,), before="lock_deadline"
    ),
    Event.CLEARING_SEALED: _Row(
        (_P.CHECKED,), _P.SEALED, (Effect.SEND_LOCKS,), before="lock_deadline"
    ),
    Event.SEAL_MISSED: _Row(
        _UNSEALED, _P.JUDGED, (Effect.RELEASE_ORDERS,), not_before="lock_deadline"
    ),
    Event.LOCKS_SENT: _Row((_P.SEALED,), _P.LOCKING, before="tau"),
    Event.BATCH_CLOSED: _Row(
        (_P.SEALED, _P.LOCKING),
        _P.BATCH_CLOSED,
        (Effect.RELEASE_ORDERS, Effect.PROPOSE_VERDICT),
        not_before="tau",
    ),
    Event.VERDICT_REACHED: _Row(
        (_P.BATCH_CLOSED,),
        _P.JUDGED,
        (Effect.APPLY_VERDICT, Effect.SEND_SET_POINTS),
        before="verdict_deadline",
    ),
    Event.VERDICT_MISSED: _Row(
        (_P.BATCH_CLOSED,), _P.JUDGED, (Effect.EXPIRE_PENDING,), not_before="verdict_deadline"
    ),
    Event.DELIVERY_STARTED: _Row((_P.JUDGED,), _P.DELIVERING, not_before="start"),
    Event.READINGS_TAKEN: _Row(
        (_P.DELIVERING,), _P.METERED, (Effect.SIGN_STATEMENT,), not_before="end"
    ),
    Event.STATEMENT_SIGNED: _Row((_P.METERED,), _P.STATED, (Effect.CLAIM,), before="expiry_out"),
    Event.STATEMENT_MISSED: _Row(
        (_P.METERED,), _P.STATED, (Effect.REFUND,), not_before="expiry_out"
    ),
    Event.LOCKS_ENDED: _Row((_P.STATED,), _P.SETTLED, (Effect.SETTLE,)),
    Event.FINAL_REACHED: _Row((_P.SETTLED,), _P.FINAL, (Effect.TRUE_UP,), not_before="final"),
}
"""The whole machine, one row an event; the diagram in the docs is made of it."""


def advance(state: SlotState, event: Event, timeline: SlotTimeline, now_s: int) -> Outcome:
    """
    Say what *event* at *now_s* does to a slot. Every pair of phase and event has an answer.

    Args:
        state: As the cell journalled it.
        event: What was seen.
        timeline: The slot's instants.
        now_s: Chain time, unix seconds; *before T* means ``now_s < T``, *from T* ``now_s >= T``.
    """
    row = ROWS[event]
    if state.phase not in row.sources:
        # A later phase has the event behind it, happened or overtaken; an earlier one does not.
        if state.phase >= row.target:
            return AlreadyDone(state)
        detail = f"phase={state.phase.name} event={event.name}"
        return Refused(state, Why.WRONG_PHASE, detail)
    if row.not_before and now_s < (instant := getattr(timeline, row.not_before)):
        return Refused(state, Why.TOO_EARLY, f"now={now_s} {row.not_before}={instant}")
    if row.before and now_s >= (instant := getattr(timeline, row.before)):
        return Refused(state, Why.TOO_LATE, f"now={now_s} {row.before}={instant}")
    return _move(state, event, row)


def _move(state: SlotState, event: Event, row: _Row) -> Moved:
    """Return the next state; the few events that are more than their row come first."""
    moved = replace(state, phase=row.target)
    if event is Event.NETWORK_CUTS:
        if state.rounds >= ROUNDS_MAX:
            # The book was cleared often enough: trades go, by least welfare per unit of relief.
            return Moved(state, (Effect.DROP_TRADES, Effect.CHECK_NETWORK))
        return Moved(replace(moved, rounds=state.rounds + 1), row.effects)
    if event is Event.BOOKS_CLEARED:
        return Moved(replace(moved, has_trades=True), row.effects)
    if event in {Event.NOTHING_CLEARED, Event.SEAL_MISSED, Event.VERDICT_MISSED}:
        return Moved(replace(moved, has_trades=False), row.effects)
    if event is Event.READINGS_TAKEN and not state.has_trades:
        # Nothing accepted: no statement, since an empty tree has no root.
        return Moved(replace(moved, phase=Phase.STATED))
    return Moved(moved, row.effects)


_DUE: Mapping[Phase, tuple[Event, str]] = {
    Phase.OPEN: (Event.GATE_REACHED, "gate_closure"),
    Phase.GATE_CLOSED: (Event.SEAL_MISSED, "lock_deadline"),
    Phase.CLEARED: (Event.SEAL_MISSED, "lock_deadline"),
    Phase.CHECKED: (Event.SEAL_MISSED, "lock_deadline"),
    Phase.SEALED: (Event.BATCH_CLOSED, "tau"),
    Phase.LOCKING: (Event.BATCH_CLOSED, "tau"),
    Phase.BATCH_CLOSED: (Event.VERDICT_MISSED, "verdict_deadline"),
    Phase.JUDGED: (Event.DELIVERY_STARTED, "start"),
    Phase.METERED: (Event.STATEMENT_MISSED, "expiry_out"),
    Phase.SETTLED: (Event.FINAL_REACHED, "final"),
}


def due_event(state: SlotState, timeline: SlotTimeline, now_s: int) -> Event | None:
    """Return the event that time alone brings about by *now_s*, or None."""
    due = _DUE.get(state.phase)
    if due is None or now_s < getattr(timeline, due[1]):
        return None
    return due[0]


def next_instant(state: SlotState, timeline: SlotTimeline) -> int | None:
    """Return when time alone moves the slot next, unix seconds; None where it waits for others."""
    due = _DUE.get(state.phase)
    return None if due is None else int(getattr(timeline, due[1]))
