"""
The pace of native Fabric: two organisations on Raft, 100 ms between blocks. Our contract beside the
least chaincode there is, on a network of its own, one after the other: payments between accounts
that share nothing, and packets received by the vault of one connector, with 1, 32 and 200 on their
way at any time. Ticks go on meanwhile.

Needs `make ledgers`. The load comes from this process, on the same cores: ours through the adapter,
the other through nothing but the peer's gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clock import at_least, report
from fakes.busy_fabric import TRADES, BusyChannel, RunningClock, blocks_of, close, port_of
from fakes.fabric_networks import lay_out
from fakes.many_receives import ManyReceives
from fakes.microgrid import key
from fakes.trade_records import TAU

from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import HubError
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.native.network import FabricNetwork
from tieline.ledgers.fabric.port import Validation
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.swap.messages import MsgSend

SECONDS = float(os.environ.get("FABRIC_SECONDS", "6"))
"""Each load."""
IN_FLIGHT = (1, 32, 200)
PACKETS = {1: 60, 32: 400, 200: 600}
"""Most that are received, by how many are on their way."""
RECEIVES = sum(PACKETS.values())
PAYERS = tuple(f"payer {n}" for n in range(max(IN_FLIGHT)))
POLL_S = 0.05
"""Between looks for new blocks; half of a block's distance."""
WHILE_S = 800
"""Before the packets time out, the load begins."""
COMMIT_WAIT_S = 30.0
"""With 200 on their way, one may wait behind all others."""


@dataclass
class Figures:
    """What one load came to."""

    in_flight: int
    latencies: list[float] = field(default_factory=list)
    took_s: float = 0.0
    refused: int = 0
    aborts: int = 0

    @property
    def rate(self) -> float:
        """Transactions a second."""
        return len(self.latencies) / self.took_s

    def quantile(self, share: float) -> float:
        """A latency, seconds."""
        ordered = sorted(self.latencies)
        return ordered[int(share * (len(ordered) - 1))]

    def details(self) -> dict[str, object]:
        """What stands beside the rate."""
        count = len(self.latencies)
        return {
            "rate_per_s": round(self.rate, 1),
            "p50_s": round(statistics.median(self.latencies), 3),
            "p99_s": round(self.quantile(0.99), 3),
            "count": count,
            "aborted": self.aborts,
            "abort_rate": round(self.aborts / max(count + self.aborts, 1), 4),
            "refused": self.refused,
        }


async def keep_busy(in_flight: int, numbers: Iterator[int], one: Callable[[int], Awaitable[bool]]):
    """Keep so many on their way until the numbers end or the time is over; say how it went."""
    figures = Figures(in_flight)
    began = time.perf_counter()

    async def line() -> None:
        for number in numbers:
            now = time.perf_counter()
            if now - began > SECONDS:
                return
            if await one(number):
                figures.latencies.append(time.perf_counter() - now)
            else:
                figures.refused += 1

    await asyncio.gather(*(line() for _ in range(in_flight)))
    figures.took_s = time.perf_counter() - began
    return figures


class Least:
    """The least chaincode, through the gateway alone."""

    def __init__(self, network: FabricNetwork) -> None:
        self.network = network
        self.puts = 0

    async def load(self, in_flight: int) -> Figures:
        """Put values under keys of their own."""
        port = port_of(self.network, commit_wait_s=COMMIT_WAIT_S)
        self.puts += 1

        async def put(number: int) -> bool:
            name = b"%d %d" % (self.puts, number)
            try:
                endorsed = await port.endorse((b"put", name, b"%d" % number))
                await port.order(endorsed.envelope)
                status = await port.commit_status(endorsed.tx_id)
            except HubError:
                return False
            return status is not None and status.code == Validation.VALID

        await put(-1)
        figures = await keep_busy(in_flight, itertools.count(), put)
        await close(port)
        return figures


class Watch:
    """Reads on, as a relayer does, and tells who waits that a block holds what was handed in."""

    def __init__(self, ledger: FabricLedger) -> None:
        self.ledger = ledger
        self.landed: dict[bytes, asyncio.Future[int]] = {}

    async def run(self) -> None:
        """Go on until cancelled."""
        height = await self.ledger.latest_height()
        while True:
            for block in await self.ledger.blocks_after(height):
                height = block.height
                for one in block.transactions:
                    future = self._future(one.tx_hash)
                    if not future.done():
                        future.set_result(one.code)
            await asyncio.sleep(POLL_S)

    def _future(self, tx_hash: bytes) -> asyncio.Future[int]:
        return self.landed.setdefault(tx_hash, asyncio.get_running_loop().create_future())

    def ended(self, task: asyncio.Task[None]) -> None:
        """Let nobody wait for blocks that are not read any more."""
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            for future in self.landed.values():
                if not future.done():
                    future.set_exception(failure)

    async def outcome(self, tx_hash: bytes) -> int:
        """Return the code of a transaction once it is in a block."""
        return await self._future(tx_hash)


class Ours:
    """A channel with our contract, and how it is loaded."""

    def __init__(self, channel: BusyChannel, wall_s: Callable[[], int]) -> None:
        self.channel = channel
        self.wall_s = wall_s

    @contextlib.asynccontextmanager
    async def watched(self, lanes: Sequence[str] = ()) -> AsyncIterator[Watch]:
        """Open a ledger that hands in Ticks, and read on beside the load."""
        ledger = self.channel.open(settings=FabricSettings(idle_tick_s=15), wall_s=self.wall_s)
        for name in lanes:
            ledger.add_lane(name, key(name))
        await ledger.latest_height()  # what was there before is not part of the load
        watch = Watch(ledger)
        task = asyncio.create_task(watch.run())
        task.add_done_callback(watch.ended)
        try:
            yield watch
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await close(ledger)

    async def measured(
        self,
        watch: Watch,
        in_flight: int,
        numbers: Iterator[int],
        hand_in: Callable[[int], Awaitable[bytes]],
    ) -> Figures:
        """Load the channel, and count what peers found invalid meanwhile."""
        port = self.channel.port()
        before = await port.height()

        async def one(number: int) -> bool:
            try:
                return await watch.outcome(await hand_in(number)) == 0
            except HubError:
                return False

        figures = await keep_busy(in_flight, numbers, one)
        codes: Counter[int] = Counter()
        for block in (await blocks_of(port))[before + 1 :]:
            codes.update(block.transactions_filter)
        figures.aborts = sum(count for code, count in codes.items() if code)
        await close(port)
        return figures


class Payments(Ours):
    """Accounts that share nothing pay one another."""

    name = "disjoint"
    share = 0.5

    def __init__(self, folder: Path) -> None:
        cell = key("cell")
        names = [*PAYERS, *(f"payee {n}" for n in range(len(PAYERS)))]
        genesis = Genesis(
            chain_id="payments",
            network_id=b"\xee" * 32,
            cell_address=cell.address,
            founding_cells=(cell.address,),
            kind="fabric",
            balances=tuple(sorted((key(name).cosmos_account, 10**12) for name in names)),
        )
        super().__init__(BusyChannel(folder, genesis), lambda: int(time.time()))

    async def prepare(self) -> None:
        """Begin."""
        await self.channel.begin()

    async def load(self, in_flight: int) -> Figures:
        """Each line has a payer and a payee of its own."""
        async with self.watched(PAYERS) as watch:
            ledger = watch.ledger

            async def pay(number: int) -> bytes:
                lane = PAYERS[number % in_flight]
                payee = key(f"payee {number % in_flight}").cosmos_account
                message = MsgSend(ledger.lane_account(lane), payee, 1)
                return (await ledger.submit(lane, [message])).tx_hash

            return await self.measured(watch, in_flight, itertools.count(), pay)


class Receives(Ours):
    """Packets of trades, all paid for by the vault of one connector."""

    name = "one_connector"
    share = 0.3

    def __init__(self, folder: Path) -> None:
        world = ManyReceives(RECEIVES)
        self._ledger = world.b
        self._setup = world.setup
        self._receives = iter(world.receives)
        # Real time, counted from a while before the packets time out; chaincode sees it too.
        self._clock = RunningClock(folder / "clock", TAU - WHILE_S)
        channel = BusyChannel(folder, world.b.genesis, factory=TRADES, clock_file=self._clock.path)
        super().__init__(channel, self._clock.now_s)

    async def prepare(self) -> None:
        """Tell the ledger everything up to the packets."""
        self._clock.restart()
        await self.channel.begin(self._ledger.header_hash(1))
        async with self.watched() as watch:
            while not await watch.ledger.latest_time_s():  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
            for raw in self._setup:
                sent = await watch.ledger.broadcast(raw)
                assert await watch.outcome(sent.tx_hash) == 0

    async def load(self, in_flight: int) -> Figures:
        """Receive as many as there is time for."""
        async with self.watched() as watch:

            async def receive(_number: int) -> bytes:
                return (await watch.ledger.broadcast(next(self._receives))).tx_hash

            enough = iter(range(PACKETS[in_flight]))
            return await self.measured(watch, in_flight, enough, receive)


def compare(ours: Payments | Receives, figures: Figures, theirs: Figures) -> None:
    """Report ours beside the least chaincode with as many on their way."""
    report(
        f"fabric.{ours.name}.in_flight_{figures.in_flight}",
        figures.rate / theirs.rate,
        "of the least chaincode",
        target=at_least(ours.share),
        **figures.details(),
        **{f"least_{name}": value for name, value in theirs.details().items()},
    )


def main() -> None:
    """All networks run at once; loads take turns, the least chaincode first and last."""
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as closing:
        folder = Path(scratch)
        network = lay_out(folder / "least")
        kinds = (Payments(folder / "payments"), Receives(folder / "receives"))
        for one in (network, *(kind.channel.network for kind in kinds)):
            closing.callback(one.stop)
            one.start()
        least = Least(network)
        for kind in kinds:
            asyncio.run(kind.prepare())
        for in_flight in IN_FLIGHT:
            before = asyncio.run(least.load(in_flight))
            figures = [asyncio.run(kind.load(in_flight)) for kind in kinds]
            after = asyncio.run(least.load(in_flight))
            theirs = max(before, after, key=lambda one: one.rate)
            for kind, one in zip(kinds, figures, strict=True):
                compare(kind, one, theirs)


if __name__ == "__main__":
    main()
