"""
Packets between two embedded ledgers, sent, received and acknowledged: every receive and every
acknowledgement with a native proof and attestations beside it (three signatures of four, each
attestor checks headers and proofs with a light client of its own), clients updated a block.

The hub carries them with its journal on disk. The stores of both ledgers hold so many keys.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from dataclasses import dataclass

from clock import at_least, report
from fakes.paired_world import PREFIX, PairedWorld

from tieline.protocol.messages import RegisterCounterparty, SendPacket
from tieline.protocol.packet import Payload
from tieline.relay.packet_journey import JourneyStatus

PACKETS = 1_000
PACKETS_A_TRANSACTION = 250
FILL_A_TRANSACTION = 500
ROUNDS = 4
IDLE_STEPS = 2_000
STEPS_MAX = 400
TARGETS = {1_000: 300, 100_000: 150}
NAMES = ("north", "south", "east", "west")
FIRST, SECOND = "north-1", "south-1"


@dataclass
class Spent:
    """CPU seconds of the two halves, and wall seconds of both."""

    ledgers_s: float = 0.0
    hub_s: float = 0.0
    wall_s: float = 0.0

    @property
    def cpu_s(self) -> float:
        """All of it."""
        return self.ledgers_s + self.hub_s


def fill(world: PairedWorld, ledger_id: str, keys: int) -> None:
    """Send packets through a client that no relayer serves until the store has *keys* keys."""
    ledger = world.ledgers[ledger_id]
    other = SECOND if ledger_id == FIRST else FIRST
    client = f"07-tendermint-{len(NAMES) - 1}"
    served = dict(world.clients)
    world._create_client(ledger, world.ledgers[other])
    world.clients = served
    world.blocks()
    cell = ledger.lane_account("cell")
    asyncio.run(ledger.submit("cell", [RegisterCounterparty(cell, client, client, PREFIX)]))
    world.blocks()
    payload = Payload("echo", "echo", "echo-1", "text", b"ok")
    sender = ledger.lane_account("sender")
    missing = keys - len(ledger.application.scan("ibc", b""))
    while missing > 0:
        count = min(missing, FILL_A_TRANSACTION)
        send = SendPacket(sender, client, world.clock.now + 7_200, (payload,))
        asyncio.run(ledger.submit("sender", [send] * count))
        world.clock.now += 1
        ledger.produce_block(world.clock.now)
        missing -= count


def relay(world: PairedWorld, packets: int) -> Spent:
    """Send packets from the first ledger to the second; return what it took until all are over."""
    spent = Spent()
    before = len(world.runner.view.by_status[JourneyStatus.ACKNOWLEDGED])
    wall = time.perf_counter()
    start = time.process_time()
    for _ in range(packets // PACKETS_A_TRANSACTION):
        world.send(FIRST, SECOND, PACKETS_A_TRANSACTION, timeout_s=7_200)
    spent.ledgers_s += time.process_time() - start
    for _ in range(STEPS_MAX):
        start = time.process_time()
        made = world.blocks()
        middle = time.process_time()
        report_of_step = world.step()
        spent.ledgers_s += middle - start
        spent.hub_s += time.process_time() - middle
        if not made and report_of_step.is_idle:
            break
    spent.wall_s = time.perf_counter() - wall
    done = len(world.runner.view.by_status[JourneyStatus.ACKNOWLEDGED]) - before
    assert done == packets, f"{done} of {packets} acknowledged"
    return spent


def idle_us(world: PairedWorld) -> float:
    """Return what a step costs in which nothing is to be done."""

    async def steps() -> float:
        start = time.process_time()
        for _ in range(IDLE_STEPS):
            await world.runner.step()
        return (time.process_time() - start) / IDLE_STEPS * 1e6

    return asyncio.run(steps())


def measure(keys: int) -> None:
    """Measure bursts on one route."""
    with tempfile.TemporaryDirectory() as folder:
        world = PairedWorld(NAMES, journal_url=f"sqlite:///{folder}/journal.db")
        fill(world, FIRST, keys)
        fill(world, SECOND, keys)
        world.settle(rounds_max=STEPS_MAX)
        rounds = [relay(world, PACKETS) for _ in range(ROUNDS)]
        best = min(rounds, key=lambda one: one.cpu_s)
        wall_s = min(one.wall_s for one in rounds)
        stored = {name: len(world.ledgers[name].application.scan("ibc", b"")) for name in NAMES_2}
        report(
            f"packets.{keys}_keys",
            PACKETS / best.cpu_s,
            "packets/s",
            at_least(TARGETS[keys]),
            packets=PACKETS,
            packets_per_s_wall=round(PACKETS / wall_s, 1),
            ledgers_us_a_packet=round(best.ledgers_s / PACKETS * 1e6),
            hub_and_attestors_us_a_packet=round(best.hub_s / PACKETS * 1e6),
            packets_per_s_of_ledgers_alone=round(PACKETS / best.ledgers_s),
            keys_at_the_end=stored,
            attestors=len(NAMES),
            signatures_needed=3,
            idle_step_us=round(idle_us(world), 1),
            clock="CPU of one process with both ledgers, hub and attestors; best of rounds",
        )
        world.runner.close()


NAMES_2 = (FIRST, SECOND)


def main() -> None:
    """Measure a small store and a large one."""
    logging.disable(logging.INFO)
    for keys in TARGETS:
        measure(keys)


if __name__ == "__main__":
    main()
