"""
Packets through send, receive and acknowledge on embedded ledgers, every proof native and attested.
Prints one JSON line; a number, not a verdict.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.paired_world import PairedWorld

from tieline.relay.packet_journey import JourneyStatus

PACKETS = 1_000
PACKETS_A_TRANSACTION = 250
IDLE_STEPS = 2_000


def relay(world: PairedWorld, packets: int) -> float:
    """Send packets from the first ledger to the second; return seconds until all are answered."""
    first, second = list(world.ledgers)[:2]
    start = time.perf_counter()
    for _ in range(packets // PACKETS_A_TRANSACTION):
        world.send(first, second, PACKETS_A_TRANSACTION, timeout_s=7_200)
    world.settle(rounds_max=400)
    return time.perf_counter() - start


def idle_ms(world: PairedWorld) -> float:
    """Return the cost of a step in which nothing is to be done."""

    async def steps() -> float:
        start = time.perf_counter()
        for _ in range(IDLE_STEPS):
            await world.runner.step()
        return (time.perf_counter() - start) / IDLE_STEPS * 1_000

    return asyncio.run(steps())


def main() -> None:
    """Measure a burst on one route, and the step that does nothing with twelve clients."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        world = PairedWorld(
            ("north", "south", "east", "west"), journal_url=f"sqlite:///{folder}/journal.db"
        )
        took = relay(world, PACKETS)
    done = len(world.runner.view.by_status[JourneyStatus.ACKNOWLEDGED])
    line: dict[str, object] = {
        "benchmark": "relayed_packets",
        "packets": done,
        "seconds": round(took, 3),
        "packets_per_s": round(done / took, 1),
        "idle_step_ms": round(idle_ms(world), 4),
        "attestors": 4,
        "signatures_needed": 3,
    }
    print(json.dumps(line))  # noqa: T201


if __name__ == "__main__":
    main()
