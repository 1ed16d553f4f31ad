"""Work that waits for company: what goes when."""

import pytest

from tieline.hub.pacing import CLEARING_PATIENCE_S, Pacing, Window
from tieline.relay.effects import Effect, StepName

WINDOW = Window(window_s=15, patience_s=240)
ALL = {"eth-1": WINDOW, "at-once": Window()}


def effect(step: StepName, number: int = 1, ledger_id: str = "eth-1") -> Effect:
    return Effect(step, ledger_id, f"{step}/{number}", ())


CLAIM = effect(StepName.CLAIM_LOCK)
SHARE = effect(StepName.COLLECT_SHARES)
CLEARING = effect(StepName.POST_CLEARING)


@pytest.mark.parametrize("ledger_id", ["at-once", "unnamed"])
def test_a_ledger_without_a_window_is_sent_to_at_once(ledger_id: str) -> None:
    pacing = Pacing(ALL)
    assert pacing.due(ledger_id, [SHARE, CLAIM], 100) == [SHARE, CLAIM]
    assert pacing.next_wake_s() is None


@pytest.mark.parametrize(
    ("waiting", "wait_s"),
    [
        (CLAIM, 15),
        (SHARE, 240),
        (effect(StepName.REFUND_LOCK), 240),
        (effect(StepName.RELEASE_ORDERS), 240),
        (CLEARING, CLEARING_PATIENCE_S),
        (effect(StepName.DELIVER_PACKET), 15),
        (effect(StepName.APPLY_VERDICT), 15),
        (effect(StepName.EXPIRE_PENDING), 15),
    ],
)
def test_work_goes_when_it_has_waited_long_enough(waiting: Effect, wait_s: int) -> None:
    pacing = Pacing(ALL)
    assert pacing.due("eth-1", [waiting], 100) == ()
    assert pacing.next_wake_s() == 100 + wait_s
    assert pacing.due("eth-1", [waiting], 99 + wait_s) == ()
    assert pacing.due("eth-1", [waiting], 100 + wait_s) == [waiting]
    assert pacing.next_wake_s() is None


def test_what_nobody_waits_for_goes_along_with_what_somebody_does() -> None:
    pacing = Pacing(ALL)
    assert pacing.due("eth-1", [SHARE], 100) == ()
    assert pacing.due("eth-1", [SHARE, CLAIM], 150) == ()
    assert pacing.next_wake_s() == 165
    assert pacing.due("eth-1", [SHARE, CLAIM], 165) == [SHARE, CLAIM]


def test_what_somebody_else_has_done_is_waited_for_no_longer() -> None:
    pacing = Pacing(ALL)
    pacing.due("eth-1", [CLEARING], 100)
    assert pacing.due("eth-1", [], 115) == []
    assert pacing.next_wake_s() is None
    assert pacing.due("eth-1", [CLEARING], 200) == (), "it begins to wait anew"


def test_a_time_that_has_passed_hides_no_later_one() -> None:
    """What waited on the first ledger was brought by somebody else; the second is to be woken."""
    pacing = Pacing({"eth-1": WINDOW, "eth-2": WINDOW})
    other = effect(StepName.DELIVER_PACKET, ledger_id="eth-2")
    pacing.begin({"eth-1"})
    pacing.due("eth-1", [CLAIM], 100)
    pacing.begin({"eth-2"})
    pacing.due("eth-2", [other], 120)
    assert pacing.next_wake_s() == 135


def test_work_on_a_ledger_that_takes_nothing_now_has_waited_all_the_same() -> None:
    pacing = Pacing(ALL)
    pacing.begin({"eth-1"})
    pacing.due("eth-1", [CLAIM], 100)
    pacing.begin({"eth-1"})
    assert pacing.next_wake_s() is None, "its lanes are taken: a block wakes the relayer"
    pacing.begin({"eth-1"})
    assert pacing.due("eth-1", [CLAIM], 115) == [CLAIM]
    pacing.begin(())
    pacing.begin({"eth-1"})
    assert pacing.due("eth-1", [CLAIM], 200) == ()
