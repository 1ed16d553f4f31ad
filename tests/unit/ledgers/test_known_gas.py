"""Which payments go out without being run first."""

import pytest

from tieline.ledgers.ethereum.calls import Call
from tieline.ledgers.ethereum.known_gas import KNOWN_S, RUNS_MIN, KnownGas
from tieline.wire.evm.contract_calls import DEPOSIT, MULTICALL, RECEIVE_PACKETS, SEND

ANN, BOB, APP, HOST = (bytes((number,)) * 20 for number in range(4))
PAY = Call(APP, SEND.encode(BOB, 7))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def known(clock):
    """Payments of ann were run as often as it takes."""
    known = KnownGas(clock)
    for needed in (50_000, *[40_000] * (RUNS_MIN - 1)):
        assert known.find(ANN, PAY) is None
        known.note(ANN, PAY, needed)
    return known


def test_the_most_that_calls_of_a_shape_took_speaks_for_the_next(known):
    assert known.find(ANN, Call(APP, SEND.encode(ANN, 10**15))) == 50_000


@pytest.mark.parametrize(
    ("sender", "call"),
    [
        (BOB, PAY),
        (ANN, Call(HOST, PAY.data)),
        (ANN, Call(APP, DEPOSIT.encode(7))),
    ],
    ids=["account", "contract", "function"],
)
def test_another_payment_is_run(known, sender, call):
    assert known.find(sender, call) is None


def test_what_was_run_long_ago_speaks_for_nothing(known, clock):
    clock.now += KNOWN_S
    assert known.find(ANN, PAY) == 50_000
    clock.now += 0.1
    assert known.find(ANN, PAY) is None


def test_after_a_failure_all_is_run_again(known):
    known.forget()
    assert known.find(ANN, PAY) is None


@pytest.mark.parametrize("selector", [RECEIVE_PACKETS.selector, MULTICALL.selector])
def test_what_takes_more_or_less_by_what_it_says_is_always_run(clock, selector):
    """A packet that is skipped would speak for one that is received, which needs ten times more."""
    known, call = KnownGas(clock), Call(HOST, selector + bytes(64))
    for _ in range(RUNS_MIN + 1):
        known.note(ANN, call, 40_000)
    assert known.find(ANN, call) is None
