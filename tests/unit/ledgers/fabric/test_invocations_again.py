"""
What peers endorsed and committed comes to the same again from the blocks alone, in two processes
that differ in hash seed, locale and time zone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes.embedded_fabric import START_S, embedded_ledger, run
from fakes.microgrid import pay
from fakes.replay_invocations import Recorded, answers_apart, differences, recorded_in

from tieline.wire.blocks import split_frames
from tieline.wire.fabric.blocks import Block

INSTALLATION = "fakes.microgrid:echo_installation"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    """Payments side by side and after one another, some endorsed twice, and Ticks."""
    folder: Path = tmp_path_factory.mktemp("channel")

    async def story() -> None:
        ledger = embedded_ledger(folder)
        await ledger.advance(START_S)
        for instant in range(1, 4):
            for n in range(6):
                to = f"household {(n * instant) % 5 + 6}"
                await ledger.submit(f"household {n}", [pay(f"household {n}", to, instant)])
            await ledger.advance(START_S + 15 * instant)
        ledger.close()

    run(story())
    payloads, _ = split_frames((folder / "blocks.bin").read_bytes())
    return recorded_in(map(Block.decode, payloads))


def test_recorded_invocations_come_to_the_same_in_two_processes(recorded: list[Recorded]) -> None:
    functions = [each.call.args[0] for each in recorded]
    assert functions.count(b"Submit") == 18
    assert functions.count(b"Tick") == 4
    assert functions[0] == b"Init"
    answers = answers_apart((each.call for each in recorded), INSTALLATION)
    assert len(answers) == 2
    assert differences(recorded, answers) == []
    # The measure can say no: had a block held another write, both would be named.
    key, _ = recorded[-2].writes[0]
    spoiled = replace(recorded[-2], writes=((key, b"other"), *recorded[-2].writes[1:]))
    wrong = differences([*recorded[:-2], spoiled, recorded[-1]], answers)
    assert [line.split(":")[0] for line in wrong] == [f"invocation {len(recorded) - 2}"] * 2
