"""The same story in another process, with another hash seed, gives the same blocks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
STORY = """
import asyncio
from hashlib import sha256
from fakes.embedded_fabric import START_S, embedded_ledger
from fakes.microgrid import pay

async def story():
    ledger = embedded_ledger()
    await ledger.advance(START_S)
    for step in range(1, 4):
        for n in range(8):
            await ledger.submit(f"household {n}", [pay(f"household {n}", "relayer", step)])
        await ledger.advance(START_S + 10 * step)
    blocks = [ledger.network.block(number) for number in range(ledger.network.height + 1)]
    print(sha256(b"".join(blocks)).hexdigest(), (await ledger.state_root()).hex())

asyncio.run(story())
"""


@pytest.mark.slow
def test_the_hash_seed_changes_nothing():
    places = [ROOT / name for name in ("relayer", "adapters", "microgrids", "tests")]
    told = set()
    for seed in ("0", "4711"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(map(str, places)),
        }
        done = subprocess.run(
            [sys.executable, "-c", STORY],
            capture_output=True,
            check=True,
            env=environment,
            text=True,
        )
        told.add(done.stdout)
    assert len(told) == 1
    assert len(told.pop().split()) == 2
