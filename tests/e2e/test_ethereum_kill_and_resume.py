"""
A run with a microgrid on Ethereum that is killed goes on where it stood: no sealed block is made
otherwise, no transaction happens twice, and every trade ends as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes.killed_run import assert_heals, kill_at
from fakes.mixed_world import with_ethereum
from fakes.small_world import small

from tieline.scenario import world

ONE_SLOT = {"slot_count": 1}
CONFIG = with_ethereum(small(**ONE_SLOT), "B")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    world.run(CONFIG, run, progress=lambda *_: None)
    return run


@pytest.mark.parametrize(
    "moment",
    [
        ("evm block", 13, "after"),
        pytest.param(("evm block", 1, "before"), marks=pytest.mark.slow),
        pytest.param(("evm block", 1, "after"), marks=pytest.mark.slow),
        pytest.param(("evm block", 8, "before"), marks=pytest.mark.slow),
        pytest.param(("evm block", 15, "before"), marks=pytest.mark.slow),
        pytest.param(("evm block", 19, "after"), marks=pytest.mark.slow),
        pytest.param(("seal", 2, "after"), marks=pytest.mark.slow),
        pytest.param(("seal", 4, "before"), marks=pytest.mark.slow),
        pytest.param(("evidence", 5, "after"), marks=pytest.mark.slow),
    ],
    ids=lambda moment: " ".join(map(str, moment)),
)
def test_any_moment_heals(undisturbed: Path, tmp_path: Path, moment: Sequence[object]) -> None:
    run = tmp_path / "run"
    before = kill_at(moment, run, changes=ONE_SLOT, ethereum=["B"])
    assert_heals(CONFIG, run, before, undisturbed)
