"""
Payments on an embedded Fabric ledger: each is run and signed by two peers, ordered, and validated
by both. CPU time of one process that is client, peers and orderers.
"""

from __future__ import annotations

import asyncio
import time

from clock import report
from fakes.embedded_fabric import START_S, embedded_ledger
from fakes.microgrid import pay

from tieline.ledgers.fabric.embedded.channel_plan import Consensus

ROUNDS = 5
PAYERS = 32
BATCHES = 4


async def measure(consensus: Consensus) -> None:
    """Measure payments that share nothing, then payments to one account."""
    ledger = embedded_ledger(consensus=consensus)
    now_s = START_S
    await ledger.advance(now_s)
    best: dict[str, tuple[float, float]] = {}
    blocks: dict[str, int] = {}
    for _ in range(ROUNDS):
        for what in ("disjoint", "one_account"):
            begun, height = time.process_time(), ledger.network.height
            endorsed_s = 0.0
            for _ in range(BATCHES):
                now_s += 5
                started = time.process_time()
                for n in range(PAYERS):
                    payee = f"household {PAYERS + n}" if what == "disjoint" else "relayer"
                    payer = f"household {n}"
                    await ledger.submit(payer, [pay(payer, payee, 1)])
                endorsed_s += time.process_time() - started
                await ledger.advance(now_s)
            took = time.process_time() - begun
            best[what] = min(best.get(what, (took, endorsed_s)), (took, endorsed_s))
            blocks[what] = ledger.network.height - height
    count = PAYERS * BATCHES
    for what, (took, endorsed_s) in best.items():
        report(
            f"fabric_embedded.{consensus.name.lower()}.{what}",
            count / took,
            "tx/s",
            payments=count,
            blocks=blocks[what],
            endorsing_share=round(endorsed_s / took, 2),
            clock="CPU, best of rounds",
        )


def main() -> None:
    """Measure both kinds of ordering."""
    for consensus in Consensus:
        asyncio.run(measure(consensus))


if __name__ == "__main__":
    main()
