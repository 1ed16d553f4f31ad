"""
A Fabric ledger on real peers and orderers, whose chaincode takes a scenario's clock for the wall
clock: blocks are made of what was handed in when the clock moves on, then one with a Tick.

Sources:
    ``docs/spec/decisions.md`` 15: when a block is made; ``docs/spec/trust.md`` 4.6: when a Tick.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import ConfigError, NotYet, Unavailable
from tieline.interfaces.ledger import Message, SubmitResult
from tieline.interfaces.signer import Signer
from tieline.ledgers.fabric.embedded.block_file import FabricBlockFile
from tieline.ledgers.fabric.gateway import GatewayPort
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.material import ALWAYS
from tieline.ledgers.fabric.native.clock import clock_s, set_clock
from tieline.ledgers.fabric.native.network import FabricNetwork
from tieline.ledgers.fabric.native.patient_port import PatientPort
from tieline.ledgers.fabric.native.plan import BlockPace, ChaincodePlan, Consensus, NetworkPlan
from tieline.ledgers.fabric.settings import TICK_INTERVAL_S, FabricSettings
from tieline.wire.fabric.blocks import Block, Metadata
from tieline.wire.fabric.invocations import init_args, tick_args
from tieline.wire.hashes import sha256

KIND: Final = "fabric"
PACE: Final = BlockPace(interval_ms=20)
"""A scenario waits for each block; what is handed in together comes within milliseconds."""
REST_S: Final = 120.0
"""What is not in a block by then will never be: programs are gone that nobody brings back."""
HISTORY_FILE: Final = "history.db"
"""Beside the network's folder: what was read of its channel."""
_POLL_S: Final = 0.01
_COMMIT_HASH: Final = 4


@dataclass(frozen=True, slots=True)
class DrivenFabricPlan:
    """What a driven ledger is started with."""

    genesis: Genesis
    """Of kind ``fabric``; its chain id is the channel's name."""
    lanes: Mapping[str, Signer]
    """Keys that sign transactions, by lane."""
    seed: bytes
    """32 secret bytes from which all keys of the network come."""
    start_s: int
    """What the clock shows at first, unix seconds."""
    export: Path
    """Folder for ``blocks.bin`` and what belongs to it."""
    home: Path
    """Folder of the network: its keys, its ledgers, its logs."""
    consensus: Consensus = Consensus.RAFT
    pace: BlockPace = PACE
    chaincode: ChaincodePlan | None = None
    """Another one than the microgrid's contract of this genesis."""


class DrivenFabric(FabricLedger):
    """Implements ``utility.bootstrap.DrivenLedger``; ``advance`` makes its blocks."""

    def __init__(self, plan: DrivenFabricPlan) -> None:
        """
        Lay out the network's folder, or take up the one that is there; ``start`` starts.

        Raises:
            ConfigError: Fabric is not built, the folder is another network's, or the genesis is of
                another kind.
        """
        genesis = plan.genesis
        if genesis.kind != KIND:
            raise ConfigError(f"genesis of kind {genesis.kind}: write kind {KIND}")
        self._genesis = genesis
        self._content = genesis.to_bytes()
        self._export = plan.export
        plan.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._clock_file = plan.home / "clock"
        set_clock(self._clock_file, plan.start_s)
        self.network = FabricNetwork(
            NetworkPlan(
                genesis.chain_id,
                ALWAYS,
                consensus=plan.consensus,
                pace=plan.pace,
                chaincode=plan.chaincode or ChaincodePlan(argument=sha256(self._content).hex()),
                seed=plan.seed,
                clock_file=self._clock_file,
            ),
            plan.home / "network",
        )
        first, *others = (
            GatewayPort(
                self.network.address(peer), genesis.chain_id, self.network.carrier(peer.msp_id)
            )
            for peer in self.network.peers
        )
        self._patient = PatientPort(first)
        self._others = [PatientPort(port) for port in others]
        super().__init__(
            self._patient, FabricSettings(poll_s=0.05), history_file=plan.home / HISTORY_FILE
        )
        for name, key in plan.lanes.items():
            self.add_lane(name, key)
        self._file: FabricBlockFile | None = None
        self._commit_hash = b""
        self._awaits_deadline = False
        self._is_closing = False

    async def start(self) -> None:
        """
        Start the network and read what blocks it has.

        Raises:
            ConfigError: Fabric refuses what it was told, or the exported blocks are another
                ledger's.
            Unavailable: The network does not come up; its logs are in its folder.
        """
        await asyncio.to_thread(self.network.start, is_watched=True)
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)  # after an interrupt too: nothing may be left running
            self._file = FabricBlockFile(self._export, self._content)
            await self.read_on()
            await self._export_the_rest()
            set_clock(self._clock_file, max(self._history.time_s, clock_s(self._clock_file)))
            # A deadline may have fallen just before the run was broken off.
            self._awaits_deadline = bool(self._history.genesis)
            undo.pop_all()

    @property
    def wants_block(self) -> bool:
        """Whether there is something to put into a block, or to make provable by a Tick."""
        return not self._history.genesis or bool(self._submitter.under_way) or self._owes_tick

    @property
    def _owes_tick(self) -> bool:
        return self._awaits_deadline or self._history.owes_tick

    async def advance(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """
        Make blocks of what waits at *time_s*, then one with a Tick if one is due and allowed.

        Args:
            time_s: Unix seconds; not later than the last Tick: nothing is made.
            is_deadline: A deadline of an open slot falls here, so a Tick is due in any case.

        Raises:
            Unavailable: The network does not come to rest.
        """
        if time_s <= self._history.time_s:
            return False
        set_clock(self._clock_file, time_s)
        self._awaits_deadline |= is_deadline
        before = self._history.height
        await self._patient.release()
        with contextlib.ExitStack() as undo:
            undo.callback(self._patient.hold)
            if not self._history.genesis:
                block_0 = Block.decode(self.network.genesis_block).header.hash()
                await self._submitter.submit(init_args(self._content, block_0))
            await self._settle()
            if self._owes_tick and time_s >= self._history.time_s + TICK_INTERVAL_S:
                await self._submitter.submit(tick_args(time_s))
                await self._settle()
                self._awaits_deadline = False
        return self._history.height > before

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """As ``FabricLedger.submit``; before the contract has begun, NotYet."""
        if not self._history.genesis:
            raise NotYet("the contract begins with the first instant")
        return await super().submit(lane, messages)

    async def state_root(self) -> bytes:
        """Return the commit hash of the last block, to which every peer comes on its own."""
        return self._commit_hash

    async def finish(self) -> None:
        """Nothing: the blocks give the state."""

    def close(self) -> None:
        """End the network and let go of files; an instant that goes on is given up."""
        self._is_closing = True
        for port in (self._patient, *self._others):
            port.close()
        self.network.stop()
        self._history.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _settle(self) -> None:
        """Wait until all that is under way is in blocks, and all peers have them."""
        end = time.monotonic() + REST_S
        await self.read_on()
        while self._submitter.under_way:
            if time.monotonic() > end or self._is_closing:
                raise Unavailable(
                    f"a network does not rest: ledger={self.ledger_id} "
                    f"height={self._history.height} waiting={self._submitter.under_way}; its logs "
                    f"are in {self.network.folder}"
                )
            await asyncio.sleep(_POLL_S)
            await self.read_on()
        for port in self._others:
            await self._await_peer(port, end)

    async def _await_peer(self, port: PatientPort, end: float) -> None:
        """Wait for a peer: one that is behind endorses something else than the others."""
        while await port.height() < self._history.height:
            if time.monotonic() > end or self._is_closing:
                raise Unavailable(f"a peer stays behind: ledger={self.ledger_id} {port.name}")
            await asyncio.sleep(_POLL_S)

    def _take(self, raw: bytes) -> None:
        """Take a block, and export it unless it was."""
        super()._take(raw)
        self._export_block(raw)

    async def _export_the_rest(self) -> None:
        """Export what was read by an earlier process and is not in the export for a power cut."""
        assert self._file is not None
        height = self._history.height
        for number in range(min(len(self._file), height), height + 1):
            self._export_block(await self._prover.block(number))

    def _export_block(self, raw: bytes) -> None:
        block = Block.decode(raw)
        self._commit_hash = Metadata.decode(block.metadata[_COMMIT_HASH]).value
        if self._file is not None and block.header.number == len(self._file):
            # Nobody signs what a peer adds to block 0, so it is no root of trust.
            self._file.append(raw if block.header.number else replace(block, metadata=()).encode())
