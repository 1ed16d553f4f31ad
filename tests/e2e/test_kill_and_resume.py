"""
A run that is killed at any moment goes on where it stood: what was told stays, nothing happens
twice, and it ends with the same money as if nothing had been.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakes.dying_world import MOMENTS
from fakes.small_world import (
    assert_all_money_came_back,
    blocks_bin,
    dispatch,
    ledgers_of,
    small,
)

from tieline.interfaces.errors import ConfigError
from tieline.scenario import world
from tieline.scenario.config import ScenarioConfig
from tieline.wire.blocks import split_frames

CHILD = Path(__file__).parents[1] / "fakes" / "dying_world.py"
DRAWN: dict[str, Any] = {"slot_count": 1, "reproducible_keys": False}
EVENTFUL: dict[str, Any] = {
    "slot_count": 2,
    "events": [
        dispatch("a-depot", 1500, (0, 1)),
        {"event": "slack_voltage", "slots": [0], "voltage_pu": 0.98},
        {"event": "non_delivery", "slots": [0], "cell": "b-hydro", "delivered_percent": 10},
    ],
}
Moment = tuple[str, int, str]


def start(run: Path, **order: object) -> subprocess.Popen[bytes]:
    """Start a run in a process of its own."""
    command = [sys.executable, str(CHILD), str(run), json.dumps(order)]
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def kill_at(moment: Moment, run: Path, **order: object) -> dict[str, bytes]:
    """Run until *moment* kills it; return the whole blocks that were on disk then."""
    process = start(run, moment=moment, **order)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == -signal.SIGKILL, errors.decode()
    return whole_blocks(run)


def whole_blocks(run: Path) -> dict[str, bytes]:
    """Return each ledger's blocks without a torn tail."""
    return {name: data[: split_frames(data)[1]] for name, data in blocks_bin(run).items()}


def go_on(config: ScenarioConfig, run: Path, keys: Path | None = None) -> None:
    """Resume in this process."""
    world.run(config, run, progress=lambda _done, _all, _what: None, resume=True, keys_from=keys)


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A run that nobody killed."""

    config: ScenarioConfig
    path: Path
    balances: Mapping[str, Mapping[str, int]]
    keys: Path | None

    def assert_same_end(self, run: Path, before: Mapping[str, bytes]) -> None:
        """Check blocks, heights and money of a run that was killed and resumed."""
        after = blocks_bin(run)
        for name, blocks in before.items():
            assert after[name].startswith(blocks), f"{name}: another history than was told"
        seen = ledgers_of(run, self.config, self.keys)
        for name, ledger in seen.items():
            assert list(ledger.heights) == list(range(1, len(ledger.heights) + 1)), name
            assert ledger.balances == self.balances[name], name
        assert_all_money_came_back(seen)


Undisturbing = Callable[..., Undisturbed]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbing:
    """Runs each variant of the small world once."""
    known: dict[str, Undisturbed] = {}

    def of(**changes: object) -> Undisturbed:
        name = json.dumps(changes)
        if name not in known:
            config = small(**changes)
            path = tmp_path_factory.mktemp("undisturbed") / "run"
            world.run(config, path, progress=lambda _done, _all, _what: None)
            keys = None if config.reproducible_keys else path / "keys"
            balances = {key: one.balances for key, one in ledgers_of(path, config, keys).items()}
            known[name] = Undisturbed(config, path, balances, keys)
        return known[name]

    return of


def test_a_block_torn_in_mid_write_is_cut_off_and_made_again(
    undisturbed: Undisturbing, tmp_path: Path
) -> None:
    """The kill leaves half a block; the journal is lost as well."""
    expected = undisturbed(slot_count=1)
    run = tmp_path / "run"
    before = kill_at(("block", 70, "torn"), run, changes={"slot_count": 1})
    assert blocks_bin(run) != before, "half a block is there"
    for path in run.glob("journal.sqlite*"):
        path.unlink()
    go_on(expected.config, run)
    expected.assert_same_end(run, before)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        ("block", 1, "after"),
        ("block", 14, "before"),
        ("block", 40, "after"),
        ("block", 61, "after"),
        ("block", 75, "torn"),
        ("block", 98, "after"),
        ("block", 121, "torn"),
        ("index", 90, "before"),
        ("submit", 22, "after"),
        ("submit", 33, "before"),
        ("submit", 44, "after"),
        ("submit", 60, "after"),
        ("evidence", 1, "before"),
        ("evidence", 2, "after"),
        ("evidence", 9, "before"),
        ("evidence", 17, "after"),
        ("signature", 5, "after"),
        ("signature", 25, "before"),
        ("signature", 49, "after"),
        ("preimage", 2, "after"),
    ],
    ids=lambda moment: " ".join(map(str, moment)),
)
def test_any_moment_heals(undisturbed: Undisturbing, tmp_path: Path, moment: Moment) -> None:
    """Before, in the middle of and after each kind of side effect."""
    assert moment[0] in MOMENTS
    expected = undisturbed()
    run = tmp_path / "run"
    before = kill_at(moment, run)
    go_on(expected.config, run)
    expected.assert_same_end(run, before)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 61, 73])
def test_an_interrupted_instant_is_gone_through_again(
    undisturbed: Undisturbing, tmp_path: Path, count: int
) -> None:
    """Killed between two ledgers' blocks of one instant: even the bytes are those of no kill."""
    expected = undisturbed()
    run = tmp_path / "run"
    kill_at(("block", count, "after"), run)
    go_on(expected.config, run)
    assert blocks_bin(run) == blocks_bin(expected.path)


@pytest.mark.slow
@pytest.mark.parametrize("count", [30, 70, 110])
def test_the_journal_is_rebuilt_from_the_ledgers(
    undisturbed: Undisturbing, tmp_path: Path, count: int
) -> None:
    """The relayer's journal is deleted before the resume."""
    expected = undisturbed()
    run = tmp_path / "run"
    before = kill_at(("block", count, "after"), run)
    for path in run.glob("journal.sqlite*"):
        path.unlink()
    go_on(expected.config, run)
    expected.assert_same_end(run, before)
    assert (run / "journal.sqlite").exists()


@pytest.mark.slow
@pytest.mark.parametrize("count", [20, 62, 84])
def test_drawn_keys_and_preimages_are_found_again(
    undisturbed: Undisturbing, tmp_path: Path, count: int
) -> None:
    """Keys of the other run, preimages of its own: after the resume their locks are claimed."""
    expected = undisturbed(**DRAWN)
    assert expected.keys is not None
    run = tmp_path / "run"
    moment = ("block", count, "after")
    before = kill_at(moment, run, changes=DRAWN, keys_from=str(expected.keys))
    go_on(expected.config, run, expected.keys)
    for name, blocks in before.items():
        assert blocks_bin(run)[name].startswith(blocks)
    seen = ledgers_of(run, expected.config, expected.keys)
    assert_all_money_came_back(seen)
    assert sum(map(len, (ledger.locks for ledger in seen.values()))) > 0
    for ledger in seen.values():
        assert all(lock.paid_wh == lock.energy_wh for lock in ledger.locks)


@pytest.mark.slow
@pytest.mark.parametrize("count", [58, 66, 80, 100])
def test_a_run_with_refusals_and_partial_deliveries_heals(
    undisturbed: Undisturbing, tmp_path: Path, count: int
) -> None:
    """Sentinels, refunds and statements below the cap survive as well."""
    expected = undisturbed(**EVENTFUL)
    run = tmp_path / "run"
    before = kill_at(("block", count, "after"), run, changes=EVENTFUL)
    go_on(expected.config, run)
    expected.assert_same_end(run, before)


@pytest.mark.slow
def test_kill_9_from_outside_again_and_again(undisturbed: Undisturbing, tmp_path: Path) -> None:
    """Killed and resumed until it gets through, whenever its files have grown by some blocks."""
    expected = undisturbed()
    run = tmp_path / "run"
    before: dict[str, bytes] = {}
    kills = 0
    while True:
        process = start(run, resume=kills > 0)
        grown_from, deadline = _size(run), time.monotonic() + 600
        while process.poll() is None and _size(run) < grown_from + 60_000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        _, errors = process.communicate()
        for name, blocks in before.items():
            assert blocks_bin(run)[name].startswith(blocks)
        before = whole_blocks(run)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors.decode()
        kills += 1
    assert kills > 2
    expected.assert_same_end(run, before)


def _size(run: Path) -> int:
    return sum(path.stat().st_size for path in run.glob("ledgers/*/blocks.bin"))


def test_a_folder_that_holds_a_run_is_not_begun_again(
    undisturbed: Undisturbing,
) -> None:
    """A second start would mix two runs; the folder is left as it is."""
    expected = undisturbed(slot_count=1)
    blocks = blocks_bin(expected.path)
    with pytest.raises(ConfigError, match="holds a run already"):
        world.run(expected.config, expected.path, progress=lambda _done, _all, _what: None)
    assert blocks_bin(expected.path) == blocks


def test_a_run_is_not_resumed_on_other_engines(undisturbed: Undisturbing) -> None:
    """The blocks of one kind of engine are not those that another would go on from."""
    expected = undisturbed(slot_count=1)
    with pytest.raises(ConfigError, match="began with --engine embedded"):
        world.run(
            expected.config,
            expected.path,
            progress=lambda _done, _all, _what: None,
            resume=True,
            engine="native",
        )


@pytest.mark.slow
def test_a_run_is_not_resumed_with_other_keys(undisturbed: Undisturbing, tmp_path: Path) -> None:
    """Other keys are another genesis: refused by name, and the right keys still fit."""
    expected = undisturbed(**DRAWN)
    run = tmp_path / "run"
    kill_at(("block", 40, "after"), run, changes=DRAWN, keys_from=str(expected.keys))
    with pytest.raises(ConfigError, match="another ledger"):
        go_on(expected.config, run, tmp_path / "strange-keys")
    go_on(expected.config, run, expected.keys)
    assert_all_money_came_back(ledgers_of(run, expected.config, expected.keys))
