"""
A run with a microgrid on Fabric that is killed goes on where it stood: no block is another one, no
transaction takes effect twice, and every trade ends as if nothing had been.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes.killed_run import assert_heals, kill_at
from fakes.mixed_world import with_ethereum, with_fabric
from fakes.small_world import blocks_bin, small

from tieline.scenario import world
from tieline.wire.blocks import split_frames

pytestmark = pytest.mark.slow

ONE_SLOT = {"slot_count": 1}
CONFIG = with_fabric(with_ethereum(small(**ONE_SLOT)), "A")
DRAWN_BELOW = 40
DRAWN = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")).randrange(4, DRAWN_BELOW)
"""Another moment with every session, the same in its processes; it stands in the test's name."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    world.run(CONFIG, run, progress=lambda *_: None)
    chain_id = CONFIG.microgrids[0].chain_id
    blocks, _ = split_frames(blocks_bin(run)[chain_id])
    assert len(blocks) >= DRAWN_BELOW, "or some sessions would draw a moment that never comes"
    return run


@pytest.mark.parametrize(
    "moment",
    [
        ("fabric block", 1, "before"),
        ("fabric block", 1, "after"),
        ("fabric block", 2, "after"),
        ("fabric block", 4, "before"),
        ("fabric block", DRAWN, "before"),
        ("fabric block", DRAWN, "after"),
        ("signature", 8, "after"),
        ("evidence", 5, "before"),
    ],
    ids=lambda moment: " ".join(map(str, moment)),
)
def test_any_moment_heals(undisturbed: Path, tmp_path: Path, moment: Sequence[object]) -> None:
    run = tmp_path / "run"
    before = kill_at(moment, run, changes=ONE_SLOT, fabric=["A"])
    assert_heals(CONFIG, run, before, undisturbed)
