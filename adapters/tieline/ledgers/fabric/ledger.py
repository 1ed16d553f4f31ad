"""
A Fabric ledger: one channel with our chaincode, on whichever engine answers behind the port.

Heights are block numbers. What peers call valid is believed for what is observed here, as unproved
answers are; what is shown to other ledgers is proved, and they ask the peers' signatures, not us.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tieline.contract.auth import ACCOUNT_NUMBER
from tieline.contract.genesis import Genesis, Parameters
from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.interfaces.ledger import (
    BlockEvents,
    Capabilities,
    Finality,
    Fuel,
    Message,
    PacketProof,
    StoredValue,
    SubmitResult,
    TxEvents,
)
from tieline.interfaces.signer import Signer
from tieline.ledgers.fabric.block_events import SeenEvents, landed
from tieline.ledgers.fabric.history import History
from tieline.ledgers.fabric.kept_place import check_place
from tieline.ledgers.fabric.packet_proofs import packet_proofs
from tieline.ledgers.fabric.port import FabricPort
from tieline.ledgers.fabric.proving import FabricProver
from tieline.ledgers.fabric.refusals import CLIENT_REFUSED, EXECUTED, TOO_LARGE
from tieline.ledgers.fabric.seen_blocks import read_block
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.ledgers.fabric.submitting import Submitter
from tieline.ledgers.fabric.ticking import TickKeeper
from tieline.protocol.messages import AnyMessage
from tieline.wire.codec import build_transaction, decode_transaction
from tieline.wire.fabric.invocations import physical_key, submit_args
from tieline.wire.keys import cosmos_account_of

CAPABILITIES: Final = Capabilities(
    kind="fabric",
    client_type="fabric-block",
    merkle_prefix=(b"",),
    finality=Finality.DETERMINISTIC,
    proof_lag=0,
)
_NONCES_TRIED: Final = 16
"""A nonce is taken when another process has sent the same messages from this account."""


class FabricLedger:
    """Implements ``interfaces.ledger.Ledger`` and ``BulkProofSource``."""

    def __init__(
        self,
        port: FabricPort,
        settings: FabricSettings | None = None,
        *,
        wall_s: Callable[[], int] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        history_file: Path | None = None,
    ) -> None:
        """
        Talk to a channel; nothing is asked of it yet. It is read from block 0 on, or from behind
        the last block that a file holds.

        Args:
            port: The way in.
            settings: Budgets and paces.
            wall_s: This computer's clock, unix seconds, by which Ticks are handed in when they are
                due; None: somebody else does that.
            monotonic: Seconds of a clock that never goes back.
            history_file: SQLite file that keeps what was read, made if it is not there, for this
                process alone; None: memory, as long as the process lives.

        Raises:
            ConfigError: The file is damaged, in use, or another channel's.
        """
        self._port = port
        self._settings = settings or FabricSettings()
        self._history = History(port.fabric_channel, history_file)
        self._events = SeenEvents(port, self._history, self._settings)
        self._submitter = Submitter(port, self._settings, monotonic)
        self._prover = FabricProver(port, self._history, self._submitter, self._settings)
        self._ticks = None
        if wall_s is not None:
            self._ticks = TickKeeper(self._history, self._submitter, self._settings, wall_s)
        self._untold: list[TxEvents] = []
        """Finally failed, while there was no block to tell it with."""
        self._is_held_to_file = self._history.height < 0
        """Whether the channel is known to be the one whose blocks the file holds."""
        self._lanes: dict[str, Signer] = {}
        self._parameters: Parameters | None = None
        """Of the genesis, when that was read."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()

    # --- who it is --------------------------------------------------------------------------

    @property
    def ledger_id(self) -> str:
        """The name of the Fabric channel."""
        return self._port.fabric_channel

    @property
    def capabilities(self) -> Capabilities:
        """What this ledger can do."""
        return replace(CAPABILITIES, in_flight_max=self._settings.in_flight_max)

    @property
    def chain_tag(self) -> bytes:
        """The 32 bytes that name this ledger. Raises LookupError before a peer was read."""
        if not self._is_begun:
            raise LookupError("the chain tag is known after block 0")
        return self._history.chain_tag

    @property
    def history(self) -> History:
        """What was written when, as far as blocks were read."""
        return self._history

    @property
    def port(self) -> FabricPort:
        """The way in."""
        return self._port

    @property
    def under_way(self) -> int:
        """How many invocations of this process are in no block yet."""
        return self._submitter.under_way

    def add_lane(self, name: str, key: Signer) -> None:
        """Let *name* submit with *key*. A lane keeps its key."""
        assert name not in self._lanes, f"lane twice: {name}"
        self._lanes[name] = key

    def lane_account(self, lane: str) -> bytes:
        """Return the 20-byte account of *lane*."""
        return self._lanes[lane].cosmos_account

    def close(self) -> None:
        """Let go of connections, and of the file."""
        self._port.close()
        self._history.close()

    # --- reading ----------------------------------------------------------------------------

    async def latest_height(self) -> int:
        """
        Return the number of the newest block; 0 before the first behind the genesis block.

        Raises:
            Contradicted: A peer shows blocks that do not follow those that were read.
            ConfigError: The operator must act.
            Unavailable: No peer answers.
        """
        await self.read_on()
        return max(self._history.height, 0)

    async def latest_time_s(self) -> int:
        """Return what the clock showed after the newest block; 0 before the first Tick."""
        await self.read_on()
        return self._history.time_s

    async def query(self, store: str, key: bytes) -> bytes | None:
        """Return the committed value of *key* in store ``ibc`` or ``tieline``, unproved."""
        await self._begin()
        return self._history.value(physical_key(store, key))

    async def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all committed pairs under *prefix*, ascending."""
        await self._begin()
        return self._history.scan(store, prefix)

    async def blocks_after(self, height: int, limit: int = 100) -> Sequence[BlockEvents]:
        """
        Return blocks above *height*, ascending, without gaps, at most *limit*.

        Raises:
            Unavailable: *height* is above all that there is, or no peer answers.
        """
        await self.read_on()
        if height > max(self._history.height, 0):
            raise Unavailable(
                f"{self.ledger_id} has {self._history.height} blocks and was read up to {height}: "
                "its peers are behind, or the channel was begun anew"
            )
        return await self._events.after(height, limit)

    async def is_idle(self) -> bool:
        """
        Return whether nothing of ours is under way, all that happened can be shown, and the clock
        has passed what was waited for.
        """
        await self.read_on()
        is_tick_due = self._ticks is not None and self._ticks.is_due
        return not (self._submitter.under_way or self._history.owes_tick or is_tick_due)

    # --- proofs -----------------------------------------------------------------------------

    async def prove(self, key: bytes, height: int) -> StoredValue:
        """Prove *key* in store ``ibc`` as of *height*. Raises NotYet, Unavailable."""
        return (await self.prove_many([key], height))[0]

    async def prove_many(self, keys: Sequence[bytes], height: int) -> Sequence[StoredValue]:
        """
        Prove *keys* as of *height*, in their order.

        Raises:
            NotYet: There is no such block yet; or an absence is being recorded, once for all keys.
            Unavailable: Nobody answers, or *height* has no Tick.
        """
        await self._read_up_to(height)
        entries: list[StoredValue] = []
        waits: NotYet | None = None
        for key in keys:
            try:
                entries.append(await self._prover.prove(key, height))
            except NotYet as exc:
                waits = waits or exc  # the others' absences are recorded meanwhile
        if waits is not None:
            raise waits
        return entries

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """Return the client message between two heights. Raises NotYet, Unavailable."""
        await self._read_up_to(height)
        return await self._prover.header(height, trusted_height)

    async def trust_at(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """
        Return client and consensus state by which others begin to trust it.

        Raises:
            NotYet: There is no such block yet.
            Unavailable: Nobody answers, or *height* has no Tick.
        """
        await self._read_up_to(height)
        return await self._prover.client_states(height)

    async def client_states(
        self, height: int, terms: object | None = None
    ) -> tuple[AnyMessage, AnyMessage]:
        """As ``trust_at``; *terms*, periods of CometBFT, mean nothing here."""
        del terms
        return await self.trust_at(height)

    async def _read_up_to(self, height: int) -> None:
        if height > self._history.height or not self._is_begun:
            await self.read_on()

    # --- writing ----------------------------------------------------------------------------

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """
        Sign *messages* as one transaction, have it endorsed and ordered; all or none takes effect.
        It is under way until a block holds it, over as many proposals as that takes.

        Raises:
            Rejected: The contract refused it, or it is too large.
            EndorsementsDiffer: Peers do not agree; it was not ordered.
            Unavailable: No peer answers; it was not ordered.
        """
        await self._begin()
        key = self._lanes[lane]
        account = key.cosmos_account
        if self._parameters is None and self._history.genesis:
            self._parameters = Genesis.from_bytes(self._history.genesis).parameters
        parameters = self._parameters or Parameters()
        most = min(parameters.tx_bytes_max, self._settings.tx_bytes_max)
        nonce = self._history.count_of(account) + self._submitter.count_of(account)
        for taken in range(_NONCES_TRIED):
            raw = build_transaction(
                *(messages, key, self.ledger_id, ACCOUNT_NUMBER, nonce + taken),
                gas_limit=parameters.tx_gas_max,
            )
            if len(raw) > most:
                raise Rejected(*TOO_LARGE, f"transaction too large: bytes={len(raw)} most={most}")
            if self._submitter.is_under_way(submit_args(raw)):
                continue
            try:
                return SubmitResult(await self._submitter.submit(submit_args(raw), account))
            except Rejected as exc:
                kind = (exc.codespace, exc.code)
                if kind == CLIENT_REFUSED and self._ticks is not None:
                    self._ticks.want_now()
                if kind != EXECUTED:
                    raise
        raise Rejected(*EXECUTED, f"sent {_NONCES_TRIED} times by somebody else: lane={lane}")

    async def broadcast(self, raw: bytes) -> SubmitResult:
        """Hand in a transaction that a wallet signed. Raises as ``submit``."""
        await self._begin()
        account = cosmos_account_of(decode_transaction(raw).public_key)
        return SubmitResult(await self._submitter.submit(submit_args(raw), account))

    def want_time(self, time_s: int) -> None:
        """See to it that the clock passes an instant, unix seconds, soon after it has come."""
        if self._ticks is not None:
            self._ticks.want(time_s)

    # --- reading on -------------------------------------------------------------------------

    @property
    def _is_begun(self) -> bool:
        """Whether what is known of the channel was seen at a peer by this process."""
        return self._is_held_to_file and self._history.height >= 0

    async def _begin(self) -> None:
        """Read the channel if that was never done; later reads are the observer's to order."""
        if not self._is_begun:
            await self.read_on()

    async def read_on(self) -> None:
        """
        Read what is committed now, and see to what is under way.

        Raises:
            Contradicted: A peer shows blocks that do not follow those that were read.
            ConfigError: The operator must act.
            Unavailable: No peer answers.
        """
        async with self._lock():
            if not self._is_held_to_file:
                await check_place(self._port, self._history)
                self._is_held_to_file = True
            most = self._settings.blocks_a_read
            while raws := await self._port.blocks_after(self._history.height, most):
                with self._history.together():
                    for raw in raws:
                        self._take(raw)
                failed = await self._submitter.go_on()
                self._events.tell_failed(self._history.height, failed)
                if len(raws) < most:
                    break
            self._untold += await self._submitter.go_on()
            if self._ticks is not None:
                await self._ticks.keep_time()

    def _take(self, raw: bytes) -> None:
        block = read_block(raw, self.ledger_id)
        happened = landed(block)  # what cannot be read is said before anything is taken
        self._history.take(block)
        self._prover.keep(block.number, raw)
        failed = self._submitter.take(block)
        self._events.tell(block, happened, (*self._untold, *failed))
        self._untold.clear()

    async def packet_proofs(self) -> Sequence[PacketProof]:
        """Return what proved each packet message that took effect, in the order of the blocks."""
        await self.read_on()
        found: list[PacketProof] = []
        number = -1
        while raws := await self._port.blocks_after(number, self._settings.blocks_a_read):
            found += packet_proofs([read_block(raw, self.ledger_id) for raw in raws])
            number += len(raws)
        return found

    async def fuel(self) -> Sequence[Fuel]:
        """Return nothing: transactions are free."""
        return ()

    def _lock(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # A lock belongs to the loop that it was first waited for in.
            self._loop, self._turn = loop, asyncio.Lock()
        return self._turn
