"""The slot machine: the good path, every way out, and an answer for every pair."""

from __future__ import annotations

import itertools

import pytest

from tieline.market.slot_machine import (
    ROWS,
    AlreadyDone,
    Effect,
    Event,
    Moved,
    Phase,
    Refused,
    SlotState,
    Why,
    advance,
    due_event,
    next_instant,
)
from tieline.market.timeline import PROFILES, ROUNDS_MAX, slot_timeline

S = 90_000
LINE = slot_timeline(PROFILES["fast"], S, 900)
GOOD = [
    (Event.GATE_REACHED, LINE.gate_closure, Phase.GATE_CLOSED),
    (Event.BOOKS_CLEARED, LINE.gate_closure + 60, Phase.CLEARED),
    (Event.NETWORK_HOLDS, LINE.gate_closure + 90, Phase.CHECKED),
    (Event.CLEARING_SEALED, LINE.seal, Phase.SEALED),
    (Event.LOCKS_SENT, LINE.seal + 10, Phase.LOCKING),
    (Event.BATCH_CLOSED, LINE.tau, Phase.BATCH_CLOSED),
    (Event.VERDICT_REACHED, LINE.tau + 100, Phase.JUDGED),
    (Event.DELIVERY_STARTED, LINE.start, Phase.DELIVERING),
    (Event.READINGS_TAKEN, LINE.end + 60, Phase.METERED),
    (Event.STATEMENT_SIGNED, LINE.statement_due, Phase.STATED),
    (Event.LOCKS_ENDED, LINE.statement_due + 60, Phase.SETTLED),
    (Event.FINAL_REACHED, LINE.final, Phase.FINAL),
]


def walk(*steps: tuple[Event, int]) -> SlotState:
    state = SlotState()
    for event, now in steps:
        outcome = advance(state, event, LINE, now)
        assert isinstance(outcome, Moved), outcome
        state = outcome.state
    return state


def test_a_slot_goes_its_whole_way() -> None:
    state = SlotState()
    for event, now, phase in GOOD:
        outcome = advance(state, event, LINE, now)
        assert isinstance(outcome, Moved)
        state = outcome.state
        assert phase is state.phase
    assert state.has_trades


@pytest.mark.parametrize(("place", "step"), list(enumerate(GOOD)))
def test_each_event_of_the_way_done_twice_does_nothing(place: int, step: tuple) -> None:
    state = walk(*[(event, now) for event, now, _ in GOOD[: place + 1]])
    assert AlreadyDone(state) == advance(state, step[0], LINE, step[1])


@pytest.mark.parametrize(("event", "row"), list(ROWS.items()))
def test_each_deadline_is_sharp(event: Event, row) -> None:
    """*Before T* ends at T, *from T* begins there."""
    state = SlotState(phase=row.sources[0], has_trades=True)
    if row.not_before:
        instant = getattr(LINE, row.not_before)
        early = advance(state, event, LINE, instant - 1)
        assert isinstance(early, Refused)
        assert Why.TOO_EARLY is early.why
        assert isinstance(advance(state, event, LINE, instant), Moved)
    if row.before:
        instant = getattr(LINE, row.before)
        assert isinstance(advance(state, event, LINE, instant - 1), Moved)
        late = advance(state, event, LINE, instant)
        assert isinstance(late, Refused)
        assert Why.TOO_LATE is late.why


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, Event)))
def test_every_phase_and_event_has_an_answer_and_phases_only_go_back_to_clear_again(
    phase: Phase, event: Event
) -> None:
    state = SlotState(phase=phase, has_trades=True)
    for now in (0, *(getattr(LINE, name) for name in LINE.__slots__)):
        outcome = advance(state, event, LINE, now)
        if isinstance(outcome, Moved):
            assert phase in ROWS[event].sources
            assert outcome.state.phase > phase or event is Event.NETWORK_CUTS
        else:
            assert state == outcome.state


def test_an_event_ahead_of_its_time_is_refused_by_name() -> None:
    outcome = advance(SlotState(), Event.VERDICT_REACHED, LINE, LINE.tau)
    assert isinstance(outcome, Refused)
    assert Why.WRONG_PHASE is outcome.why
    assert outcome.detail == "phase=OPEN event=VERDICT_REACHED"


def test_cuts_clear_again_four_times_and_then_drop_trades() -> None:
    now = LINE.gate_closure
    state = walk((Event.GATE_REACHED, now), (Event.BOOKS_CLEARED, now))
    for round_number in range(1, ROUNDS_MAX + 1):
        outcome = advance(state, Event.NETWORK_CUTS, LINE, now)
        assert isinstance(outcome, Moved)
        assert outcome.effects == (Effect.CLEAR_BOOKS,)
        assert round_number == outcome.state.rounds
        cleared = advance(outcome.state, Event.BOOKS_CLEARED, LINE, now)
        assert isinstance(cleared, Moved)
        state = cleared.state
    outcome = advance(state, Event.NETWORK_CUTS, LINE, now)
    assert isinstance(outcome, Moved)
    assert Phase.CLEARED is outcome.state.phase
    assert Effect.DROP_TRADES is outcome.effects[0]


def test_a_slot_without_trades_needs_no_seal_verdict_or_statement() -> None:
    state = walk(
        (Event.GATE_REACHED, LINE.gate_closure),
        (Event.NOTHING_CLEARED, LINE.gate_closure),
        (Event.DELIVERY_STARTED, LINE.start),
        (Event.READINGS_TAKEN, LINE.end),
    )
    assert Phase.STATED is state.phase
    assert not state.has_trades


def test_a_missed_verdict_expires_what_is_pending() -> None:
    state = walk(*[(event, now) for event, now, _ in GOOD[:6]])
    assert Event.VERDICT_MISSED is due_event(state, LINE, LINE.verdict_deadline)
    outcome = advance(state, Event.VERDICT_MISSED, LINE, LINE.verdict_deadline)
    assert isinstance(outcome, Moved)
    assert outcome.effects == (Effect.EXPIRE_PENDING,)
    assert not outcome.state.has_trades


def test_time_alone_brings_every_slot_to_its_end() -> None:
    """With nobody at work the machine still ends: orders released, nothing owed."""
    state, seen = SlotState(), []
    for _ in range(len(Phase)):
        instant = next_instant(state, LINE)
        if instant is None:
            event = Event.READINGS_TAKEN if state.phase is Phase.DELIVERING else Event.LOCKS_ENDED
            instant = LINE.expiry_in
        else:
            assert due_event(state, LINE, instant - 1) is None
            event = due_event(state, LINE, instant)
        if state.phase is Phase.FINAL:
            break
        assert event is not None
        outcome = advance(state, event, LINE, instant)
        assert isinstance(outcome, Moved)
        state = outcome.state
        seen.append(event)
    assert Phase.FINAL is state.phase
    assert Event.SEAL_MISSED in seen
