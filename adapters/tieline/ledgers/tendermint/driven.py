"""
CometBFT engines on a clock that a scenario drives: transactions are held until the next instant,
then handed in, and an instant ends when the engines rest. Blocks are exported as the embedded
ledger writes them.

An engine sees a moved clock one block late, so the first block of an instant still has the time
before; the contract's host leaves it empty (``AbciApplication.earliest_ns``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tieline.contract import accounts
from tieline.contract.auth import ACCOUNT_NUMBER
from tieline.contract.genesis import Genesis
from tieline.contract.store import TIELINE
from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.interfaces.ledger import (
    BlockEvents,
    Capabilities,
    Fuel,
    Message,
    PacketProof,
    StoredValue,
    SubmitResult,
)
from tieline.interfaces.signer import Signer
from tieline.ledgers.tendermint import rpc_records
from tieline.ledgers.tendermint.block_file import BLOCKS_FILE, BlockFile
from tieline.ledgers.tendermint.client_terms import CAPABILITIES
from tieline.ledgers.tendermint.clock_file import ClockFile
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.packet_proofs import packet_proofs
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.ledgers.tendermint.rpc import PAGE, TX_IN_CACHE, CometRpc, as_base64, from_base64
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.swap.messages import MsgSend
from tieline.wire.blocks import StoredBlock, decode_export
from tieline.wire.codec import build_transaction, transaction_hash
from tieline.wire.cometbft import ValidatorSet

PACE = Pace(commit_wait_ms=5, empty_block_interval_s=0)
"""Blocks only when there is something to put into one or to prove. The wait lets transactions that
are handed in together come into one block."""
REST_S = 120.0
"""Engines that do not rest by then will not: they are gone, or more than a third of them is."""
STALL_S = 2.0
"""An engine that was killed has lost what waited in it; then it is handed in again."""
_POLL_S = 0.01
_log = logging.getLogger("tieline.driven")


@dataclass(frozen=True, slots=True)
class DrivenPlan:
    """What a driven ledger is started with."""

    genesis: Genesis
    lanes: Mapping[str, Signer]
    heartbeat: Signer
    """Makes a block where nobody else does; an account of genesis with some PAY."""
    validator_count: int
    start_s: int
    """Time of block 1, unix seconds."""
    export: Path
    """Folder for ``blocks.bin`` and what belongs to it."""
    home: Path
    """Folder of the engines: their keys, their stores, their logs."""


class _Reads(NativeTendermint):
    """Reads at the height that was reached; asking for it anew would find nothing else."""

    def __init__(self, plan: DrivenPlan, rpc: CometRpc, height: Callable[[], int]) -> None:
        super().__init__(plan.genesis.chain_id, rpc, plan.genesis.parameters)
        self._reached = height

    async def latest_height(self) -> int:
        """Return the height of the last block of the last instant."""
        return self._reached()


class DrivenTendermint:
    """Implements ``interfaces.ledger.Ledger``; ``advance`` makes its blocks."""

    def __init__(self, plan: DrivenPlan) -> None:
        """
        Lay out the engines' folders, or take up those that are there; ``start`` starts.

        Raises:
            ConfigError: The engine is not built, or the folder is another ledger's.
        """
        self._plan = plan
        plan.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._clock = ClockFile(plan.home / "clock")
        self._clock.move_to(max(plan.start_s * NANOSECONDS_PER_SECOND, self._clock.now_ns()))
        self._group = PeerGroup(
            plan.genesis,
            plan.home,
            validator_count=plan.validator_count,
            pace=PACE,
            clock=self._clock,
        )
        self._rpc = self._group.peers[0].rpc
        self._reads = _Reads(plan, self._rpc, lambda: len(self._events))
        self._events: list[BlockEvents] = []
        self._exported = 0
        """Blocks in the file; after a crash fewer than the engines have."""
        self._file: BlockFile | None = None
        self._app_hash = b""
        self._is_resting = False
        self._is_news = False
        self._is_closing = False
        self._held: list[bytes] = []
        """In order of arrival."""
        self._next_sequences: dict[bytes, int] = {}
        self._chain_tag = b""

    def start(self) -> None:
        """
        Start the engines and wait until they rest; then read what blocks they have. Blocks.

        Raises:
            ConfigError: A contract's host cannot open its state, or the blocks are another
                ledger's.
            Unavailable: The engines do not come up; their logs are in their folders.
        """
        self._group.start()
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)  # after an interrupt too: nothing may be left running
            self._file = self._open_export()
            self._await_rest({})
            self._chain_tag = asyncio.run(self._reads.chain_tag())
            undo.pop_all()

    @property
    def ledger_id(self) -> str:
        """The chain id."""
        return self._plan.genesis.chain_id

    @property
    def capabilities(self) -> Capabilities:
        """What this ledger can do."""
        return CAPABILITIES

    @property
    def chain_tag(self) -> bytes:
        """32 bytes that name this ledger; known once it was started."""
        return self._chain_tag

    @property
    def wants_block(self) -> bool:
        """Whether something waits for the next instant, or came to pass in this one."""
        return bool(self._held) or self._is_news

    async def advance(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """
        Make blocks at *time_s* if one is due: of what was submitted, and one that proves it.

        Args:
            time_s: Chain time; not later than the last block's: nothing is made.
            is_deadline: A deadline of an open slot falls here, so a block is due anyway.

        Returns:
            Whether one was made.

        Raises:
            Unavailable: The engines do not come to rest.
        """
        self._is_news = False
        is_due = bool(self._held) or is_deadline
        if time_s <= await self.latest_time_s() or not is_due:
            return False
        await asyncio.to_thread(self._drive, time_s, is_deadline=is_deadline)
        self._is_news = True
        return True

    async def trust_at(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """Return client and consensus state for a client that starts to trust at *height*."""
        return await self._reads.client_states(height)

    async def packet_proofs(self) -> Sequence[PacketProof]:
        """Return what proved each packet message that took effect, in the order of the blocks."""
        exported = (self._plan.export / BLOCKS_FILE).read_bytes()
        return packet_proofs(self._events, decode_export(exported))

    async def fuel(self) -> Sequence[Fuel]:
        """Return nothing: gas is free."""
        return ()

    async def finish(self) -> None:
        """Nothing: executing the blocks gives the state."""

    async def state_root(self) -> bytes:
        """Return the app hash after the last block."""
        return self._app_hash

    def close(self) -> None:
        """End the engines and let go of files; an instant that goes on is given up."""
        self._is_closing = True
        self._group.stop()
        self._clock.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    async def latest_height(self) -> int:
        """Return the height of the latest block."""
        return len(self._events)

    async def latest_time_s(self) -> int:
        """Return the time of the latest block, unix seconds."""
        return self._events[-1].time_s

    async def blocks_after(self, height: int, limit: int = 100) -> Sequence[BlockEvents]:
        """Return blocks above *height*, ascending, without gaps."""
        return self._events[max(height, 0) : max(height, 0) + limit]

    async def query(self, store: str, key: bytes) -> bytes | None:
        """Return a committed value, unproved."""
        return await self._reads.query(store, key)

    async def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all committed pairs under *prefix*, ascending."""
        return await self._reads.scan(store, prefix)

    async def prove(self, key: bytes, height: int) -> StoredValue:
        """Prove *key* in store ``ibc`` as of *height*. Raises NotYet, Unavailable."""
        return await self._reads.prove(key, height)

    async def prove_many(self, keys: Sequence[bytes], height: int) -> Sequence[StoredValue]:
        """Prove many keys at once. Raises NotYet, Unavailable."""
        return await self._reads.prove_many(keys, height)

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """Return the client message from *trusted_height* to *height*. Raises NotYet."""
        return await self._reads.header(height, trusted_height)

    def lane_account(self, lane: str) -> bytes:
        """Return the 20-byte account of *lane*."""
        return self._plan.lanes[lane].cosmos_account

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """
        Sign *messages* as one transaction and hold it until the next instant.

        Note:
            The contract sees it then. One that it refuses at the door is left out with a line in
            the log, as a mempool may lose one.
        """
        raw = await self._signed(self._plan.lanes[lane], messages)
        self._held.append(raw)
        return SubmitResult(transaction_hash(raw))

    async def _signed(self, key: Signer, messages: Sequence[Message]) -> bytes:
        account, genesis = key.cosmos_account, self._plan.genesis
        if account not in self._next_sequences:
            stored_key = accounts.sequence_key(account)
            stored = await self.query(TIELINE, stored_key)
            known = {} if stored is None else {stored_key: stored}
            self._next_sequences[account] = accounts.next_sequence(known, account)
        sequence = self._next_sequences[account]
        self._next_sequences[account] += 1
        return build_transaction(
            messages,
            key,
            genesis.chain_id,
            ACCOUNT_NUMBER,
            sequence,
            gas_limit=genesis.parameters.tx_gas_max,
        )

    def _open_export(self) -> BlockFile:
        """Open the exported blocks; those that the engines made since are added to them."""
        if self._is_closing:
            raise Unavailable(f"closed while it was starting: ledger={self.ledger_id}")
        answer = self._rpc.call_now("validators", height="1", page="1", per_page=str(PAGE))
        members, _ = rpc_records.validators_of(answer)
        validators = ValidatorSet(tuple(members), members[0]).encode()
        file = BlockFile(self._plan.export, self._plan.genesis.to_bytes(), validators)
        self._exported = len(file.read()[0])
        return file

    def _drive(self, time_s: int, *, is_deadline: bool) -> None:
        """Move the clock, hand in what was held, and wait until the engines rest."""
        self._clock.move_to(time_s * NANOSECONDS_PER_SECOND)
        held, self._held = self._held, []
        self._next_sequences.clear()
        waiting = self._hand_in(held)
        if is_deadline and not waiting:
            waiting = self._hand_in([self._heartbeat()])
        self._await_rest(waiting)

    def _heartbeat(self) -> bytes:
        """Return a transaction that moves nothing, but makes a block."""
        key = self._plan.heartbeat
        account = key.cosmos_account
        return asyncio.run(self._signed(key, [MsgSend(account, account, 1)]))

    def _hand_in(self, transactions: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return those that wait in the engine now, by hash."""
        waiting: dict[bytes, bytes] = {}
        for raw in transactions:
            tx_hash = transaction_hash(raw)
            try:
                result = self._rpc.call_now("broadcast_tx_sync", tx=as_base64(raw))
            except Unavailable as exc:
                _log.warning("an engine does not answer: ledger=%s %s", self.ledger_id, exc)
            except Rejected as exc:
                # One that is handed in again may be waiting there still.
                if (exc.codespace, exc.code) != TX_IN_CACHE:
                    _log.warning("left out: ledger=%s %s", self.ledger_id, exc)
                    continue
            else:
                if result["code"]:
                    _log.warning("left out: ledger=%s %s", self.ledger_id, result["log"])
                    continue
            waiting[tx_hash] = raw
        return waiting

    def _await_rest(self, waiting: dict[bytes, bytes]) -> None:
        """Read blocks until none of *waiting* is left and the last block changed nothing."""
        end = time.monotonic() + REST_S
        last_news = time.monotonic()
        reason = ""
        while True:
            try:
                news = self._read_new()
            except (NotYet, Unavailable) as exc:
                news, reason = [], f" ({exc})"  # an engine that was killed comes back
            for block in news:
                for transaction in block.transactions:
                    waiting.pop(transaction.tx_hash, None)
            if not waiting and self._is_resting:
                return
            now = time.monotonic()
            if news:
                last_news = now
            elif now > end or self._is_closing:
                raise Unavailable(
                    f"engines do not rest: ledger={self.ledger_id} height={len(self._events)} "
                    f"waiting={len(waiting)}{reason}; their logs are in {self._plan.home}"
                )
            elif now - last_news > STALL_S:
                waiting = self._hand_in([*waiting.values()])
                last_news = now
            time.sleep(_POLL_S)

    def _read_new(self) -> list[BlockEvents]:
        """Read and export all blocks that were committed since."""
        chain_id, latest, _ = rpc_records.committed_of(self._rpc.call_now("abci_info"))
        if chain_id != self.ledger_id:
            raise Unavailable(f"another ledger answers: {chain_id!r}, not {self.ledger_id!r}")
        first = len(self._events) + 1
        for height in range(first, latest + 1):
            self._take(height)
        return self._events[first - 1 :]

    def _take(self, height: int) -> None:
        at = str(height)
        results = self._rpc.call_now("block_results", height=at)
        answer = self._rpc.call_now("block", height=at)
        block = rpc_records.whole_block_of(answer, height)
        signed = rpc_records.signed_header_of(self._rpc.call_now("commit", height=at), height)
        events = rpc_records.block_events_of(answer, results, height)
        app_hash = from_base64(results.get("app_hash"))
        if height > self._exported and self._file is not None:
            offset = self._file.append(StoredBlock(block, signed.commit))
            self._file.note(height, offset, app_hash)
            self._exported = height
        self._events.append(events)
        self._app_hash = app_hash
        self._is_resting = app_hash == block.header.app_hash
