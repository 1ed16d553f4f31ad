"""
Packets between two stock ibc-go chains, carried by ``tieline relay start`` in a process of its own,
with its journal on disk, native proofs and retries on.

Burst: 1,000 ICS-20 v2 transfers, ten transactions of 100 messages sent back to back by one account.
Steady: 40 transactions of 10 messages, one each 0.5 s. A packet is sent, and acknowledged, at the
time of the header after its block on the first chain. CPU and memory are the relayer's, idle
polling included.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clock import at_least, at_most, report
from fakes.microgrid import key

from tieline.hub.key_files import draw_key, read_keys
from tieline.hub.links import LinksFile
from tieline.interfaces.errors import HubError, NotYet
from tieline.ledgers.cosmos.home import StockPace
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.cosmos.process import StockChain
from tieline.ledgers.tendermint.rpc import CometRpc
from tieline.ledgers.tendermint.rpc_records import time_ns_of
from tieline.protocol.messages import Transfer

FIRST, SECOND = "lab-a", "lab-b"
SENDER = "sender"
BURST_TRANSACTIONS, BURST_MESSAGES = 10, 100
STEADY_TRANSACTIONS, STEADY_MESSAGES, STEADY_EVERY_S = 40, 10, 0.5
LANES = 3
"""Accounts of the relayer: these chains do not check again what waits in their mempools."""
SETTLE_S = 6.0
DONE_S = 90.0
TIMEOUT_S = 3_600
TARGETS = {1_000: (180, 6.0, 3.1), 200: (200, 5.0, 0.9)}
"""By block time in ms: packets a second, p99 of a burst in s, p99 of a steady flow in s."""
LOG_LEVEL = "warning"
CPU_MS_A_PACKET, RSS_MB = 1.5, 80
CONFIG = """\
ledgers:
  lab-a: {{kind: cosmos, rpc: ["http://127.0.0.1:{first}"], key_file: lab-a.key, lanes: {lanes}}}
  lab-b: {{kind: cosmos, rpc: ["http://127.0.0.1:{second}"], key_file: lab-b.key, lanes: {lanes}}}
paths:
  - between: [lab-a, lab-b]
"""


@dataclass
class Flow:
    """What became of the packets of one run, seconds of the first chain."""

    sent: dict[int, float] = field(default_factory=dict)
    acknowledged: dict[int, float] = field(default_factory=dict)
    transactions: int = 0
    """The relayer's, on the first chain."""

    @property
    def unrelayed(self) -> int:
        """Packets without an end."""
        return len(self.sent) - len(self.acknowledged)

    @property
    def a_second(self) -> float:
        """Packets a second, from the first send to the last acknowledgement."""
        if not self.acknowledged:
            return 0.0
        span = max(self.acknowledged.values()) - min(self.sent.values())
        return len(self.acknowledged) / span if span else 0.0

    def latency_s(self, share: float) -> float:
        """Return how long a packet took; *share* of all took no longer."""
        times = sorted(self.acknowledged[one] - self.sent[one] for one in self.acknowledged)
        return times[min(int(len(times) * share), len(times) - 1)] if times else float("inf")


@dataclass(frozen=True, slots=True)
class Used:
    """What a process has used."""

    cpu_s: float
    rss_mb: float
    peak_mb: float

    @classmethod
    def of(cls, pid: int) -> Used:
        """Read it."""
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        kb = {}
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
            name, _, value = line.partition(":")
            if name in {"VmRSS", "VmHWM"}:
                kb[name] = int(value.split()[0])
        return cls(ticks / os.sysconf("SC_CLK_TCK"), kb["VmRSS"] / 1024, kb["VmHWM"] / 1024)


def command(*words: str) -> list[str]:
    """Return a command line of tieline's own."""
    return [sys.executable, "-c", "from tieline.cli import main; main()", *words]


def environment() -> dict[str, str]:
    """Let the child import what this process can."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}


@contextlib.contextmanager
def two_chains(folder: Path, block_ms: int) -> Iterator[tuple[StockChain, StockChain]]:
    """Run two chains on which the relayer has money."""
    pace = StockPace(block_ms)
    chains: list[StockChain] = []
    try:
        for chain_id in (FIRST, SECOND):
            draw_key(folder / f"{chain_id}.key")
            keys = [*read_keys(folder / f"{chain_id}.key", LANES), key(f"{SENDER} of {chain_id}")]
            balances = {one.cosmos_account: {"stake": 10**12} for one in keys}
            chain = StockChain(chain_id, folder / chain_id, balances, pace=pace)
            chains.append(chain)
            chain.start()
        first, second = chains
        yield first, second
    finally:
        for chain in chains:
            chain.stop()


@contextlib.contextmanager
def relayer(config: Path) -> Iterator[int]:
    """Run the relayer; give its process id."""
    with (config.parent / "relay.log").open("ab") as log:
        child = subprocess.Popen(
            command("relay", "start", str(config), "--log-level", LOG_LEVEL),
            stderr=log,
            env=environment(),
        )
    try:
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def send(ledger: CosmosLedger, client: str, transactions: int, messages: int, every_s: float):
    """Hand in transfers of one unit each."""
    receiver = ledger.account_text(key("anyone").cosmos_account)
    sender = ledger.lane_account(SENDER)
    for number in range(transactions):
        began = time.monotonic()
        timeout_s = int(time.time()) + TIMEOUT_S
        # The same bytes twice would be one transaction.
        one = Transfer(sender, client, "stake", 1, receiver, timeout_s, memo=str(number))
        while True:
            try:
                await ledger.submit(SENDER, [one] * messages)
                break
            except NotYet:  # what is checked after a block knows nothing of those that wait
                await asyncio.sleep(0.01)
        if every_s and number + 1 < transactions:
            await asyncio.sleep(max(every_s - (time.monotonic() - began), 0))


async def until_done(ledger: CosmosLedger, client: str, height: int, count: int) -> None:
    """Wait until *count* packets were sent above a height and none stands, or time is over."""
    end = time.monotonic() + DONE_S
    while time.monotonic() < end:
        await asyncio.sleep(0.5)
        with contextlib.suppress(HubError):
            if not await ledger.scan("ibc", client.encode() + b"\x01"):
                blocks = await ledger.blocks_after(height, 10_000)
                events = [e for b in blocks for t in b.transactions for e in t.events]
                if sum(one.type == "send_packet" for one in events) >= count:
                    return


async def read_flow(ledger: CosmosLedger, rpc: CometRpc, height: int) -> Flow:
    """Return what the chain tells of its packets above *height*."""
    flow = Flow()
    for block in await ledger.blocks_after(height, 10_000):
        ends = {"send_packet": flow.sent, "acknowledge_packet": flow.acknowledged}
        found = [
            (one.type, int(one.get("packet_sequence")))
            for transaction in block.transactions
            for one in transaction.events
            if one.type in ends
        ]
        if not found:
            continue
        flow.transactions += sum(
            any(one.type == "acknowledge_packet" for one in transaction.events)
            for transaction in block.transactions
        )
        while True:
            with contextlib.suppress(HubError):
                answer = await rpc.call("header", height=str(block.height + 1))
                break
            await asyncio.sleep(0.1)
        time_s = time_ns_of(answer["header"]["time"]) / 1e9
        for kind, sequence in found:
            ends[kind][sequence] = time_s
    return flow


async def run(
    ledger: CosmosLedger, rpc: CometRpc, client: str, pid: int, *, is_burst: bool
) -> tuple[Flow, Used, Used]:
    """Send, wait, and read."""
    shape = (
        (BURST_TRANSACTIONS, BURST_MESSAGES, 0.0)
        if is_burst
        else (STEADY_TRANSACTIONS, STEADY_MESSAGES, STEADY_EVERY_S)
    )
    height = await ledger.latest_height()
    before = Used.of(pid)
    await send(ledger, client, *shape)
    await until_done(ledger, client, height, shape[0] * shape[1])
    after = Used.of(pid)
    return await read_flow(ledger, rpc, height), before, after


def measure(block_ms: int) -> None:
    """Measure a burst and a steady flow at one pace of blocks."""
    a_second, burst_p99_s, steady_p99_s = TARGETS[block_ms]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with two_chains(folder, block_ms) as (first, second):
            config = folder / "relay.yaml"
            ports = {"first": first.ports.rpc, "second": second.ports.rpc}
            config.write_text(CONFIG.format(**ports, lanes=LANES))
            subprocess.run(
                command("relay", "link", str(config)),
                check=True,
                env=environment(),
                stdout=subprocess.DEVNULL,
            )
            (link,) = LinksFile(folder / "relay.links.json").links
            with relayer(config) as pid:
                ledger = CosmosLedger(FIRST, first.rpc)
                ledger.add_lane(SENDER, key(f"{SENDER} of {FIRST}"))
                time.sleep(SETTLE_S)
                client = link.clients[FIRST]
                burst = asyncio.run(run(ledger, first.rpc, client, pid, is_burst=True))
                say(f"burst.{block_ms}ms", *burst, at_least(a_second), at_most(burst_p99_s))
                steady = asyncio.run(run(ledger, first.rpc, client, pid, is_burst=False))
                say(f"steady.{block_ms}ms", *steady, None, at_most(steady_p99_s))


def say(
    name: str,
    flow: Flow,
    before: Used,
    after: Used,
    a_second: tuple[str, float] | None,
    p99_s: tuple[str, float],
) -> None:
    """Print the lines of one run."""
    count = max(len(flow.sent), 1)
    cpu_ms = (after.cpu_s - before.cpu_s) / count * 1_000
    details = {
        "packets": len(flow.sent),
        "unrelayed": flow.unrelayed,
        "acknowledging_transactions": flow.transactions,
        "p50_s": round(flow.latency_s(0.5), 2),
        "rss_mb": round(after.rss_mb, 1),
    }
    report(f"{name}.packets_a_second", flow.a_second, "packets/s", a_second, **details)
    report(f"{name}.p99", flow.latency_s(0.99), "s", p99_s)
    is_burst = a_second is not None
    report(f"{name}.cpu_a_packet", cpu_ms, "ms", at_most(CPU_MS_A_PACKET) if is_burst else None)
    report(f"{name}.peak_memory", after.peak_mb, "MB", at_most(RSS_MB))
    report(f"{name}.unrelayed", flow.unrelayed, "packets", at_most(0))


def main() -> None:
    """Measure at both paces."""
    chosen = [int(word) for word in sys.argv[1:]] or list(TARGETS)
    for block_ms in chosen:
        measure(block_ms)


if __name__ == "__main__":
    main()
