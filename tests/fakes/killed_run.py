"""A run in a process of its own that is killed at a named moment, and what must hold afterwards."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fakes.small_world import blocks_bin
from tieline.audit import audit
from tieline.scenario import world
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.run_folder import RunFolder
from tieline.wire.blocks import split_frames

CHILD = Path(__file__).parent / "dying_world.py"


def kill_at(moment: Sequence[object], run: Path, **order: object) -> dict[str, bytes]:
    """Run until *moment* kills it; return the whole blocks that were on disk then."""
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    process = subprocess.run(
        [sys.executable, str(CHILD), str(run), json.dumps({"moment": moment, **order})],
        env=environment,
        capture_output=True,
        timeout=900,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    return {name: data[: split_frames(data)[1]] for name, data in blocks_bin(run).items()}


def facts(run: Path) -> list[tuple[object, ...]]:
    """What became of each trade."""
    return sorted(
        (trade.trade_id, trade.outcome, trade.delivered_wh, trade.paid_in_nano_eur)
        for trade in RunFolder(run).read_trades()
    )


def assert_heals(
    config: ScenarioConfig, run: Path, before: dict[str, bytes], undisturbed: Path
) -> None:
    """Resume: no block that was told is another one, and all ends as where nobody killed."""
    world.run(config, run, progress=lambda *_: None, resume=True)
    after = blocks_bin(run)
    for name, blocks in before.items():
        assert after[name].startswith(blocks), f"{name}: another history than was told"
    assert facts(run) == facts(undisturbed)
    assert [check for check in RunFolder(run).read_summary().checks if not check.is_ok] == []
    assert audit(run).findings == ()
