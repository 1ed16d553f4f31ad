"""
A Fabric ledger in this process, in blocks that a driven clock asks for: the adapter's own ledger
over an embedded network.

Sources:
    ``docs/spec/decisions.md`` 15: when a block is made; ``docs/spec/trust.md`` 4.6: when a Tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tieline.contract.chaincode import CHAINCODE_VERSION, Chaincode
from tieline.contract.genesis import Genesis
from tieline.contract.installation import Installation
from tieline.interfaces.errors import ConfigError, NotYet, Rejected
from tieline.interfaces.ledger import Message, SubmitResult
from tieline.ledgers.fabric.embedded.block_file import FabricBlockFile
from tieline.ledgers.fabric.embedded.channel_plan import CLIENT, Consensus, plan_channel
from tieline.ledgers.fabric.embedded.embedded_port import EmbeddedPort
from tieline.ledgers.fabric.embedded.network import Network
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.port import CHAINCODE
from tieline.ledgers.fabric.settings import TICK_INTERVAL_S
from tieline.wire.fabric.invocations import CLOCK_KEY, decode_number, init_args, tick_args
from tieline.wire.fabric.lifecycle import ChaincodeDefinition
from tieline.wire.hashes import sha256

KIND: Final = "fabric"
_DEFINED, _BEGUN = 1, 2
"""Blocks: the chaincode is defined, the contract is begun."""


class EmbeddedFabric(FabricLedger):
    """Implements ``interfaces.ledger.Ledger``; its clock is whatever ``advance`` was told last."""

    def __init__(
        self,
        genesis: Genesis,
        seed: bytes,
        store: Path | None = None,
        *,
        consensus: Consensus = Consensus.RAFT,
        installation: Installation | None = None,
        is_synced: bool = False,
    ) -> None:
        """
        Begin a ledger, or open one that has blocks, which are validated again.

        Args:
            genesis: The ledger's birth, of kind ``fabric``; its chain id is the channel's name.
            seed: 32 secret bytes from which all keys of the network come.
            store: Folder for the blocks; None keeps them in memory.
            consensus: Raft, where one orderer signs blocks, or BFT, where three of four do.
            installation: What the contract runs; the microgrid's own unless given.
            is_synced: Wait for the disk at every block.

        Raises:
            ConfigError: The folder belongs to another ledger, its blocks are not a history of this
                one, or the genesis is of another kind.
        """
        if genesis.kind != KIND:
            raise ConfigError(f"genesis of kind {genesis.kind}: write kind {KIND}")
        self._genesis = genesis
        self._now_s = 0
        content = genesis.to_bytes()
        self._file = None if store is None else FabricBlockFile(store, content, is_synced=is_synced)
        plan = plan_channel(genesis.chain_id, seed, consensus=consensus)

        def install() -> Mapping[str, Chaincode]:
            return {CHAINCODE: Chaincode(sha256(content), installation)}

        self.network = Network(plan, install, lambda: self._now_s, self._file)
        carrier = Signatory.of(plan.organisations[0].member(CLIENT))
        self._embedded = EmbeddedPort(self.network, carrier)
        # Orderers in this process lose nothing, so nothing is ever handed in again for its age.
        super().__init__(self._embedded, monotonic=lambda: 0.0)
        self._awaits_deadline = False

    @property
    def wants_block(self) -> bool:
        """Whether there is something to put into a block, or to make provable by a Tick."""
        return (
            self.network.height < _BEGUN
            or self.network.is_waiting
            or bool(self._submitter.under_way)
            or self._owes_tick
        )

    @property
    def _owes_tick(self) -> bool:
        return self._awaits_deadline or self.history.owes_tick

    def resume(self) -> int:
        """
        Take up the clock where the folder left it; return the number of the newest block.

        A deadline may have fallen before a kill and its Tick not have come: one is owed.
        """
        self._awaits_deadline = self.network.height >= _BEGUN
        clock = self.network.peers[0].state.get(CHAINCODE, CLOCK_KEY)
        self._now_s = 0 if clock is None else decode_number(clock.value)
        return self.network.height

    async def advance(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """
        Make blocks of what waits at *time_s*, then one with a Tick if one is due and allowed.

        Args:
            time_s: Unix seconds; not later than the last Tick: nothing is made.
            is_deadline: A deadline of an open slot falls here, so a Tick is due in any case.
        """
        if time_s <= self.history.time_s:
            return False
        self._now_s = time_s
        self._awaits_deadline |= is_deadline
        before = self.network.height
        await self._begin_ledger()
        await self._order_what_waits()
        if self._owes_tick and time_s >= self.history.time_s + TICK_INTERVAL_S:
            await self._tick(time_s)
        return self.network.height > before

    async def state_root(self) -> bytes:
        """Return the hash of the peers' state, which both came to on their own."""
        return self.network.state_root()

    async def finish(self) -> None:
        """Nothing: the blocks give the state."""

    def close(self) -> None:
        """Let go of files."""
        super().close()
        if self._file is not None:
            self._file.close()
            self._file = None

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """
        As ``FabricLedger.submit``; before the contract has begun, NotYet.

        NotYet too for what is refused while the clock is behind: it may be refused for that, such
        as a header that seems to be of the future. A Tick is then owed.
        """
        if self.network.height < _BEGUN:
            raise NotYet(f"the contract begins in block {_BEGUN}")
        try:
            return await super().submit(lane, messages)
        except Rejected as refused:
            if self._now_s < self.history.time_s + TICK_INTERVAL_S:
                raise
            self._awaits_deadline = True
            raise NotYet(f"refused by a clock that is behind: {refused}") from refused

    async def _begin_ledger(self) -> None:
        """Define the chaincode and begin the contract, in the first two blocks."""
        if self.network.height < _DEFINED:
            self._embedded.define(ChaincodeDefinition(CHAINCODE, 1, str(CHAINCODE_VERSION)))
        if self.network.height < _BEGUN:
            args = init_args(self._genesis.to_bytes(), self.network.genesis.header.hash())
            await self._commit_own(args)

    async def _order_what_waits(self) -> None:
        """Make blocks until all that is under way has taken effect or failed."""
        await self.read_on()
        while self.network.is_waiting:
            self.network.cut()
            await self.read_on()

    async def _tick(self, time_s: int) -> None:
        await self._commit_own(tick_args(time_s))
        self._awaits_deadline = False

    async def _commit_own(self, args: tuple[bytes, ...]) -> None:
        endorsed = await self._embedded.endorse(args)
        await self._embedded.order(endorsed.envelope)
        self.network.cut()
        await self.read_on()
