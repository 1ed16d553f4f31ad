"""
A trade world's ledger whose transactions run on Fabric's own programs as well: what one block of
the contract holds is endorsed on one state and handed in at once.
"""

from __future__ import annotations

import asyncio

from fakes.busy_fabric import FILTER, TRADES, BusyChannel, RunningClock, blocks_of, close
from fakes.driven import finish
from fakes.fabric_networks import committed
from fakes.fabric_world import FabricLedger, shared_keys
from tieline.ledgers.fabric.native.plan import BlockPace
from tieline.wire.fabric.invocations import (
    decode_read_back,
    read_back_args,
    submit_args,
    tick_args,
)

READ_BACK_KEYS = 256
PACE = BlockPace(
    interval_ms=3000, messages_max=32, preferred_bytes_max=2 << 20, absolute_bytes_max=4 << 20
)
"""
What is handed in together comes into one block, on a slow machine too, though 32 receives are more
than a block that has to fit into a proof prefers (256 KiB). One with fewer is waited for.
"""
FEW = 24
"""Transactions of single blocks that share nothing are put into one here, to wait less often."""


class NativeTradeLedger(FabricLedger):
    """Give it a folder before its first block: ``folder``."""

    folder = None

    def __post_init__(self) -> None:
        self.native = None
        self.waiting, self.touched = [], []
        super().__post_init__()
        clock = RunningClock(self.folder / "clock", self.now_s, speed=0)
        self.clock = clock
        self.native = BusyChannel(
            self.folder, self.genesis, factory=TRADES, pace=PACE, clock_file=clock.path
        )
        self.native.network.start()
        self.port = self.native.port()
        finish(self.native.begin(self.header_hash(1)))

    def block(self, *transactions: bytes):
        before = None if self.channel is None else self.channel.now_s
        results = super().block(*transactions)
        if self.native is None:
            return results
        if self.channel.now_s != before:
            self.flush()
            self.clock.set(self.channel.now_s)
            finish(self.commit([tick_args(self.channel.now_s)]))
        calls = [
            submit_args(raw)
            for raw, result in zip(transactions, results, strict=True)
            if not result.code
        ]
        if len(calls) == 1:
            self.put_off(calls[0], self.watched[-1])
        else:
            self.flush()
            finish(self.commit(calls))
        return results

    def put_off(self, args, watched) -> None:
        """Let a transaction wait for others that share no key with it."""
        if len(self.waiting) == FEW or shared_keys([watched, *self.touched]):
            self.flush()
        self.waiting.append(args)
        self.touched.append(watched)

    def flush(self) -> None:
        """Commit what waits."""
        calls, self.waiting, self.touched = self.waiting, [], []
        finish(self.commit(calls))

    async def commit(self, calls):
        """Endorse all on one state, hand all in at once, and see that all are valid."""
        endorsed = await asyncio.gather(*(self.port.endorse(args) for args in calls))
        await asyncio.gather(*(self.port.order(one.envelope) for one in endorsed))
        done = await asyncio.gather(*(committed(self.port, one.tx_id) for one in endorsed))
        assert {one.code for one in done if one} <= {0}
        assert None not in done

    def verdicts(self):
        """Codes of all transactions, a list a block."""
        self.flush()
        return [list(block.metadata[FILTER]) for block in finish(blocks_of(self.port))]

    def held(self, keys):
        """What a real peer holds of physical keys."""
        found = {}
        for start in range(0, len(keys), READ_BACK_KEYS):
            asked = keys[start : start + READ_BACK_KEYS]
            answer = decode_read_back(finish(self.port.evaluate(read_back_args(*asked))))
            found.update(zip(asked, answer.values, strict=True))
        return found

    def stop(self):
        """End the network."""
        if self.native is not None:
            finish(close(self.port))
            self.native.network.stop()
