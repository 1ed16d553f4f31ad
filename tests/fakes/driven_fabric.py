"""
Fabric ledgers in the hand of a test. Their time comes in Ticks, fifteen seconds apart at least, and
what touches one key comes in several blocks at one instant: to a test all that is one block.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from fakes.driven import SETTLED_S, Driven, finish
from tieline.interfaces.errors import NotYet, Rejected
from tieline.interfaces.ledger import BlockEvents, TxEvents
from tieline.ledgers.fabric.settings import TICK_INTERVAL_S, FabricSettings
from tieline.protocol.commitment import packet_receipt_key
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.lifecycle import LIFECYCLE
from tieline.wire.fabric.transactions import decode_transaction

ABSENCE_BLOCKS_MAX = 4
"""A record of an absence is there a block after it was asked for."""


@dataclass
class OnFabric:
    """What any Fabric ledger has otherwise than the rest."""

    tx_bytes_max: int = FabricSettings().tx_bytes_max
    absent_key: bytes = field(default=packet_receipt_key("07-tendermint-7", 1))
    earlier_absence_follows: bool = True
    proofs_are_blocks: bool = True

    def run(self, *messages, lane="relayer"):
        try:
            return super().run(*messages, lane=lane)
        except Rejected as exc:  # peers simulate everything, so all is refused at the door
            return TxEvents(b"", exc.code, exc.log, (), exc.codespace)

    def prove(self, *stored_keys):
        """Prove keys as of the last block; what shows an absence may have to be recorded first."""
        height = self.provable_height()
        for _ in range(ABSENCE_BLOCKS_MAX):
            try:
                return list(finish(self.ledger.prove_many(stored_keys, height)))
            except NotYet:
                self.block()
        raise AssertionError("absence is not recorded")

    def provable_height(self):
        """The newest height that a light client can hold."""
        return self.ledger.history.newest_tick

    def client_states(self, height):
        return finish(self.ledger.trust_at(height))

    def chain_tag(self):
        return self.ledger.chain_tag

    def access_since(self, height):
        """What valid transactions of our chaincode read and wrote in blocks above *height*."""
        return [
            one
            for raw in finish(self.ledger.port.blocks_after(height, 1000))
            for one in accesses(Block.decode(raw))
        ]


@dataclass(frozen=True)
class Touched:
    """The keys of one transaction."""

    reads: frozenset
    writes: frozenset


def accesses(block):
    """Return the keys that each valid Submit of a block read and wrote."""
    found = []
    for raw, code in zip(block.data, block.transactions_filter, strict=True):
        opened = decode_transaction(raw).opened
        if code or opened.args[0] != b"Submit":
            continue
        sets = [one for one in opened.content.sets.namespaces if one.namespace != LIFECYCLE]
        reads = frozenset(one.key for each in sets for one in each.reads)
        writes = frozenset(one.key for each in sets for one in each.writes)
        found.append(Touched(reads, writes))
    return found


@dataclass
class FabricByHand(OnFabric, Driven):
    """The embedded network, whose blocks a test asks for."""

    pace_s: int = TICK_INTERVAL_S
    soon_s: int = 60
    seen_height: int = 0

    def begin(self):
        self.seen_height = finish(self.ledger.latest_height())
        super().begin()
        self.first_height = self.ledger.history.oldest_tick

    def produce(self, time_s, *, is_deadline=False):
        return finish(self.ledger.advance(time_s, is_deadline=is_deadline))

    def block(self, seconds=TICK_INTERVAL_S):
        """
        Make what blocks are due, with a Tick behind them, and return what happened since the last.
        """
        self.now_s += max(seconds, TICK_INTERVAL_S)
        assert self.produce(self.now_s, is_deadline=True)
        self.before, self.seen_height = self.seen_height, self.ledger.history.height
        return merged(self, self.before)

    def last_access(self):
        return self.access_since(self.before)


@dataclass
class NativeFabric(FabricByHand):
    """
    A network of processes in real time, but for the clock that Ticks are held against: the test
    moves that. The ledger itself hands in Ticks when they are due.
    """

    ticks_after: int = 1

    def begin(self):
        self.settle()  # the network may have lived for some tests already
        self.now_s = self.ledger.clock.now_s()
        super().begin()

    def produce(self, time_s, *, is_deadline=False):
        if time_s <= self.ledger.history.time_s:
            return False
        before = finish(self.ledger.latest_height())
        self.ledger.clock.move_to(time_s)
        if is_deadline:
            self.ledger.want_time(time_s)
        self.settle()
        return finish(self.ledger.latest_height()) > before

    def settle(self):
        """Wait until nothing waits and all that happened can be shown; time is no matter."""
        end = time.monotonic() + SETTLED_S
        while not finish(self.ledger.is_idle()):
            assert time.monotonic() < end, "the ledger does not come to rest"
            if not self.ledger.under_way:
                now_s = self.ledger.clock.now_s()
                self.ledger.clock.move_to(max(now_s, self.ledger.history.time_s + TICK_INTERVAL_S))
            time.sleep(0.02)
        self.now_s = self.ledger.history.time_s


def merged(driven, before):
    """Return all that happened above a height as one block."""
    blocks = finish(driven.ledger.blocks_after(before, 1000))
    transactions = tuple(one for block in blocks for one in block.transactions)
    return BlockEvents(blocks[-1].height, blocks[-1].time_s, transactions, blocks[-1].is_provable)
