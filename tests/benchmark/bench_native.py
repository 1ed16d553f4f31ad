"""
The pace of native ledgers: one validator and four, 200 ms between blocks. Start to the second
block, a block's distance when nothing is to be done, payments with 1, 50 and 500 on their way at
any time, and how long a peer that was killed is away.

Needs `make ledgers`. Through the adapter, as a relayer works: sequences counted, blocks read in
order. The load comes from this process, on the same cores.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from clock import report
from fakes.microgrid import key

from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import HubError
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.swap.messages import MsgSend

LANES = 50
"""Senders; with 500 on their way each has ten."""
SECONDS = float(os.environ.get("NATIVE_SECONDS", "8"))
"""Each load."""
IN_FLIGHT = (1, 50, 500)
PACE = Pace(commit_wait_ms=200, is_empty_made=True)
POLL_S = 0.01


def genesis_of(chain_id: str) -> Genesis:
    """Return a ledger on which every sender has money."""
    cell = key("cell")
    accounts = [key(f"lane {n}").cosmos_account for n in range(LANES)]
    return Genesis(
        chain_id=chain_id,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        balances=tuple(sorted((account, 10**12) for account in accounts)),
    )


class Load:
    """Payments on their way, each waited for until its block is read."""

    def __init__(self, ledger: NativeTendermint, in_flight: int) -> None:
        self.ledger = ledger
        self.in_flight = in_flight
        self.landed: dict[bytes, asyncio.Future[float]] = {}
        self.latencies: list[float] = []
        self.refused = 0
        self.ends = 0.0

    async def run(self, seconds: float) -> float:
        """Keep payments on their way for so long; return payments a second."""
        began = time.perf_counter()
        self.ends = began + seconds
        watch = asyncio.create_task(self._watch())
        await asyncio.gather(*(self._send(n) for n in range(self.in_flight)))
        watch.cancel()
        return len(self.latencies) / (time.perf_counter() - began)

    async def _send(self, number: int) -> None:
        lane = f"lane {number % LANES}"
        account = self.ledger.lane_account(lane)
        while (now := time.perf_counter()) < self.ends:
            try:
                sent = await self.ledger.submit(lane, [MsgSend(account, account, 1)])
            except HubError:
                self.refused += 1
                await asyncio.sleep(0.1)
                continue
            future = self.landed.setdefault(
                sent.tx_hash, asyncio.get_running_loop().create_future()
            )
            self.latencies.append(await future - now)

    async def _watch(self) -> None:
        height = await self.ledger.latest_height()
        while True:
            for block in await self.ledger.blocks_after(height):
                height, seen = block.height, time.perf_counter()
                for one in block.transactions:
                    future = self.landed.setdefault(
                        one.tx_hash, asyncio.get_running_loop().create_future()
                    )
                    if not future.done():
                        future.set_result(seen)
            await asyncio.sleep(POLL_S)


async def idle_s(ledger: NativeTendermint) -> float:
    """Return the mean distance of blocks while nothing is to be done."""
    first, began = await ledger.latest_height(), time.perf_counter()
    await asyncio.sleep(min(SECONDS, 4.0))
    return (time.perf_counter() - began) / (await ledger.latest_height() - first)


def measure(name: str, folder: Path, validators: int) -> None:
    """Start a ledger and say how it goes."""
    chain_id = f"{name.replace('_', '-')}-1"
    began = time.perf_counter()
    group = PeerGroup(genesis_of(chain_id), folder, validator_count=validators, pace=PACE)
    laid = time.perf_counter()
    group.start()
    report(
        f"native.{name}.start",
        time.perf_counter() - laid,
        "s",
        layout_s=round(laid - began, 3),
        until="height 2",
    )
    ledger = NativeTendermint(chain_id, group.peers[0].rpc)
    for number in range(LANES):
        ledger.add_lane(f"lane {number}", key(f"lane {number}"))
    try:
        report(f"native.{name}.idle_block", asyncio.run(idle_s(ledger)), "s")
        for in_flight in IN_FLIGHT:
            load = Load(ledger, in_flight)
            rate = asyncio.run(load.run(SECONDS))
            ordered = sorted(load.latencies)
            report(
                f"native.{name}.in_flight_{in_flight}",
                statistics.median(ordered),
                "s",
                rate_per_s=round(rate, 1),
                p99_s=round(ordered[int(0.99 * (len(ordered) - 1))], 3),
                payments=len(ordered),
                refused=load.refused,
            )
        report(f"native.{name}.away", asyncio.run(away_s(group, ledger)), "s", killed="the host")
    finally:
        ledger.close()
        group.stop()


async def away_s(group: PeerGroup, ledger: NativeTendermint) -> float:
    """Kill the contract's host; return how long until its peer has a new block."""
    height, began = await ledger.latest_height(), time.perf_counter()
    os.kill(group.peers[0].pids[0], signal.SIGKILL)
    while time.perf_counter() - began < 60.0:
        try:
            if group.restarts and await ledger.latest_height() > height:
                break
        except HubError:
            pass
        await asyncio.sleep(POLL_S)
    return time.perf_counter() - began


def main() -> None:
    """Measure one validator, then four."""
    with tempfile.TemporaryDirectory() as scratch:
        measure("one_validator", Path(scratch) / "one", 1)
        measure("four_validators", Path(scratch) / "four", 4)


if __name__ == "__main__":
    main()
