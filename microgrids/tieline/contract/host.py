"""
What every in-process host of the contract does alike: lanes that sign, a mempool, blocks executed
and remembered as observers see them. Headers, proofs and files are the ledger's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.contract.block import Application
from tieline.contract.results import BlockInput, BlockResult
from tieline.interfaces.errors import Rejected
from tieline.interfaces.ledger import BlockEvents, Message, SubmitResult, TxEvents
from tieline.interfaces.signer import Signer
from tieline.protocol.time import TimestampNanoseconds, to_seconds
from tieline.wire.codec import build_transaction, transaction_hash
from tieline.wire.keys import cosmos_account_of

BLOCK_BYTES_MAX = 4_194_304
"""CometBFT 0.38's default ``block.max_bytes``."""


class ContractHost:
    """An application with a door to it."""

    def __init__(self, application: Application, *, proves_by_next_block: bool) -> None:
        """
        Host *application*.

        Args:
            application: At height 0.
            proves_by_next_block: A block's state is provable with the next header only, so a
                change calls for one more block.
        """
        assert application.height == 0, "blocks before the host are not known to it"
        self.application = application
        self._proves_by_next_block = proves_by_next_block
        self._lanes: dict[str, Signer] = {}
        self._pending: dict[bytes, tuple[bytes, bytes]] = {}
        """Hash to transaction and signer's account, in order of arrival."""
        self._waiting: dict[bytes, int] = {}
        """How many transactions of an account are pending."""
        self._blocks: list[BlockEvents] = []
        self._is_proof_due = False

    @property
    def height(self) -> int:
        """The last block's height; 0 before the first."""
        return self.application.height

    @property
    def time_s(self) -> int:
        """The last block's time, unix seconds; 0 before the first."""
        return self._blocks[-1].time_s if self._blocks else 0

    @property
    def wants_block(self) -> bool:
        """
        Whether there is something to put into a block or to prove: the first block, transactions,
        or a last block that changed the state.
        """
        return not self._blocks or bool(self._pending) or self._is_proof_due

    def add_lane(self, name: str, key: Signer) -> None:
        """Let *name* submit with *key*. A lane keeps its key."""
        assert name not in self._lanes, f"lane twice: {name}"
        self._lanes[name] = key

    def lane_account(self, lane: str) -> bytes:
        """Return the 20-byte account of *lane*. Raises KeyError if there is none."""
        return self._lanes[lane].cosmos_account

    def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """Sign *messages* as one transaction and hand it in. Raises Rejected."""
        key = self._lanes[lane]
        number, sequence = self.application.account(key.cosmos_account)
        raw = build_transaction(
            messages,
            key,
            self.application.genesis.chain_id,
            number,
            sequence + self._waiting.get(key.cosmos_account, 0),
            gas_limit=self.application.genesis.parameters.tx_gas_max,
        )
        return self.broadcast(raw, key.public_key)

    def broadcast(self, raw: bytes, public_key: bytes) -> SubmitResult:
        """
        Hand in a signed transaction.

        Args:
            raw: TxRaw.
            public_key: 33 bytes, the signer's; counted against, not trusted.

        Raises:
            Rejected: Refused at the door.
        """
        result = self.application.check_transaction(raw)
        if result.code:
            raise Rejected(result.codespace, result.code, result.log)
        tx_hash = transaction_hash(raw)
        account = cosmos_account_of(public_key)
        self._pending[tx_hash] = (raw, account)
        self._waiting[account] = self._waiting.get(account, 0) + 1
        return SubmitResult(tx_hash)

    def next_transactions(self) -> tuple[bytes, ...]:
        """Return what goes into the next block, in order of arrival, as much as fits."""
        chosen: list[bytes] = []
        room = BLOCK_BYTES_MAX
        for raw, _ in self._pending.values():
            room -= len(raw)
            if room < 0:
                break
            chosen.append(raw)
        return tuple(chosen)

    def execute(self, block: BlockInput) -> BlockResult:
        """Finalise and commit a block, and remember what it did."""
        before = self.application.app_hash
        result = self.application.finalize_block(block)
        self.application.commit()
        self._is_proof_due = self._proves_by_next_block and result.app_hash != before
        transactions: list[TxEvents] = []
        for raw, outcome in zip(block.transactions, result.tx_results, strict=True):
            tx_hash = transaction_hash(raw)
            self._forget(tx_hash)
            events = outcome.events if not outcome.code else ()
            transactions.append(
                TxEvents(tx_hash, outcome.code, outcome.log, events, outcome.codespace)
            )
        time_s = to_seconds(TimestampNanoseconds(block.time_ns))
        self._blocks.append(BlockEvents(block.height, time_s, tuple(transactions)))
        self._recheck()
        return result

    def blocks_after(self, height: int, limit: int) -> Sequence[BlockEvents]:
        """Return blocks above *height*, ascending, at most *limit*."""
        return self._blocks[max(height, 0) : max(height, 0) + limit]

    def _forget(self, tx_hash: bytes) -> None:
        known = self._pending.pop(tx_hash, None)
        if known is None:
            return
        account = known[1]
        self._waiting[account] -= 1
        if not self._waiting[account]:
            del self._waiting[account]

    def _recheck(self) -> None:
        """Drop what cannot run any more; the check forgets its sequences with every block."""
        for tx_hash, (raw, _) in list(self._pending.items()):
            if self.application.check_transaction(raw).code:
                self._forget(tx_hash)
