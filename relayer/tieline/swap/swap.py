"""
Both legs of a trade as one machine: what the source learns is what the destination wrote.

Used to reason about a whole swap: the legs run on two ledgers with two clocks, and the packet
between them carries exactly one answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from tieline.swap.lock import LockState, LockTerms, open_pending
from tieline.swap.lock import advance as advance_lock
from tieline.swap.lock_events import (
    Acknowledge,
    AcknowledgedWithRefusal,
    AcknowledgedWithSuccess,
    AcknowledgeRefusal,
    Effect,
    LockEvent,
    Outcome,
    PacketTimedOut,
)


@dataclass(frozen=True, slots=True)
class Swap:
    """A trade between two ledgers, from the send on."""

    source: LockState
    destination_terms: LockTerms
    destination: LockState | None = None
    """None until the packet was received."""
    answer: Acknowledge | AcknowledgeRefusal | None = None
    """What the destination wrote for the packet, once."""
    is_packet_cleared: bool = False
    """The source acknowledged or timed the packet out."""


@dataclass(frozen=True, slots=True)
class PacketReceived:
    """The destination reserved everything (B1), at its time."""


@dataclass(frozen=True, slots=True)
class ReceiveRefused:
    """The destination answered with the sentinel at once (B1)."""

    refusal: AcknowledgeRefusal


@dataclass(frozen=True, slots=True)
class AnswerCarried:
    """A relayer brings the destination's answer to the source."""


@dataclass(frozen=True, slots=True)
class AbsenceCarried:
    """A relayer brings proof to the source that nothing was received."""

    proof_time_s: int


@dataclass(frozen=True, slots=True)
class OnSource:
    """An event of the source's lock."""

    event: LockEvent


@dataclass(frozen=True, slots=True)
class OnDestination:
    """An event of the destination's lock."""

    event: LockEvent


SwapEvent = (
    PacketReceived | ReceiveRefused | AnswerCarried | AbsenceCarried | OnSource | OnDestination
)


@dataclass(frozen=True, slots=True)
class SwapTransition:
    """The next state, and what each ledger has to do."""

    next_state: Swap
    source_effects: tuple[Effect, ...] = ()
    destination_effects: tuple[Effect, ...] = ()
    outcome: Outcome = Outcome.MOVED
    refusal: str = ""


def advance(swap: Swap, event: SwapEvent, now_s: int) -> SwapTransition:
    """
    Apply *event* at *now_s* of the chain it happens on. Total.

    Answers and absences are taken from the destination's own state: a proof cannot say otherwise.
    """
    match event:
        case PacketReceived():
            return _receive(swap, None, now_s)
        case ReceiveRefused():
            return _receive(swap, event.refusal, now_s)
        case AnswerCarried():
            return _carry_answer(swap, now_s)
        case AbsenceCarried():
            return _carry_absence(swap, event, now_s)
        case OnSource():
            if isinstance(
                event.event, AcknowledgedWithSuccess | AcknowledgedWithRefusal | PacketTimedOut
            ):
                return _refused(swap, "answers come from the destination")
            return _move_source(swap, event.event, now_s)
        case OnDestination():
            return _move_destination(swap, event.event, now_s)
        case _:
            assert_never(event)


def _refused(swap: Swap, refusal: str) -> SwapTransition:
    return SwapTransition(swap, outcome=Outcome.REFUSED, refusal=refusal)


def _receive(swap: Swap, refusal: AcknowledgeRefusal | None, now_s: int) -> SwapTransition:
    if swap.destination is not None or swap.answer is not None:
        return SwapTransition(swap, outcome=Outcome.ALREADY_DONE)
    if now_s >= swap.destination_terms.tau:
        return _refused(swap, "receive from the timeout on")
    if refusal is not None:
        return SwapTransition(replace(swap, answer=refusal), destination_effects=(refusal,))
    return SwapTransition(replace(swap, destination=open_pending(swap.destination_terms)))


def _carry_answer(swap: Swap, now_s: int) -> SwapTransition:
    if swap.is_packet_cleared:
        return SwapTransition(swap, outcome=Outcome.ALREADY_DONE)
    if swap.answer is None:
        return _refused(swap, "nothing is acknowledged yet")
    event: LockEvent = AcknowledgedWithRefusal()
    if isinstance(swap.answer, Acknowledge):
        event = AcknowledgedWithSuccess(swap.answer.cap_wh)
    moved = _move_source(replace(swap, is_packet_cleared=True), event, now_s)
    return replace(moved, outcome=Outcome.MOVED)


def _carry_absence(swap: Swap, event: AbsenceCarried, now_s: int) -> SwapTransition:
    if swap.is_packet_cleared:
        return SwapTransition(swap, outcome=Outcome.ALREADY_DONE)
    if swap.destination is not None or swap.answer is not None:
        return _refused(swap, "the packet was received")
    moved = _move_source(swap, PacketTimedOut(event.proof_time_s), now_s)
    if moved.outcome is Outcome.REFUSED:
        return moved
    return replace(
        moved,
        next_state=replace(moved.next_state, is_packet_cleared=True),
        outcome=Outcome.MOVED,
    )


def _move_source(swap: Swap, event: LockEvent, now_s: int) -> SwapTransition:
    moved = advance_lock(swap.source, event, now_s)
    return SwapTransition(
        replace(swap, source=moved.next_state),
        source_effects=moved.effects,
        outcome=moved.outcome,
        refusal=moved.refusal,
    )


def _move_destination(swap: Swap, event: LockEvent, now_s: int) -> SwapTransition:
    if swap.destination is None:
        return _refused(swap, "nothing was received")
    moved = advance_lock(swap.destination, event, now_s)
    answer = swap.answer
    for effect in moved.effects:
        if isinstance(effect, Acknowledge | AcknowledgeRefusal):
            answer = effect
    return SwapTransition(
        replace(swap, destination=moved.next_state, answer=answer),
        destination_effects=moved.effects,
        outcome=moved.outcome,
        refusal=moved.refusal,
    )
