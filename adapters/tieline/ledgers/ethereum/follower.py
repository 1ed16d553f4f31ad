"""
Reads a chain's final blocks in order, with the logs of our contracts, and holds each to its parent.

A re-organisation above the final block is not seen here at all; one below it is told as
``Reorganised``, and a chain that was begun anew ends the process with a clear message. Both are
found by hashes, never by what a node says about removed logs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tieline.interfaces.errors import ConfigError, NotYet, Reorganised, Unavailable
from tieline.ledgers.ethereum.endpoints import EvmEndpoints
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.rpc import Call, Json
from tieline.ledgers.ethereum.rpc_records import (
    Receipt,
    SeenBlock,
    SeenLog,
    block_call,
    block_of,
    logs_of,
    receipt_of,
)
from tieline.ledgers.ethereum.transaction_journal import BLOCKS_KEPT, TransactionJournal

REORG_DEPTH_MAX: Final = 64
"""What is deeper is no re-organisation: a development chain has lost its blocks."""
PAGE: Final = 50
"""Blocks of one request: headers one by one, their logs together."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain as a node told it last."""

    height: int
    hash: bytes
    time_s: int
    """Its block time, unix seconds."""
    base_fee: int
    """wei per gas."""
    final_height: int
    drift_s: int
    """How far its time is ahead of this computer's; below zero when it is behind."""


@dataclass(frozen=True, slots=True)
class FollowedTransaction:
    """One transaction that told something, or is ours."""

    tx_hash: bytes
    logs: tuple[SeenLog, ...]
    is_success: bool


@dataclass(frozen=True, slots=True)
class FollowedBlock:
    """One final block."""

    block: SeenBlock
    transactions: tuple[FollowedTransaction, ...]


class ChainFollower:
    """The final blocks of one chain, read once each and in order."""

    def __init__(
        self,
        ledger_id: str,
        endpoints: EvmEndpoints,
        contracts: Sequence[bytes],
        rule: FinalityRule,
        journal: TransactionJournal,
        start_height: int,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        """
        Begin below *start_height*.

        Args:
            ledger_id: For messages.
            endpoints: Who is asked.
            contracts: Addresses whose logs are read.
            rule: When a block is final.
            journal: Knows our own transactions, and the blocks that were acted on before.
            start_height: The first block that is read.
            wall_s: This computer's clock, unix seconds.
        """
        self._ledger_id = ledger_id
        self._endpoints = endpoints
        self._contracts = tuple(contracts)
        self._rule = rule
        self._journal = journal
        self._start = start_height
        self._wall_s = wall_s
        self.height = start_height - 1
        """Of the last block that was read."""
        self._hashes: dict[int, bytes] = {}
        """Of the last blocks that were read."""
        self._acted_on = journal.blocks()
        self._checked = b""
        """Hash of the last head that was held to what was read."""
        self.head: Head | None = None

    async def look(self) -> Head:
        """
        Ask where the chain ends.

        Raises:
            Unavailable: No node answers.
        """
        tags = ["latest"] + ([self._rule.tag] if self._rule.tag else [])
        calls = [Call(*block_call(tag)) for tag in tags]
        latest, tagged = await self._endpoints.ask(calls, self._read_head)
        header = latest.header
        self.head = Head(
            height=latest.height,
            hash=latest.hash,
            time_s=header.timestamp,
            base_fee=header.base_fee or 0,
            final_height=self._rule.final_height(latest.height, tagged),
            drift_s=header.timestamp - int(self._wall_s()),
        )
        return self.head

    @staticmethod
    def _read_head(answers: Sequence[Json]) -> tuple[SeenBlock, int | None]:
        latest = block_of(answers[0])
        try:
            return latest, block_of(answers[1]).height if len(answers) > 1 else None
        except NotYet:  # nothing is final yet
            return latest, None

    async def read_on(self, head: Head) -> list[FollowedBlock]:
        """
        Return the next final blocks, at most ``PAGE``; none if all were read. Those that are not
        taken with ``take`` come again.

        Raises:
            Reorganised: Blocks that were read are gone; ``go_back`` was done.
            ConfigError: The chain was begun anew: the operator must act.
            NotYet: The chain changed while it was read; ask again.
            Unavailable: No node answers, or its chain is shorter than what was read.
        """
        final_height = head.final_height
        if self._acted_on:
            await self._check_acted_on(head)
        await self._check_last(head)
        if final_height < self.height:
            raise self._behind(final_height, self.height)
        first, last = self.height + 1, min(final_height, self.height + PAGE)
        if last < first:
            return []
        blocks, logs = await self._page(first, last)
        if first > self._start and blocks[0].header.parent_hash != self._hashes[first - 1]:
            await self._find_ancestor(self._hashes, head)
        receipts = await self._receipts(blocks, logs, head)
        return list(_joined(blocks, logs, receipts))

    async def _page(self, first: int, last: int) -> tuple[list[SeenBlock], list[SeenLog]]:
        heights = [*range(first, last + 1), last]  # the last one again, after the logs
        calls = [Call(*block_call(height)) for height in heights]
        wanted = {
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "address": ["0x" + one.hex() for one in self._contracts],
        }
        calls.insert(-1, Call("eth_getLogs", (wanted,)))

        def read(answers: Sequence[Json]) -> tuple[list[SeenBlock], list[SeenLog]]:
            *headers, told, again = answers
            return [block_of(one) for one in (*headers, again)], logs_of(told)

        (*blocks, again), logs = await self._endpoints.ask(calls, read)
        hashes = {block.height: block.hash for block in blocks}
        is_one_branch = again.hash == blocks[-1].hash and all(
            other.header.parent_hash == one.hash and other.height == one.height + 1
            for one, other in pairwise(blocks)
        )
        if not is_one_branch or any(one.block_hash != hashes.get(one.height) for one in logs):
            raise NotYet(f"{self._ledger_id} changed while it was read: from={first} to={last}")
        return blocks, logs

    async def _receipts(
        self, blocks: Sequence[SeenBlock], logs: Sequence[SeenLog], head: Head
    ) -> dict[bytes, Receipt]:
        """
        Return how transactions of ours that told nothing have ended. Of old ones a node may have
        forgotten it (geth keeps an index of some weeks); nobody waits for these any more.
        """
        told = {one.tx_hash for one in logs}
        asked = {
            tx_hash: block
            for block in blocks
            for tx_hash in block.transactions
            if tx_hash not in told and self._journal.name_of(tx_hash) is not None
        }
        if not asked:
            return {}
        calls = [Call("eth_getTransactionReceipt", ("0x" + one.hex(),)) for one in asked]
        found = await self._endpoints.ask(calls, lambda answers: [receipt_of(a) for a in answers])
        receipts: dict[bytes, Receipt] = {}
        for (tx_hash, block), one in zip(asked.items(), found, strict=True):
            if one is None and block.height + BLOCKS_KEPT <= head.height:
                continue
            if one is None or one.block_hash != block.hash:
                raise NotYet(f"{self._ledger_id} changed while it was read: receipts")
            receipts[tx_hash] = one
        return receipts

    def take(self, blocks: Sequence[SeenBlock]) -> None:
        """These were read; the next ones follow them. Raises Unavailable: then they come again."""
        hashes = {block.height: block.hash for block in blocks}
        self._journal.note_blocks(hashes)
        self._hashes |= hashes
        self.height = blocks[-1].height
        for height in [one for one in self._hashes if one <= self.height - BLOCKS_KEPT]:
            del self._hashes[height]

    def hash_at(self, height: int) -> bytes | None:
        """Return the hash of a final block that was read lately."""
        return self._hashes.get(height)

    # --- what is gone -----------------------------------------------------------------------

    def _behind(self, height: int, read: int) -> Unavailable:
        return Unavailable(
            f"{self._ledger_id} has {height} final blocks and was read up to {read}: its nodes are "
            "behind, or it lost blocks"
        )

    async def _check_acted_on(self, head: Head) -> None:
        """
        Once after a start: hold the chain to the blocks that were acted on before. A node that ends
        below them says nothing of those above its end: it may be catching up.
        """
        known = self._acted_on
        last = max(known)
        place = max((one for one in known if one <= head.height), default=None)
        if place is None:
            raise self._behind(head.height, last)
        call = Call(*block_call(place))
        found = await self._endpoints.ask([call], lambda answers: block_of(answers[0]).hash)
        if found != known[place]:
            await self._find_ancestor(known, head)
        if place < last:
            raise self._behind(head.height, last)
        self._acted_on = {}

    async def _check_last(self, head: Head) -> None:
        """
        Hold the chain to what was read where it brings nothing above that: it may have been cut
        back and have grown again. Once a head; where it has grown, the next block's parent tells.
        """
        height = min(head.final_height, self.height)
        if head.hash == self._checked or head.final_height > self.height or not self._hashes:
            return
        call = Call(*block_call(height))
        found = await self._endpoints.ask([call], lambda answers: block_of(answers[0]).hash)
        if found != self._hashes.get(height, found):
            await self._find_ancestor(self._hashes, head)
        self._checked = head.hash

    async def _find_ancestor(self, known: dict[int, bytes], head: Head) -> None:
        """Go back to the last block that still stands. Raises Reorganised, or ConfigError."""
        # A node that has not even these is behind the one that showed the head: another is asked.
        heights = sorted(one for one in known if one <= head.height)
        calls = [Call(*block_call(height)) for height in heights]
        found = await self._endpoints.ask(calls, lambda answers: [block_of(a) for a in answers])
        stands = [one.height for one in found if one.hash == known.get(one.height)]
        last = max(known)
        if not stands or last - stands[-1] > REORG_DEPTH_MAX:
            raise ConfigError(
                f"the chain of {self._ledger_id} was begun anew or has lost its blocks: block "
                f"{last} was 0x{known[last].hex()}, and it is gone with the {REORG_DEPTH_MAX} "
                "blocks before it or all that are remembered",
                instead="bring back the node's data, or remove this ledger's journal beside the "
                "configuration to begin again; what was proved of the old chain stays proved",
            )
        self.go_back(stands[-1])
        raise Reorganised(self._ledger_id, stands[-1], last - stands[-1])

    def go_back(self, height: int) -> None:
        """Forget the blocks above *height*, and begin to read at the start again."""
        _LOG.warning("blocks are gone ledger=%s above=%d", self._ledger_id, height)
        self._journal.forget_blocks_above(height)
        self._acted_on = {}
        self._hashes.clear()
        self.height = self._start - 1


def _joined(
    blocks: Sequence[SeenBlock], logs: Sequence[SeenLog], receipts: dict[bytes, Receipt]
) -> Iterator[FollowedBlock]:
    """Put logs and receipts to their blocks, transactions in the order of the block."""
    by_transaction: dict[bytes, list[SeenLog]] = {}
    for one in logs:
        by_transaction.setdefault(one.tx_hash, []).append(one)
    for block in blocks:
        yield FollowedBlock(
            block,
            tuple(
                FollowedTransaction(
                    tx_hash,
                    tuple(by_transaction.get(tx_hash, ())),
                    tx_hash in by_transaction or receipts[tx_hash].is_success,
                )
                for tx_hash in block.transactions
                if tx_hash in by_transaction or tx_hash in receipts
            ),
        )
