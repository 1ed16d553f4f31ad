"""
What happened in each block, as the hub is told it: of the newest blocks remembered, of older ones
read again from a peer and held against what was read before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from tieline.interfaces.errors import Contradicted, Unavailable
from tieline.interfaces.ledger import BlockEvents, TxEvents
from tieline.ledgers.fabric.history import History
from tieline.ledgers.fabric.port import FabricPort
from tieline.ledgers.fabric.seen_blocks import SeenBlock, read_block
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.wire.errors import Malformed
from tieline.wire.fabric.invocations import Function, decode_events, invocation_hash

_SUBMIT = Function.SUBMIT.encode()


class SeenEvents:
    """What happened on one channel, as far as blocks were read."""

    def __init__(self, port: FabricPort, history: History, settings: FabricSettings) -> None:
        """
        Remember nothing yet.

        Args:
            port: Asked for blocks that are not remembered.
            history: Knows their hashes and times.
            settings: How much is remembered.
        """
        self._port = port
        self._history = history
        self._settings = settings
        self._newest: OrderedDict[int, BlockEvents] = OrderedDict()
        self._failed: dict[int, tuple[TxEvents, ...]] = {}
        """What of this process finally failed, by the block it was told with: no peer knows it."""

    def tell(
        self, block: SeenBlock, happened: Sequence[TxEvents], failed: Sequence[TxEvents]
    ) -> None:
        """Tell of a block that was just taken, and what of ours finally failed with it."""
        self._newest[block.number] = self._events(block, happened)
        if len(self._newest) > self._settings.events_kept:
            self._newest.popitem(last=False)
        self.tell_failed(block.number, failed)

    def tell_failed(self, number: int, failed: Sequence[TxEvents]) -> None:
        """Tell what failed since with the newest block, which was not shown to anybody yet."""
        if failed:
            self._failed[number] = (*self._failed.get(number, ()), *failed)

    async def after(self, height: int, limit: int) -> Sequence[BlockEvents]:
        """
        Return blocks above *height* that were read, ascending, without gaps, at most *limit*.

        Raises:
            Contradicted: A peer shows another block than before.
            Unavailable: No peer answers, or none has the block.
        """
        number = first = max(height + 1, 1)
        last = min(first + limit - 1, self._history.height)
        found: list[BlockEvents] = []
        while number <= last:
            # Looked at each time: while a peer is asked, newer blocks push out the oldest.
            remembered = next(iter(self._newest), last + 1)
            if number < remembered:
                found += await self._again(number, min(last, remembered - 1))
            else:
                found.append(self._newest[number])
            number = first + len(found)
        return [self._with_failed(one) for one in found]

    def _with_failed(self, events: BlockEvents) -> BlockEvents:
        failed = self._failed.get(events.height, ())
        return replace(events, transactions=(*events.transactions, *failed)) if failed else events

    async def _again(self, first: int, last: int) -> list[BlockEvents]:
        most = min(last - first + 1, self._settings.blocks_a_read)
        found: list[BlockEvents] = []
        for raw in await self._port.blocks_after(first - 1, most):
            block = read_block(raw, self._port.fabric_channel)
            if block.hash != self._history.hash_at(first + len(found)):
                raise Contradicted(f"another block than before: number={first + len(found)}")
            found.append(self._events(block, landed(block)))
        if not found:
            raise Unavailable(f"the peer has no block {first} any more: {self._port.name}")
        return found

    def _events(self, block: SeenBlock, happened: Sequence[TxEvents]) -> BlockEvents:
        return BlockEvents(
            height=block.number,
            time_s=self._history.time_at(block.number),
            transactions=tuple(happened),
            is_provable=self._history.tick_at(block.number) is not None,
        )


def landed(block: SeenBlock) -> tuple[TxEvents, ...]:
    """
    Return what the transactions told that took effect in a block.

    Raises:
        Contradicted: It calls valid what our chaincode does not endorse.
    """
    try:
        return tuple(
            TxEvents(invocation_hash(invocation.args), 0, "", decode_events(invocation.event))
            for invocation in block.invocations
            if invocation.is_valid and invocation.function == _SUBMIT
        )
    except Malformed as exc:
        raise Contradicted(f"called valid, but cannot be: block={block.number}: {exc}") from exc
