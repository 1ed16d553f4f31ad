"""
A run with a microgrid on Fabric that is killed goes on where it stood: no block is another one, no
transaction takes effect twice, and every trade ends as if nothing had been.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes.mixed_world import with_ethereum, with_fabric
from fakes.small_world import blocks_bin, small

from tieline.audit import audit
from tieline.scenario import world
from tieline.scenario.run_folder import RunFolder
from tieline.wire.blocks import split_frames

pytestmark = pytest.mark.slow

CHILD = Path(__file__).parents[1] / "fakes" / "dying_world.py"
ONE_SLOT = {"slot_count": 1}
CONFIG = with_fabric(with_ethereum(small(**ONE_SLOT)), "A")
DRAWN = random.Random().randrange(4, 40)
"""Another moment with every session; it stands in the test's name."""


def kill_at(moment: Sequence[object], run: Path) -> dict[str, bytes]:
    """Run until *moment* kills it; return the whole blocks that were on disk then."""
    order = {"changes": ONE_SLOT, "fabric": ["A"], "moment": moment}
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    process = subprocess.run(
        [sys.executable, str(CHILD), str(run), json.dumps(order)],
        env=environment,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    return {name: data[: split_frames(data)[1]] for name, data in blocks_bin(run).items()}


def facts(run: Path) -> list[tuple[object, ...]]:
    return sorted(
        (trade.trade_id, trade.outcome, trade.delivered_wh, trade.paid_in_nano_eur)
        for trade in RunFolder(run).read_trades()
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    world.run(CONFIG, run, progress=lambda *_: None)
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
    before = kill_at(moment, run)
    world.run(CONFIG, run, progress=lambda *_: None, resume=True)
    after = blocks_bin(run)
    for name, blocks in before.items():
        assert after[name].startswith(blocks), f"{name}: another history than was told"
    assert facts(run) == facts(undisturbed)
    assert [check for check in RunFolder(run).read_summary().checks if not check.is_ok] == []
    assert audit(run).findings == ()
