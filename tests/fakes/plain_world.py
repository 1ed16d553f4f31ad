"""
Two ledgers without cells and a relayer between: embedded CometBFT with real headers and proofs and
the echo application, joined by plain clients. Blocks come when a test says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from fakes.microgrid import echo_installation, key
from fakes.relay_world import HandClock
from tieline.contract.block import Application
from tieline.contract.genesis import Genesis
from tieline.hub.attestor_pool import AttestorPool
from tieline.hub.hub_topology import plain_clients, plain_topology
from tieline.hub.journal_sql import SqlJournal
from tieline.hub.no_trades import NoTrades
from tieline.hub.prover import Prover
from tieline.hub.runner import Runner, StepReport
from tieline.hub.settings import RunnerSettings
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.protocol.messages import CreateClient, RegisterCounterparty, SendPacket
from tieline.protocol.packet import Payload
from tieline.relay.packet_journey import JourneyStatus
from tieline.relay.route import Endpoint, Route
from tieline.relay.scheduler import BatchLimits
from tieline.relay.view import RelayView
from tieline.wire.hashes import sha256

START_S = 1_800_000_000
A, B = "a-1", "b-1"
CLIENT = "07-tendermint-0"
LANES = ("relayer", "relayer 1")


class OpenLedger:
    """An embedded ledger that takes many transactions of a lane, and fails as a test says."""

    def __init__(self, inner: EmbeddedTendermint, in_flight_max: int) -> None:
        self.inner = inner
        self.capabilities = replace(inner.capabilities, in_flight_max=in_flight_max)
        self.submissions: list[tuple[str, tuple[object, ...]]] = []
        self.faults: list[Exception | None] = []
        """Raised by the next submissions instead of taking them, in order."""
        self.is_down: Exception | None = None
        self.scanned: list[str] = []
        self.read_from: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    async def submit(self, lane, messages):
        self.submissions.append((lane, tuple(messages)))
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault
        return await self.inner.submit(lane, messages)

    async def scan(self, store, prefix):
        self.scanned.append(store)
        return await self.inner.scan(store, prefix)

    async def blocks_after(self, height, limit=100):
        if self.is_down is not None:
            raise self.is_down
        self.read_from.append(height)
        return await self.inner.blocks_after(height, limit)

    def kinds(self) -> list[list[str]]:
        """Types of the messages of each transaction, in order."""
        return [[type(one).__name__ for one in messages] for _, messages in self.submissions]


class PlainWorld:
    """Ledgers a-1 and b-1, each with one client of the other."""

    def __init__(
        self,
        *,
        in_flight_max: int = 16,
        journal_url: str = "sqlite://",
        settings: dict[str, object] | None = None,
        **limits: int,
    ) -> None:
        self.clock = HandClock(START_S)
        self.ledgers = {one: OpenLedger(_ledger(one), in_flight_max) for one in (A, B)}
        self.a, self.b = self.ledgers[A], self.ledgers[B]
        self.blocks()
        for near, far in ((self.a, self.b), (self.b, self.a)):
            owner = near.inner.lane_account("cell")
            near.inner.produce_block(self.clock.now)
            states = far.inner.client_states(1)
            asyncio.run(near.inner.submit("cell", [CreateClient(owner, *states)]))
        self.blocks()
        for near in (self.a, self.b):
            owner = near.inner.lane_account("cell")
            message = RegisterCounterparty(owner, CLIENT, CLIENT, (b"ibc", b""))
            asyncio.run(near.inner.submit("cell", [message]))
        self.blocks()
        self.blocks()
        self.routes = [Route(Endpoint(A, CLIENT), Endpoint(B, CLIENT))]
        self.journal = SqlJournal(journal_url)
        self._settings = dict(settings or {})
        self._limits = BatchLimits(**limits)
        self.start()

    def start(self) -> None:
        """Start a relayer that remembers nothing but the journal."""
        view = RelayView(plain_topology(self.ledgers, self.routes))
        self.runner = Runner(
            view=view,
            ledgers=self.ledgers,
            bulletin=NoTrades(),
            prover=Prover(view, self.ledgers, plain_clients(self.routes), AttestorPool(())),
            journal=self.journal,
            clock=self.clock,
            settings=RunnerSettings(
                lanes=dict.fromkeys(self.ledgers, LANES), limits=self._limits, **self._settings
            ),
        )
        asyncio.run(self.runner.start())

    def blocks(self, *names: str) -> int:
        """Let ledgers make a block if they want one, five seconds on; return how many did."""
        self.clock.now += 5
        chosen = [self.ledgers[name] for name in names or self.ledgers]
        return sum(one.inner.produce_block(self.clock.now) for one in chosen)

    def step(self) -> StepReport:
        """One step of the relayer, and all that it sends beside it."""

        async def go() -> StepReport:
            report = await self.runner.step()
            await self.runner.finish()
            return report

        return asyncio.run(go())

    def settle(self, rounds_max: int = 60) -> int:
        """Let blocks and the relayer take turns until nothing happens; return the rounds."""
        for count in range(rounds_max):
            made = self.blocks()
            if self.step().is_idle and not made:
                return count
        raise AssertionError("does not come to rest")

    def send(self, source: str, count: int = 1, value: bytes = b"ok", timeout_s=3600) -> None:
        """Send packets in one transaction, and make the block that has them."""
        ledger = self.ledgers[source].inner
        payload = Payload("echo", "echo", "echo-1", "text", value)
        sender = ledger.lane_account("sender")
        message = SendPacket(sender, CLIENT, self.clock.now + timeout_s, (payload,))
        asyncio.run(ledger.submit("sender", [message] * count))
        self.blocks(source)

    def statuses(self) -> list[JourneyStatus]:
        """Where the packets are that the relayer knows."""
        return sorted(journey.status for journey in self.runner.view.journeys.values())


def _ledger(chain_id: str) -> EmbeddedTendermint:
    lanes: Sequence[str] = ("cell", "sender", *LANES)
    cell = key(f"cell of {chain_id}")
    accounts = [key(f"{name} of {chain_id}").cosmos_account for name in lanes]
    genesis = Genesis(
        chain_id=chain_id,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        balances=tuple(sorted((account, 10**12) for account in accounts)),
    )
    application = Application(genesis, installation=echo_installation())
    seeds = [sha256(f"{chain_id} {n}".encode()) for n in range(4)]
    ledger = EmbeddedTendermint(genesis, seeds, application=application)
    ledger.resume()
    for name in lanes:
        ledger.add_lane(name, key(f"{name} of {chain_id}"))
    return ledger
