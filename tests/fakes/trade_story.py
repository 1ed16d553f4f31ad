"""
One evening on two ledgers: every message of a trade once, accepted, each moment at least fifteen
seconds after the last, so that a clock that is set by Ticks can follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fakes.fabric_world import FabricLedger, FabricWorld
from fakes.microgrid import key, pay
from fakes.trade_records import T_A, T_B, TAU, D, E
from fakes.trade_world import DOMAIN, Position, account
from tieline.protocol.packet import Packet
from tieline.swap.messages import (
    MsgCancel,
    MsgDeposit,
    MsgExpirePending,
    MsgRefund,
    MsgReleaseOrder,
    MsgTradeEvidence,
    MsgWaive,
    MsgWithdraw,
)
from tieline.swap.records import Cancel, Order, Side
from tieline.wire.codec import decode_transaction
from tieline.wire.fabric.invocations import CLOCK_KEY
from tieline.wire.hashes import sha256
from tieline.wire.typed_data import order_id, sign_record

RELAYER = account("relayer")
SECRETS = tuple(bytes([n]) * 32 for n in range(1, 6))
WH = 300


@dataclass
class Told:
    """What a story left behind."""

    ledgers: tuple[FabricLedger, FabricLedger]
    clock_readers: dict[str, bool] = field(default_factory=dict[str, bool])
    """By message type: whether a transaction of it, accepted, read the clock."""

    def note(self) -> None:
        """Look at every accepted transaction; evidence in front of another message is no reader."""
        for ledger in self.ledgers:
            assert ledger.channel is not None
            assert not ledger.channel.has_jumped
            for raw, watched in zip(ledger.sent, ledger.watched, strict=True):
                if watched.invocation.is_ok:
                    name = type(decode_transaction(raw).messages[-1]).__name__
                    did = self.clock_readers.get(name, False)
                    self.clock_readers[name] = did or CLOCK_KEY in watched.reads


class Story:
    """The evening, by its hours."""

    def __init__(self, world: FabricWorld) -> None:
        self.world = world
        self.a, self.b = world.a, world.b
        self.direct: list[Position] = []

    def markets_open(self) -> None:
        """Orders of three direct trades, a pool and an INTRA trade."""
        world = self.world
        self.a.must("ann", pay("ann", "amy", 5))
        self.b.must("connector", MsgDeposit(account("connector"), 100))
        self.b.must("connector", MsgWithdraw(account("connector"), 100))
        for secret in SECRETS[:3]:
            buy = world.place("ann", Side.BUY, WH)
            sell = world.place("bob", Side.SELL, WH, anchor=sha256(secret))
            self.direct.append(world.position([(buy, WH)], [(sell, WH)], secret))
        buys = [(world.place(name, Side.BUY, WH), WH) for name in ("amy", "abe")]
        sells = [(world.place(name, Side.SELL, WH), WH) for name in ("ben", "bea")]
        self.pool = world.position(buys, sells, SECRETS[3])
        local_buys = [(world.place(name, Side.BUY, 150), 150) for name in ("ann", "amy")]
        local_sells = [(world.place("sol", Side.SELL, WH), WH)]
        self.local = world.local_position(local_buys, local_sells, preimage=SECRETS[4])
        self.idle: Order = world.place("ann", Side.BUY, WH)
        gone = world.place("ann", Side.BUY, WH)
        cancel = Cancel(order_id(gone))
        signature = sign_record(key("ann"), DOMAIN, cancel)
        self.a.must("relayer", MsgCancel(RELAYER, cancel, signature))

    def packets_go(self) -> None:
        """Send all four and open the INTRA lock; b receives three, one each way to end."""
        world = self.world
        self.a.now_s = TAU - 200
        self.packets: list[Packet] = [
            world.send(position, at=TAU - 200) for position in (*self.direct, self.pool)
        ]
        world.open_local(self.local, at=TAU - 200)
        self.a.must("relayer", MsgTradeEvidence(RELAYER, self.local.evidence))
        for place in (0, 1, 3):
            position = self.pool if place == 3 else self.direct[place]
            assert world.receive(position, self.packets[place], at=TAU - 60).code == 0

    def verdict_comes(self) -> None:
        """Accept the first trade, the pool and the INTRA trade; leave the second pending."""
        world = self.world
        leaves = [
            world.leaf(self.direct[0], self.packets[0], cap_wh=WH, group=1),
            world.leaf(self.pool, self.packets[3], cap_wh=600, group=3),
        ]
        local = world.local_leaf(self.local, cap_wh=WH, group=2)
        self.a.now_s = self.b.now_s = TAU
        answers = []
        for leaf in leaves:
            result = self.b.must("relayer", world.apply_verdict([*leaves, local], [leaf]))
            answers.append(result)
        self.a.must("relayer", world.apply_verdict([*leaves, local], [local]))
        assert world.time_out(self.packets[2]).code == 0
        for result, place in zip(answers, (0, 3), strict=True):
            world.note_answer(result)
            assert world.acknowledge(self.packets[place], at=TAU).code == 0
        self.a.now_s = self.b.now_s = D
        expired = self.b.must("relayer", MsgExpirePending(RELAYER, self.direct[1].lock_out))
        world.note_answer(expired)
        assert world.acknowledge(self.packets[1]).code == 0

    def energy_is_delivered(self) -> None:
        """Claim, collect, waive; what is left goes back."""
        world, direct = self.world, self.direct[0]
        ids = [direct.trade.trade_id, self.pool.trade.trade_id, self.local.trade.trade_id]
        rows = [(trade_id, 200) for trade_id in ids]
        for ledger in (self.a, self.b):
            ledger.must("relayer", world.delivery(rows), at=E)
            is_a = ledger is self.a
            for position, secret in ((direct, SECRETS[0]), (self.pool, SECRETS[3])):
                lock = position.lock_in if is_a else position.lock_out
                leaf = world.delivery_leaf(rows, position.trade.trade_id)
                ledger.must("relayer", world.claim_of(lock, secret, leaf))
        leaf = world.delivery_leaf(rows, ids[2])
        self.a.must("relayer", world.claim_of(self.local.lock_id, SECRETS[4], leaf))
        self.a.must("connector", MsgWaive(account("connector"), direct.lock_in, 250))
        for ledger, lock, place, at in (
            (self.b, direct.lock_out, 0, T_B),
            (self.b, self.pool.lock_out, 1, T_B),
            (self.a, self.pool.lock_in, 1, T_A),
        ):
            refund = MsgRefund(RELAYER, lock, (world.delivery_leaf(rows, ids[place]),))
            ledger.must("relayer", refund, at=at)
        shares = world.shares(self.pool.lock_out, Side.SELL, self.pool.sells)
        self.b.must("relayer", *shares)
        self.a.must("relayer", MsgReleaseOrder(RELAYER, order_id(self.idle)))


def tell_story(world: FabricWorld) -> Told:
    """Play the evening and say who read the clock."""
    story = Story(world)
    story.markets_open()
    story.packets_go()
    story.verdict_comes()
    story.energy_is_delivered()
    assert isinstance(world.a, FabricLedger)
    assert isinstance(world.b, FabricLedger)
    told = Told((world.a, world.b))
    told.note()
    return told
