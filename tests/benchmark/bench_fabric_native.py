"""
Transactions on Fabric's own programs: the contract beside the least chaincode there is, with 1, 32
and 200 on their way. Payments that share nothing, and payments to one connector, whose vault is
split as in scenarios; a Tick every fifteen seconds. Then what a block costs to read and check.

Needs `make ledgers`. One Raft orderer, two organisations that both endorse; peers, orderer, two
chaincodes and this client share the machine's cores.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from clock import report
from fakes.fabric_networks import lay_out, port_of
from fakes.microgrid import key

from tieline.contract.auth import ACCOUNT_NUMBER
from tieline.contract.genesis import Genesis, Parameters
from tieline.interfaces.errors import HubError
from tieline.ledgers.fabric.gateway import GatewayPort
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.native.plan import ChaincodePlan
from tieline.ledgers.fabric.opening import begin_contract
from tieline.ledgers.fabric.port import EndorsementsDiffer, Validation
from tieline.scenario.ground import FABRIC_VAULT_SHARDS
from tieline.swap.messages import MsgSend
from tieline.wire.codec import build_transaction
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.invocations import submit_args, tick_args

SECONDS = float(os.environ.get("NATIVE_SECONDS", "8"))
"""Each load."""
IN_FLIGHT = (1, 32, 200)
CHANNEL = "lab"
TICK_S = 15
POLL_S = 0.02
BLOCKS = 200
GAS = Parameters().tx_gas_max

Args = Sequence[bytes]
Made = Callable[[int, int], Args]
"""What a sender's n-th transaction asks for."""


def genesis() -> Genesis:
    """Return a ledger on which every sender has money."""
    cell = key("cell")
    accounts = [key(f"payer {n}").cosmos_account for n in range(max(IN_FLIGHT))]
    return Genesis(
        chain_id=CHANNEL,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        kind="fabric",
        balances=tuple(sorted((account, 10**12) for account in accounts)),
    )


def put(sender: int, number: int) -> Args:
    """One key of the sender's own."""
    return (b"put", b"key %d" % sender, b"%d" % number)


def pay(sender: int, number: int, recipient: str) -> Args:
    """One payment; the number is all that tells it from the sender's last."""
    payer = key(f"payer {sender}")
    message = MsgSend(payer.cosmos_account, key(recipient).cosmos_account, 1)
    raw = build_transaction([message], payer, CHANNEL, ACCOUNT_NUMBER, number, gas_limit=GAS)
    return submit_args(raw)


def disjoint(sender: int, number: int) -> Args:
    """To somebody whom nobody else pays."""
    return pay(sender, number, f"payee {sender}")


def shard_of(sender: int, number: int) -> str:
    """One of the accounts over which a connector's vault is split."""
    drawn = hashlib.sha256(b"%d %d" % (sender, number)).digest()
    return f"shard {drawn[0] % FABRIC_VAULT_SHARDS}"


class Load:
    """Senders that each have one transaction on its way, and say it again when others undid it."""

    def __init__(self, port: GatewayPort, made: Made, in_flight: int, first: int) -> None:
        self.port = port
        self.made = made
        self.in_flight = in_flight
        self.first = first
        self.latencies: list[float] = []
        self.undone = 0
        self.differed = 0
        self.failed = 0

    async def run(self) -> float:
        """Return how long it took."""
        began = time.perf_counter()
        end = began + SECONDS
        await asyncio.gather(*(self._send(sender, end) for sender in range(self.in_flight)))
        return time.perf_counter() - began

    async def _send(self, sender: int, end: float) -> None:
        number = self.first
        while time.perf_counter() < end:
            began = time.perf_counter()
            args = self.made(sender, number)
            while not await self._lands(args):
                pass
            self.latencies.append(time.perf_counter() - began)
            number += 1

    async def _lands(self, args: Args) -> bool:
        try:
            endorsed = await self.port.endorse(args)
            await self.port.order(endorsed.envelope)
            status = await self.port.commit_status(endorsed.tx_id)
        except EndorsementsDiffer:
            self.differed += 1
            return False
        except HubError:
            self.failed += 1
            raise
        if status is None or status.code != Validation.VALID:
            self.undone += 1
            return False
        return True


class OneConnector:
    """
    Payments to one connector from one process, as a relayer hands them in: the adapter endorses
    what would undo another when that one has landed.
    """

    def __init__(self, port: GatewayPort, in_flight: int) -> None:
        self.ledger = FabricLedger(port, wall_s=lambda: int(time.time()))
        for sender in range(in_flight):
            self.ledger.add_lane(f"payer {sender}", key(f"payer {sender}"))
        self.in_flight = in_flight
        self.landed: dict[bytes, asyncio.Future[int]] = {}
        self.latencies: list[float] = []
        self.failed = 0

    async def run(self) -> float:
        """Return how long it took."""
        await self.ledger.read_on()
        began = time.perf_counter()
        reading = asyncio.ensure_future(self._read())
        end = began + SECONDS
        await asyncio.gather(*(self._send(sender, end) for sender in range(self.in_flight)))
        took = time.perf_counter() - began
        reading.cancel()
        return took

    async def _send(self, sender: int, end: float) -> None:
        number = 0
        payer = f"payer {sender}"
        while time.perf_counter() < end:
            began = time.perf_counter()
            recipient = key(shard_of(sender, number)).cosmos_account
            message = MsgSend(key(payer).cosmos_account, recipient, 1)
            sent = await self.ledger.submit(payer, [message])
            code = await self.landed.setdefault(sent.tx_hash, asyncio.Future())
            self.failed += code != 0
            self.latencies.append(time.perf_counter() - began)
            number += 1

    async def _read(self) -> None:
        height = await self.ledger.latest_height()
        while True:
            for block in await self.ledger.blocks_after(height):
                height = block.height
                for done in block.transactions:
                    self.landed.setdefault(done.tx_hash, asyncio.Future()).set_result(done.code)
            await asyncio.sleep(POLL_S)


async def keep_time(port: GatewayPort) -> None:
    """Hand in a Tick every fifteen seconds."""
    while True:
        endorsed = await port.endorse(tick_args(int(time.time())))
        await port.order(endorsed.envelope)
        await asyncio.sleep(TICK_S + 1)


async def load(port: GatewayPort, name: str, made: Made) -> dict[int, float]:
    """Measure one kind of transaction at all paces; return transactions a second."""
    rates: dict[int, float] = {}
    for step, in_flight in enumerate(IN_FLIGHT):
        running = Load(port, made, in_flight, step * 1_000_000)
        took = await running.run()
        done = len(running.latencies)
        rates[in_flight] = done / took
        report(
            f"fabric_native.{name}.{in_flight}",
            rates[in_flight],
            "tx/s",
            **milliseconds(running.latencies),
            undone_share=round(running.undone / (done + running.undone), 3),
            differed=running.differed,
            clock="wall",
        )
    return rates


async def to_one_connector(port: GatewayPort) -> dict[int, float]:
    """Measure payments to one connector through the adapter, which keeps the time too."""
    rates: dict[int, float] = {}
    for in_flight in IN_FLIGHT:
        height = await port.height()
        running = OneConnector(port, in_flight)
        took = await running.run()
        rates[in_flight] = len(running.latencies) / took
        undone = await invalid_after(port, height)
        report(
            f"fabric_native.connector.{in_flight}",
            rates[in_flight],
            "tx/s",
            **milliseconds(running.latencies),
            undone_share=round(undone / (undone + len(running.latencies)), 3),
            failed=running.failed,
            clock="wall",
        )
    return rates


async def invalid_after(port: GatewayPort, height: int) -> int:
    """Return how many transactions above *height* are in a block and did nothing."""
    count = 0
    while raws := await port.blocks_after(height, BLOCKS):
        count += sum(code != 0 for raw in raws for code in Block.decode(raw).transactions_filter)
        height += len(raws)
    return count


def milliseconds(latencies: Sequence[float]) -> dict[str, float]:
    """Return the middle and the worst but one in a hundred."""
    ordered = sorted(latencies)
    worst = ordered[int(0.99 * (len(ordered) - 1))]
    return {
        "p50_ms": round(1000 * statistics.median(ordered), 1),
        "p99_ms": round(1000 * worst, 1),
    }


def say_shares(name: str, rates: dict[int, float], base: dict[int, float], least: float) -> None:
    """Say what share of the least chaincode's rate it has."""
    for in_flight, rate in rates.items():
        share = rate / base[in_flight]
        report(f"fabric_native.{name}_share.{in_flight}", share, "of put", (">=", least))


async def with_put_get(folder: Path) -> dict[int, float]:
    """Measure the least chaincode."""
    network = lay_out(folder)
    await asyncio.to_thread(network.start)
    try:
        port = port_of(network, commit_wait_s=60.0)
        return await load(port, "put", put)
    finally:
        network.stop()


async def with_contract(folder: Path, base: dict[int, float]) -> None:
    """Measure the contract, and say what share of the least chaincode's rate it has."""
    born = genesis().to_bytes()
    argument = hashlib.sha256(born).hexdigest()
    network = lay_out(folder, chaincode=ChaincodePlan(argument=argument))
    await asyncio.to_thread(network.start)
    try:
        port = port_of(network, commit_wait_s=60.0)
        await begin_contract(port, born)
        ticking = asyncio.ensure_future(keep_time(port))
        say_shares("disjoint", await load(port, "disjoint", disjoint), base, 0.5)
        ticking.cancel()
        say_shares("connector", await to_one_connector(port), base, 0.3)
        await blocks(port)
    finally:
        network.stop()


async def blocks(port: GatewayPort) -> None:
    """Measure reading blocks, and checking that they are of their headers and follow."""
    height = await port.height()
    first = max(height - BLOCKS, 0)
    began = time.perf_counter()
    raws = await port.blocks_after(first, BLOCKS)
    fetched = time.perf_counter()
    before = Block.decode(raws[0])
    for raw in raws[1:]:
        block = Block.decode(raw)
        assert block.is_data_of_header
        assert block.header.previous_hash == before.header.hash()
        before = block
    count = len(raws)
    report("fabric_native.fetch_block", 1000 * (fetched - began) / count, "ms", blocks=count)
    report("fabric_native.check_block", 1000 * (time.perf_counter() - fetched) / count, "ms")


async def measure() -> None:
    """Measure both chaincodes, each on a network of its own."""
    with tempfile.TemporaryDirectory(prefix="tieline-bench-") as folder:
        base = await with_put_get(Path(folder) / "put")
        await with_contract(Path(folder) / "contract", base)


def main() -> None:
    """Measure."""
    asyncio.run(measure())


if __name__ == "__main__":
    main()
