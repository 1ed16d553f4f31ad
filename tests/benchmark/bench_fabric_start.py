"""
A start on a Fabric channel of a thousand blocks, without a file of what was read and with one. CPU
time of the adapter alone: blocks come out of memory, as a peer would send them.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from clock import at_most, best_of, report
from fakes.microgrid import key, pay
from fakes.scripted_fabric import ScriptedFabric, ScriptedPort

from tieline.ledgers.fabric.ledger import FabricLedger

BLOCKS = 1_000
PAYERS = 8
ROUNDS = 3
TICK_EVERY = 10
GONE_ON_MS = 200.0
"""A tenth of what it takes to read all."""


async def made() -> ScriptedFabric:
    """Return a channel whose blocks hold as many payments as there are payers, or a Tick."""
    fabric = ScriptedFabric()
    ledger = FabricLedger(ScriptedPort(fabric))
    for n in range(PAYERS):
        ledger.add_lane(f"household {n}", key(f"household {n}"))
    while len(fabric.blocks) < BLOCKS:
        for n in range(PAYERS):
            payer, payee = f"household {n}", f"household {n + PAYERS}"
            await ledger.submit(payer, [pay(payer, payee, 1)])
        fabric.cut()
        await ledger.read_on()
        if len(fabric.blocks) % TICK_EVERY == 0:
            fabric.tick()
    return fabric


def main() -> None:
    """Measure a read of all blocks into memory and into a file, and a start that goes on."""
    fabric = asyncio.run(made())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"

        def start(history_file: Path | None, *, is_first: bool = False) -> None:
            if is_first:
                path.unlink(missing_ok=True)
            ledger = FabricLedger(ScriptedPort(fabric), history_file=history_file)
            asyncio.run(ledger.read_on())
            ledger.close()

        took = {
            "all_into_memory": best_of(ROUNDS, lambda: start(None)),
            "all_into_a_file": best_of(ROUNDS, lambda: start(path, is_first=True)),
            "gone_on": best_of(ROUNDS, lambda: start(path)),
        }
        size = path.stat().st_size
    for what, one in took.items():
        report(
            f"fabric_start.{what}",
            one.cpu_s * 1e3,
            "ms",
            at_most(GONE_ON_MS) if what == "gone_on" else None,
            blocks=BLOCKS,
            transactions=BLOCKS * PAYERS,
            file_bytes=size,
            clock="CPU, best of rounds",
        )


if __name__ == "__main__":
    main()
