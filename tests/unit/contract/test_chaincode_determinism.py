"""
Two organisations' peers must come to the same bytes: write sets, payloads, events, refusals. A
difference would be no error anyone sees, only proposals whose endorsements never match.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fakes.fabric_world import FabricWorld
from fakes.replay_invocations import APART, answers_apart, line_of_answer
from fakes.trade_story import tell_story

from tieline.contract.chaincode import Chaincode
from tieline.contract.invocation_replay import RecordedCall, replay
from tieline.wire.fabric.invocations import read_back_args, submit_args, tick_args

INSTALLATION = "fakes.trade_world:fake_installation"


@pytest.fixture(scope="module")
def calls() -> Sequence[RecordedCall]:
    """All that was asked of one ledger in an evening, and some that is refused."""
    ledger = tell_story(FabricWorld()).ledgers[1]
    assert ledger.channel is not None
    made = ledger.channel.calls
    spoiled = [
        submit_args(made[-1].args[1][:-1] + b"\0"),
        submit_args(b""),
        tick_args(1),
        read_back_args("clock", "i:00"),
        (),
        (b"",),
        (b"\xff\xfe",),
    ]
    return [*made, *(RecordedCall(args, 5) for args in spoiled)]


def test_two_processes_with_other_seeds_locales_and_zones_answer_alike(
    calls: Sequence[RecordedCall],
) -> None:
    one, two = answers_apart(calls, INSTALLATION)
    assert len(one) == len(calls)
    assert one == two
    ledger = FabricWorld().b
    here = replay(Chaincode(installation=ledger.installed), calls)
    assert one == [line_of_answer(invocation) for invocation in here]
    assert sum(line.startswith("Invocation(status=200") for line in one) > 20
    assert sum(line.startswith("Invocation(status=500") for line in one) >= 6


def test_the_processes_do_differ_in_what_is_said() -> None:
    one, two = APART
    assert all(one[name] != two[name] for name in ("PYTHONHASHSEED", "LC_ALL", "TZ"))
