"""
Blocks by height of one ledger, none left out: each must name the one before it as its parent and
hold the transactions that its header names. What a peer lacks is an error, never a gap.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tieline.interfaces.errors import Contradicted, NotYet, Pruned, Unavailable
from tieline.interfaces.ledger import BlockEvents
from tieline.ledgers.tendermint import rpc_records
from tieline.ledgers.tendermint.endpoints import CometEndpoints, require_same_block
from tieline.ledgers.tendermint.rpc import BATCH_MAX, Call, Hook, Json
from tieline.wire.blocks import data_hash
from tieline.wire.cometbft import Header

BLOCKS_KEPT: Final = 1024
"""Blocks remembered; they never change."""
HASHES_KEPT: Final = 8192
"""Header hashes remembered, to hold later answers against."""
_BLOCKS_A_REQUEST: Final = BATCH_MAX // 2
"""A block and its results are two calls."""
ReadEvents = Callable[[Json, Json, int], BlockEvents]
"""Reads the answers of ``block`` and ``block_results`` at a height. Raises Unavailable."""


class ChainReader:
    """What was read of one ledger, and the way to more."""

    def __init__(
        self,
        endpoints: CometEndpoints,
        read_events: ReadEvents | None = None,
        hook: Hook | None = None,
        blocks_kept: int = BLOCKS_KEPT,
    ) -> None:
        """
        Read from whichever peer answers.

        Args:
            endpoints: The ledger's peers.
            read_events: What makes events of a block and its results.
            hook: What is made of the JSON of these while it is read, as ``CometRpc.batch`` has it.
            blocks_kept: So many are remembered.
        """
        self._hook = hook
        self._blocks_kept = blocks_kept
        self._endpoints = endpoints
        self._read_events = read_events or rpc_records.block_events_of
        self._blocks: OrderedDict[int, BlockEvents] = OrderedDict()
        self._hashes: OrderedDict[int, bytes] = OrderedDict()

    async def blocks(self, first: int, last: int) -> list[BlockEvents]:
        """
        Return the blocks from *first* to *last*, both among them.

        Raises:
            Pruned: No peer has one of them any more; waiting does not bring it back.
            Contradicted: What peers say of one of them cannot be true.
            Unavailable: No peer answers, or *last* is not there on any.
        """
        found: dict[int, BlockEvents] = {}
        missing: list[int] = []
        for height in range(first, last + 1):
            known = self._blocks.get(height)
            if known is None:
                missing.append(height)
            else:
                found[height] = known
        for start in range(0, len(missing), _BLOCKS_A_REQUEST):
            part = missing[start : start + _BLOCKS_A_REQUEST]
            for block in await self._fetch(part):
                found[block.height] = block
        return [found[height] for height in range(first, last + 1)]

    def check_header(self, header: Header) -> None:
        """
        Hold a header against what was seen at its height and beside it, and remember it.

        Raises:
            Contradicted: It is of another ledger, another header was seen at its height, or its
                parent is not the one that was.
        """
        self._remember([self._checked(header, {})])

    def _checked(self, header: Header, before: Mapping[int, bytes]) -> tuple[int, bytes]:
        """Return height and hash of a header that fits what was seen, and *before*."""
        if header.chain_id != self._endpoints.chain_id:
            raise Contradicted(
                f"a header of another ledger: {header.chain_id!r}, not {self._endpoints.chain_id!r}"
            )
        height, own, parent = header.height, header.hash(), header.last_block_id.hash
        for place, found in ((height, own), (height - 1, parent)):
            require_same_block(place, found, before.get(place, self._hashes.get(place, found)))
        return height, own

    def _remember(self, places: Sequence[tuple[int, bytes]]) -> None:
        for height, header_hash in places:
            self._hashes[height] = header_hash
            self._endpoints.confirm(height, header_hash)
        while len(self._hashes) > HASHES_KEPT:
            self._hashes.popitem(last=False)

    async def _fetch(self, heights: Sequence[int]) -> list[BlockEvents]:
        calls = [
            Call(method, {"height": str(height)})
            for height in heights
            for method in ("block", "block_results")
        ]

        def read(answers: Sequence[Json]) -> list[BlockEvents]:
            blocks: list[BlockEvents] = []
            seen: dict[int, bytes] = {}
            for height, answer, results in zip(heights, answers[::2], answers[1::2], strict=True):
                header, transactions = rpc_records.transactions_of(answer, height)
                require_transactions(header, transactions)
                blocks.append(self._read_events(answer, results, height))
                place, header_hash = self._checked(header, seen)
                seen[place] = header_hash
            # Only now: of an answer of which a part cannot be true nothing is remembered.
            self._remember(list(seen.items()))
            return blocks

        try:
            blocks = await self._endpoints.ask(calls, read, self._hook)
        except Pruned as exc:
            raise Pruned(
                f"blocks {heights[0]} to {heights[-1]} of {self._endpoints.chain_id} are on no "
                f"peer that answers any more; name one that keeps them: {exc}"
            ) from exc
        except NotYet as exc:
            raise Unavailable(f"a block is missing: {exc}") from exc
        for block in blocks:
            self._blocks[block.height] = block
        while len(self._blocks) > self._blocks_kept:
            self._blocks.popitem(last=False)
        return blocks


def require_transactions(header: Header, transactions: Sequence[bytes]) -> None:
    """Raise Contradicted if a block holds other transactions than its header names."""
    if data_hash(transactions) != header.data_hash:
        raise Contradicted(f"other transactions than the header names: height={header.height}")
