"""
Payments through real CometBFT, one validator, 200 ms blocks: 200 a second for ten minutes
(SENDS_SECONDS changes that), then as many as it takes, beside a stock chain's bank send under the
same load. Says what a payment costs in CPU seconds of all processes of the chain.

Needs the engines of ``make ledgers``. The load comes from this process, on the same cores.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clock import at_least, at_most, report
from fakes.microgrid import key

from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import ConfigError, HubError
from tieline.interfaces.signer import Signer
from tieline.ledgers.cosmos.accounts import account_query, decode_account
from tieline.ledgers.cosmos.home import StockPace
from tieline.ledgers.cosmos.process import StockChain
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.ledgers.tendermint.rpc import Call, CometRpc, as_base64, from_base64
from tieline.ledgers.tendermint.settings import change_settings
from tieline.swap.messages import MsgSend
from tieline.wire.bech32 import ACCOUNT_PREFIX, account_to_text
from tieline.wire.codec import build_transaction, transaction_hash

RATE = 200
SECONDS = float(os.environ.get("SENDS_SECONDS", "600"))
SATURATED_S = float(os.environ.get("SENDS_SATURATED_SECONDS", "20"))
BLOCK_MS = 200
LANES = 50
"""Senders; the transactions of one follow one another."""
IN_FLIGHT = 500
BATCH = 10
WARM_S = 5.0
POLL_S = 0.02
SAMPLES = 100
PARTS = ("host", "engine")
MONEY = 10**15
GAS = 200_000
TICK_HZ = os.sysconf("SC_CLK_TCK")
CHAIN, STOCK = "sends-1", "stock-sends"


@dataclass
class Chain:
    """A chain under load."""

    name: str
    rpc: CometRpc
    pids: Callable[[], tuple[int, ...]]
    denom: str
    prefix: str
    numbers: dict[bytes, int] = field(default_factory=dict)
    """Account numbers that are not zero."""

    def cpu_s(self) -> list[float]:
        """CPU seconds of each process so far."""
        return [cpu_s(pid) for pid in self.pids()]

    def rss_mb(self) -> list[float]:
        """Resident memory of each process."""
        return [rss_mb(pid) for pid in self.pids()]


def cpu_s(pid: int) -> float:
    """Return user and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK_HZ


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Lane:
    """One sender and its next sequence."""

    def __init__(self, chain: Chain, number: int) -> None:
        self._chain = chain
        self._key: Signer = key(f"lane {number}")
        self._to = key(f"lane {(number + 1) % LANES}").cosmos_account
        self._sequence = 0

    def transactions(self, count: int) -> list[bytes]:
        """Sign the next *count* payments."""
        chain, account = self._chain, self._key.cosmos_account
        raws = [
            build_transaction(
                [MsgSend(account, self._to, 1, chain.denom)],
                self._key,
                CHAIN if chain.prefix == ACCOUNT_PREFIX else STOCK,
                chain.numbers.get(account, 0),
                self._sequence + index,
                GAS,
                account_prefix=chain.prefix,
            )
            for index in range(count)
        ]
        self._sequence += count
        return raws


class Watch:
    """Sees transactions appear in blocks, by asking for the next block again and again."""

    def __init__(self, rpc: CometRpc) -> None:
        self._rpc = rpc
        self.sent: dict[bytes, float] = {}
        """Hash to the moment it was handed in."""
        self.is_empty = asyncio.Event()
        self.latencies_s: list[float] = []
        self.intervals_s: list[float] = []
        self.done = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        status = await self._rpc.call("status")
        height = int(status["sync_info"]["latest_block_height"]) + 1
        last = 0.0
        while True:
            try:
                block = await self._rpc.call("block", height=str(height))
            except HubError:
                await asyncio.sleep(POLL_S)
                continue
            now = time.monotonic()
            if last:
                self.intervals_s.append(now - last)
            last, height = now, height + 1
            for text in block["block"]["data"]["txs"] or ():
                begun = self.sent.pop(transaction_hash(from_base64(text)), None)
                if begun is not None:
                    self.latencies_s.append(now - begun)
                    self.done += 1
            if not self.sent:
                self.is_empty.set()


async def hand_in(chain: Chain, watch: Watch, raws: list[bytes]) -> None:
    """Broadcast in order; a refusal is the end of the benchmark."""
    begun = time.monotonic()
    for raw in raws:
        watch.sent[transaction_hash(raw)] = begun
    calls = [Call("broadcast_tx_sync", {"tx": as_base64(raw)}) for raw in raws]
    for outcome in await chain.rpc.batch(calls):
        if isinstance(outcome, HubError) or outcome["code"]:
            message = f"refused: {outcome}"
            raise RuntimeError(message)


async def steady(chain: Chain, watch: Watch, lanes: list[Lane], seconds: float) -> None:
    """Hand in RATE payments a second, each at its own moment, whatever becomes of the others."""
    begin = time.monotonic()
    waiting: dict[int, asyncio.Task[None]] = {}
    for number in range(int(RATE * seconds)):
        await asyncio.sleep(max(0.0, begin + number / RATE - time.monotonic()))
        index = number % len(lanes)
        if (before := waiting.get(index)) is not None:
            await before  # a lane's transactions follow one another
        raws = lanes[index].transactions(1)
        waiting[index] = asyncio.create_task(hand_in(chain, watch, raws))
    await asyncio.gather(*waiting.values())
    watch.is_empty.clear()
    if watch.sent:
        await watch.is_empty.wait()


async def saturate(chain: Chain, watch: Watch, lanes: list[Lane], seconds: float) -> None:
    """Keep IN_FLIGHT payments on their way."""
    end = time.monotonic() + seconds

    async def drive(lane: Lane) -> None:
        while time.monotonic() < end:
            if len(watch.sent) + BATCH > IN_FLIGHT:
                await asyncio.sleep(POLL_S / 2)
                continue
            await hand_in(chain, watch, lane.transactions(BATCH))

    await asyncio.gather(*(drive(lane) for lane in lanes[: IN_FLIGHT // BATCH]))


def percentile(values: list[float], share: float) -> float:
    """Return a percentile."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


async def measure_steady(chain: Chain, lanes: list[Lane]) -> None:
    """Report latency, memory and cost under the steady load."""
    warm = Watch(chain.rpc)
    watching = asyncio.create_task(warm.run())
    await steady(chain, warm, lanes, WARM_S)
    watching.cancel()
    watch = Watch(chain.rpc)
    watching = asyncio.create_task(watch.run())
    memory: list[list[float]] = []
    sampling = asyncio.create_task(sample(chain, memory))
    spent = chain.cpu_s()
    await steady(chain, watch, lanes, SECONDS)
    watching.cancel()
    sampling.cancel()
    spent = [after - before for before, after in zip(spent, chain.cpu_s(), strict=True)]
    block_s = statistics.mean(watch.intervals_s)
    details = {
        "rate": RATE,
        "seconds": SECONDS,
        "payments": watch.done,
        "block_s": round(block_s, 4),
    }
    bound_ms = 2 * max(block_s * 1e3, BLOCK_MS)
    latencies = watch.latencies_s
    report("sends.p50", percentile(latencies, 0.5) * 1e3, "ms", **details)
    report("sends.p99", percentile(latencies, 0.99) * 1e3, "ms", at_most(bound_ms), **details)
    report("sends.cpu", sum(spent) / watch.done * 1e3, "CPU ms a payment", **details)
    for part, cpu, samples in zip(PARTS, spent, zip(*memory, strict=True), strict=True):
        report(f"sends.cpu.{part}", cpu / watch.done * 1e3, "CPU ms a payment", **details)
        quarter = max(len(samples) // 4, 1)
        second, last = samples[quarter : 2 * quarter] or samples, samples[-quarter:]
        growth = statistics.median(last) / statistics.median(second) - 1
        told = details | {"first_mb": round(samples[0], 1), "last_mb": round(samples[-1], 1)}
        report(f"sends.rss.{part}", max(samples), "MB", **told)
        report(f"sends.rss_growth.{part}", growth * 100, "percent", at_most(10), **told)


async def sample(chain: Chain, memory: list[list[float]]) -> None:
    """Note the memory of every process again and again."""
    while True:
        memory.append(chain.rss_mb())
        await asyncio.sleep(SECONDS / SAMPLES)


async def measure_saturated(chain: Chain, lanes: list[Lane]) -> float:
    """Report and return payments a second."""
    watch = Watch(chain.rpc)
    watching = asyncio.create_task(watch.run())
    spent, begun = chain.cpu_s(), time.monotonic()
    await saturate(chain, watch, lanes, SATURATED_S)
    took, done = time.monotonic() - begun, watch.done
    cost = sum(chain.cpu_s()) - sum(spent)
    watching.cancel()
    details = {"in_flight": IN_FLIGHT, "seconds": SATURATED_S, "payments": done}
    report(f"sends.saturated.{chain.name}", done / took, "payments/s", **details)
    report(f"sends.saturated_cpu.{chain.name}", cost / done * 1e3, "CPU ms a payment", **details)
    return done / took


def accounts() -> Iterator[bytes]:
    """Yield the senders' accounts."""
    return (key(f"lane {number}").cosmos_account for number in range(LANES))


def genesis() -> Genesis:
    """Return a ledger on which every sender has money."""
    cell = key("cell")
    return Genesis(
        chain_id=CHAIN,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        balances=tuple(sorted((account, MONEY) for account in accounts())),
    )


def measure_ours(folder: Path) -> float:
    """Start our ledger and measure; return the saturated payments a second."""
    pace = Pace(commit_wait_ms=BLOCK_MS, is_empty_made=True)
    group = PeerGroup(genesis(), folder, pace=pace)
    group.start()
    try:
        peer = group.peers[0]
        chain = Chain("ours", peer.rpc, lambda: peer.pids, "neur", ACCOUNT_PREFIX)
        lanes = [Lane(chain, number) for number in range(LANES)]
        asyncio.run(measure_steady(chain, lanes))
        return asyncio.run(measure_saturated(chain, lanes))
    finally:
        group.stop()


async def account_numbers(rpc: CometRpc) -> dict[bytes, int]:
    """Ask a stock chain how it counts the senders."""
    numbers: dict[bytes, int] = {}
    for account in accounts():
        query = account_query(account_to_text(account, "cosmos"))
        path = "/cosmos.auth.v1beta1.Query/Account"
        answer = await rpc.call("abci_query", path=path, data=query.hex())
        numbers[account] = decode_account(from_base64(answer["response"]["value"])).number
    return numbers


def measure_stock(folder: Path) -> float:
    """Start a stock chain and measure; return the saturated payments a second."""
    balances = {account: {"stake": MONEY} for account in accounts()}
    stock = StockChain(STOCK, folder, balances, pace=StockPace(block_ms=BLOCK_MS))
    # As on our ledger: without it a sender must wait for the block before it sends again.
    change_settings(folder / "config" / "config.toml", {("mempool", "recheck"): True})
    stock.start()
    try:
        chain = Chain("stock", stock.rpc, lambda: (stock.pid,), "stake", "cosmos")
        chain.numbers = asyncio.run(account_numbers(stock.rpc))
        lanes = [Lane(chain, number) for number in range(LANES)]
        return asyncio.run(measure_saturated(chain, lanes))
    finally:
        stock.stop()


def main() -> None:
    """Measure ours, then the other under the same load."""
    with tempfile.TemporaryDirectory() as scratch:
        ours = measure_ours(Path(scratch) / "ours")
        try:
            stock = measure_stock(Path(scratch) / "stock")
        except ConfigError as exc:
            message = f"no stock chain to compare with: {exc}"
            raise SystemExit(message) from exc
    report("sends.saturated.share_of_stock", ours / stock, "ours / stock", at_least(0.3))


if __name__ == "__main__":
    main()
