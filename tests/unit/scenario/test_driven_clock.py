"""Time in a scenario: a grid of five seconds, jumps to what is due, never back."""

import pytest

from tieline.scenario.driven_clock import GRID_S, DrivenClock


def test_while_ledgers_are_busy_it_makes_single_steps() -> None:
    clock = DrivenClock(1000)
    clock.remember([1100])
    assert clock.step(is_busy=True)
    assert clock.now_s() == 1000 + GRID_S


def test_else_it_jumps_to_the_next_instant() -> None:
    clock = DrivenClock(1000)
    clock.remember([1300, 1100])
    assert [clock.step(is_busy=False) and clock.now_s() for _ in range(2)] == [1100, 1300]


def test_it_stands_when_nothing_lies_ahead() -> None:
    clock = DrivenClock(1000)
    assert not clock.step(is_busy=False)
    assert clock.now_s() == 1000


def test_busy_steps_pass_instants_once() -> None:
    clock = DrivenClock(1000)
    clock.remember([1005, 1005, 1010])
    assert clock.step(is_busy=True)
    assert clock.step(is_busy=False)
    assert clock.now_s() == 1010
    assert not clock.step(is_busy=False)


@pytest.mark.parametrize(("asked", "got"), [(1001, 1005), (1005, 1005), (1006, 1010)])
def test_instants_are_rounded_up_to_the_grid(asked: int, got: int) -> None:
    """Never down: before a deadline is not at it."""
    clock = DrivenClock(1000)
    clock.remember([asked])
    clock.step(is_busy=False)
    assert clock.now_s() == got


def test_what_has_passed_is_not_remembered() -> None:
    clock = DrivenClock(1000)
    clock.remember([995, 1000])
    assert not clock.step(is_busy=False)


@pytest.mark.parametrize(("to", "got"), [(1003, 1005), (2000, 2000), (10, 1000)])
def test_a_resumed_run_jumps_forward_only(to: int, got: int) -> None:
    clock = DrivenClock(1000)
    clock.jump(to)
    assert clock.now_s() == got
