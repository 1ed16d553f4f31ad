"""
What an order holds in escrow until locks or its account take it: rows A1, A2, A4, B0, B0a, B0b
of ``docs/spec/trade.md`` 3 and 4.

An order stays ORDERED while its fills become locks; cancel and release return only what no lock
took.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import assert_never

from tieline.swap.lock_events import Outcome


class OrderStatus(IntEnum):
    """Where an order stands. Numbers are bytes on ledgers and never change."""

    ORDERED = 1
    CANCELLED = 2
    RELEASED = 3


@dataclass(frozen=True, slots=True)
class OrderEscrow:
    """An order's energy and money that no lock took yet."""

    gate_closure: int
    """Unix seconds: placed and cancelled before it."""
    tau: int
    """Unix seconds: released from it."""
    status: OrderStatus
    energy_left_wh: int
    money_left: int
    """nano-EUR: escrow of a buy, bond of a sell."""


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """A position takes *wh* of the order, and *money* of its escrow or bond into a lock."""

    wh: int
    money: int


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """A2, B0a: somebody brings a Cancel."""

    is_by_account: bool
    """Signed by the order's account."""


@dataclass(frozen=True, slots=True)
class ReleaseAsked:
    """A4, B0b: anyone asks to free the rest."""


OrderEvent = OrderFilled | CancelAsked | ReleaseAsked


@dataclass(frozen=True, slots=True)
class OrderTransition:
    """The next state, and the money that goes back to the order's account."""

    next_state: OrderEscrow
    returned: int = 0
    """nano-EUR."""
    outcome: Outcome = Outcome.MOVED
    refusal: str = ""


def place(gate_closure: int, tau: int, energy_wh: int, money: int, now_s: int) -> OrderTransition:
    """Return a fresh order (A1, B0) that holds *money* nano-EUR, or a refusal from gate closure."""
    placed = OrderEscrow(gate_closure, tau, OrderStatus.ORDERED, energy_wh, money)
    if now_s >= gate_closure:
        return _refused(placed, "order from gate closure on")
    return OrderTransition(placed)


def advance(state: OrderEscrow, event: OrderEvent, now_s: int) -> OrderTransition:
    """Apply *event* at chain time *now_s*. Total; repeats are ALREADY_DONE."""
    match event:
        case OrderFilled():
            return _fill(state, event)
        case CancelAsked():
            if state.status is OrderStatus.CANCELLED:
                return OrderTransition(state, outcome=Outcome.ALREADY_DONE)
            if not event.is_by_account:
                return _refused(state, "cancel by the order's account only")
            if now_s >= state.gate_closure:
                return _refused(state, "cancel from gate closure on")
            return _give_back(state, OrderStatus.CANCELLED)
        case ReleaseAsked():
            if state.status is not OrderStatus.ORDERED:
                return OrderTransition(state, outcome=Outcome.ALREADY_DONE)
            if now_s < state.tau:
                return _refused(state, "release before the batch closed")
            return _give_back(state, OrderStatus.RELEASED)
        case _:
            assert_never(event)


def _fill(state: OrderEscrow, event: OrderFilled) -> OrderTransition:
    if event.wh > state.energy_left_wh or event.money > state.money_left:
        return _refused(state, "fill above what is left of the order")
    return OrderTransition(
        replace(
            state,
            energy_left_wh=state.energy_left_wh - event.wh,
            money_left=state.money_left - event.money,
        )
    )


def _give_back(state: OrderEscrow, status: OrderStatus) -> OrderTransition:
    emptied = replace(state, status=status, energy_left_wh=0, money_left=0)
    return OrderTransition(emptied, returned=state.money_left)


def _refused(state: OrderEscrow, refusal: str) -> OrderTransition:
    return OrderTransition(state, outcome=Outcome.REFUSED, refusal=refusal)
