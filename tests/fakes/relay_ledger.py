"""
A trade ledger as the hub sees it: ``interfaces.ledger.Ledger`` over a real Application, with the
fake light client's proofs. Blocks are made when a test says so. Faults are asked for by number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fakes.light_client import header, prove
from fakes.microgrid import key
from fakes.trade_world import TradeLedger
from tieline.contract.results import TxResult
from tieline.contract.store import IBC
from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.interfaces.ledger import (
    BlockEvents,
    Capabilities,
    Finality,
    Ledger,
    Message,
    StoredValue,
    SubmitResult,
    TxEvents,
)
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.hashes import sha256

LAG = 1

Fault = Callable[["RelayLedger", str, Sequence[Message]], None]
"""Called before a submission is taken; may raise."""


@dataclass
class RelayLedger:
    """Fits ``Ledger``. ``produce`` makes a block of what was submitted."""

    inner: TradeLedger
    blocks: list[BlockEvents] = field(default_factory=list)
    snapshots: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    mempool: list[bytes] = field(default_factory=list)
    is_down: bool = False
    submissions: list[tuple[str, tuple[Message, ...]]] = field(default_factory=list)
    before_submit: Fault | None = None
    after_submit: Fault | None = None
    provable_every: int = 1
    """Light clients can hold every so manieth block only, as on a ledger that ticks."""

    def __post_init__(self) -> None:
        # What was done before the hub came has no events here; stores tell of it.
        make_block = self.inner.block

        def recording(*transactions: bytes) -> tuple[TxResult, ...]:
            results = make_block(*transactions)
            self._record(transactions, results)
            return results

        self.inner.block = recording  # type: ignore[method-assign]

    def _record(self, transactions: Sequence[bytes], results: Sequence[TxResult]) -> None:
        told = tuple(
            TxEvents(sha256(raw), result.code, result.log, result.events, result.codespace)
            for raw, result in zip(transactions, results, strict=True)
        )
        height = self.inner.app.height
        self.blocks.append(BlockEvents(height, self.inner.now_s, told, self._is_provable(height)))
        self.snapshots[self.inner.app.height] = dict(self.inner.app.scan(IBC, b""))

    def _is_provable(self, height: int) -> bool:
        return height % self.provable_every == 0

    def produce(self, at: int | None = None) -> tuple[TxResult, ...]:
        """Make one block, at *at* if that is later."""
        if at is not None:
            self.inner.now_s = max(self.inner.now_s, at)
        transactions, self.mempool = self.mempool, []
        return self.inner.block(*transactions)

    def _answer(self) -> None:
        if self.is_down:
            raise Unavailable(f"{self.ledger_id} is down")

    # --- interfaces.ledger --------------------------------------------------------------------

    @property
    def ledger_id(self) -> str:
        return self.inner.chain_id

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("sim", "07-fake", (b"ibc", b""), Finality.DETERMINISTIC, LAG)

    async def latest_height(self) -> int:
        self._answer()
        return self.inner.app.height

    async def latest_time_s(self) -> int:
        self._answer()
        return self.inner.now_s

    async def query(self, store: str, key: bytes) -> bytes | None:
        self._answer()
        return self.inner.app.query(store, key)

    async def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        self._answer()
        return self.inner.app.scan(store, prefix)

    async def blocks_after(self, height: int, limit: int = 100) -> Sequence[BlockEvents]:
        self._answer()
        return [block for block in self.blocks if block.height > height][:limit]

    async def prove(self, key: bytes, height: int) -> StoredValue:
        self._answer()
        proof_height = height + LAG
        if proof_height > self.inner.app.height or height not in self.snapshots:
            raise NotYet(f"no header of {proof_height}")
        assert self._is_provable(proof_height), proof_height
        value = self.snapshots[height].get(key)
        proof = prove(proof_height, (b"ibc", key), value)
        return StoredValue(key, value, Height(0, proof_height), proof)

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        self._answer()
        assert trusted_height < height
        assert self._is_provable(height), height
        (block,) = [block for block in self.blocks if block.height == height]
        return header(height, block.time_s)

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        self._answer()
        self.submissions.append((lane, tuple(messages)))
        if self.before_submit is not None:
            self.before_submit(self, lane, messages)
        raw = self.inner.transaction(lane, *messages)
        result = self.inner.app.check_transaction(raw)
        if result.code:
            self.inner.sequences[lane] -= 1
            raise Rejected(result.codespace, result.code, result.log)
        self.mempool.append(raw)
        if self.after_submit is not None:
            self.after_submit(self, lane, messages)
        return SubmitResult(sha256(raw))

    def lane_account(self, lane: str) -> bytes:
        return key(lane).cosmos_account


def _fits(ledger: RelayLedger) -> Ledger:
    return ledger
