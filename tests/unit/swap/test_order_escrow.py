"""An order gives back what no lock took, once."""

import pytest

from tieline.swap.lock_events import Outcome
from tieline.swap.order_escrow import (
    CancelAsked,
    OrderFilled,
    OrderStatus,
    ReleaseAsked,
    advance,
    place,
)

GATE, TAU = 100, 600
PLACED = place(GATE, TAU, 5000, 1500, GATE - 1).next_state


def test_an_order_from_gate_closure_on_is_refused() -> None:
    assert place(GATE, TAU, 5000, 1500, GATE - 1).outcome is Outcome.MOVED
    assert place(GATE, TAU, 5000, 1500, GATE).outcome is Outcome.REFUSED


def test_a_release_gives_back_what_the_fills_left() -> None:
    filled = advance(PLACED, OrderFilled(2000, 400), GATE).next_state
    released = advance(filled, ReleaseAsked(), TAU)
    assert released.returned == 1100
    assert released.next_state.status is OrderStatus.RELEASED
    again = advance(released.next_state, ReleaseAsked(), TAU)
    assert (again.returned, again.outcome) == (0, Outcome.ALREADY_DONE)


def test_a_cancel_needs_the_account_and_an_open_book() -> None:
    assert advance(PLACED, CancelAsked(is_by_account=False), 0).outcome is Outcome.REFUSED
    assert advance(PLACED, CancelAsked(is_by_account=True), GATE).outcome is Outcome.REFUSED
    assert advance(PLACED, CancelAsked(is_by_account=True), GATE - 1).returned == 1500


@pytest.mark.parametrize("fill", [OrderFilled(5001, 1), OrderFilled(1, 1501)])
def test_a_fill_above_what_is_left_is_refused(fill: OrderFilled) -> None:
    assert advance(PLACED, fill, GATE).outcome is Outcome.REFUSED


def test_nothing_fills_a_cancelled_order() -> None:
    cancelled = advance(PLACED, CancelAsked(is_by_account=True), 0).next_state
    assert advance(cancelled, OrderFilled(1, 0), GATE).outcome is Outcome.REFUSED
