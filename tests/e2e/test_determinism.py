"""The same scenario gives the same bytes, whatever process runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.small_world import blocks_bin

CHILD = Path(__file__).parents[1] / "fakes" / "dying_world.py"


@pytest.mark.parametrize(
    ("on_ethereum", "on_fabric"),
    [
        pytest.param([], [], id="alike", marks=pytest.mark.slow),
        # Two of its ledgers are Tendermint's, so it says what the world above says.
        pytest.param(["B"], [], id="one on Ethereum"),
        pytest.param([], ["A"], id="one on Fabric", marks=pytest.mark.slow),
    ],
)
def test_two_processes_with_other_hash_seeds_write_the_same_bytes(
    tmp_path: Path, on_ethereum: list[str], on_fabric: list[str]
) -> None:
    """Blocks of every ledger, and all that the cells signed."""
    order = json.dumps({**ONE_SLOT, "ethereum": on_ethereum, "fabric": on_fabric})
    processes = [
        subprocess.Popen(
            [sys.executable, str(CHILD), str(tmp_path / seed), order],
            env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin", "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "4242")
    ]
    assert [process.wait(timeout=900) for process in processes] == [0, 0]
    first, second = (tmp_path / "1", tmp_path / "4242")
    assert blocks_bin(first) == blocks_bin(second)
    assert all(len(blocks) > 50_000 for blocks in blocks_bin(first).values())
    names = sorted(path.name for path in (first / "evidence").iterdir())
    assert names == sorted(path.name for path in (second / "evidence").iterdir())
    for name in names:
        assert (first / "evidence" / name).read_bytes() == (second / "evidence" / name).read_bytes()
    for name in ("topology.json", "trades.json", "slots.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


ONE_SLOT = {
    "changes": {
        "slot_count": 1,
        "events": [
            {
                "event": "dispatch",
                "slots": [0],
                "cell": "a-depot",
                "power_kw": 1500,
                "levels": ["GRID"],
                "price_micro_eur_per_kwh": 450_000,
            }
        ],
    }
}
