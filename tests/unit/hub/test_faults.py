"""
Every submission failed and repeated: a trade is played once per submission and kind of fault.

After each, both legs are paid for the same Wh, the books balance, and nothing is left under way.
"""

from collections.abc import Callable, Sequence

import pytest
from _pytest.mark.structures import ParameterSet
from fakes.relay_ledger import RelayLedger
from fakes.relay_world import Crash, RelayWorld

from tieline.interfaces.errors import Unavailable
from tieline.interfaces.ledger import Message

SUBMISSIONS = 14
"""Of a trade in which nothing fails: seven on each ledger."""


class Nth:
    """Does something at the n-th submission, counted over both ledgers, once."""

    def __init__(self, number: int, act: Callable[[RelayLedger, str, Sequence[Message]], None]):
        self.number, self.act, self.count = number, act, 0

    def __call__(self, ledger: RelayLedger, lane: str, messages: Sequence[Message]) -> None:
        self.count += 1
        if self.count == self.number:
            self.act(ledger, lane, messages)


def fall_silent(ledger: RelayLedger, lane: str, messages: Sequence[Message]) -> None:
    raise Unavailable("no answer")


def crash(ledger: RelayLedger, lane: str, messages: Sequence[Message]) -> None:
    raise Crash


def repeat(ledger: RelayLedger, lane: str, messages: Sequence[Message]) -> None:
    ledger.mempool.append(ledger.inner.transaction(lane, *messages))


def drop(ledger: RelayLedger, lane: str, messages: Sequence[Message]) -> None:
    ledger.mempool.pop()
    ledger.inner.sequences[lane] -= 1


FAULTS = {
    # what happens                              before the ledger took it   after
    "not taken, ledger falls silent": (fall_silent, None),
    "taken, ledger falls silent": (None, fall_silent),
    "taken twice": (None, repeat),
    "taken and lost": (None, drop),
    "relayer crashes before": (crash, None),
    "relayer crashes after": (None, crash),
}


def test_a_trade_takes_as_many_submissions_as_are_failed_below() -> None:
    world = RelayWorld()
    world.play()
    assert sum(len(ledger.submissions) for ledger in world.ledgers.values()) == SUBMISSIONS


def in_turns(kinds: Sequence[str]) -> list[ParameterSet]:
    """Every kind at every submission; in the fast tests each submission has one kind of its own."""
    return [
        pytest.param(
            kind,
            number,
            marks=() if number % len(kinds) == place else pytest.mark.slow,
            id=f"{kind}, submission {number}",
        )
        for place, kind in enumerate(kinds)
        for number in range(1, SUBMISSIONS + 1)
    ]


@pytest.mark.parametrize(("kind", "number"), in_turns(list(FAULTS)))
def test_a_trade_settles_whichever_submission_fails(kind: str, number: int) -> None:
    world = RelayWorld()
    before, after = (act and Nth(number, act) for act in FAULTS[kind])
    for ledger in world.ledgers.values():
        ledger.before_submit, ledger.after_submit = before, after
    position = world.play()
    world.assert_settled(position, paid_wh=7200)
    assert world.crashes == (1 if "crash" in kind else 0)


@pytest.mark.parametrize(("kind", "number"), in_turns(["before", "after"]))
def test_a_trade_settles_when_the_journal_is_lost_with_the_process(kind: str, number: int) -> None:
    world = RelayWorld()
    world.loses_journal = True
    fault = Nth(number, crash)
    for ledger in world.ledgers.values():
        setattr(ledger, f"{kind}_submit", fault)
    position = world.play()
    world.assert_settled(position, paid_wh=7200)
    assert world.crashes == 1
