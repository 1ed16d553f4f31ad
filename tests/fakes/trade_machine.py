"""
Random messages in random order at the edges of every deadline, on two real ledgers: money is
conserved on each after every transaction, nothing breaks down, and ended locks stay ended.

Whoever runs it says in which world.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fakes.trade_records import T_A, T_B, TAU, D, E, S
from fakes.trade_world import Position, TradeLedger, TradeWorld, account, events
from tieline.contract.keys import lock_key
from tieline.contract.records import LockRecord, decode_lock
from tieline.contract.results import TxResult
from tieline.contract.runner import PANIC_CODESPACE
from tieline.contract.store import IBC, TIELINE
from tieline.protocol.commitment import packet_receipt_key
from tieline.protocol.packet import Packet
from tieline.swap.lock import LockStatus
from tieline.swap.messages import (
    MsgCollectShare,
    MsgExpirePending,
    MsgOpenLocal,
    MsgRefund,
    MsgReleaseOrder,
    MsgTradeEvidence,
    MsgWaive,
    MsgWithdraw,
)
from tieline.swap.records import Order, Side
from tieline.wire.codec import decode_packet
from tieline.wire.hashes import sha256
from tieline.wire.typed_data import order_id

RELAYER = account("relayer")
SECRETS = (b"\x11" * 32, b"\x22" * 32)
LOCAL_SECRET = b"\x33" * 32
TIMES = sorted({S - 1000, *(t + d for t in (TAU - 160, TAU, D, E, T_B, T_A) for d in (-1, 0, 1))})
DELIVERED = (0, 150, 299, 700)
TERMINAL = (LockStatus.CLOSED, LockStatus.REFUSED)

sides = st.sampled_from(["a", "b"])
places = st.integers(0, 1)
delivered_wh = st.sampled_from(DELIVERED)


class TradeMachine(RuleBasedStateMachine):
    """A direct trade, a pooled one and an INTRA one, and everything anyone may send."""

    def open_world(self) -> TradeWorld:
        """The world to send messages in."""
        return TradeWorld()

    @initialize(stage=st.integers(0, 4), caps=st.tuples(*[st.sampled_from([1, 150, 300])] * 3))
    def open_markets(self, stage: int, caps: tuple[int, int, int]) -> None:
        """Begin anywhere: nothing sent, sent, received, locked, delivered."""
        world = self.world = self.open_world()
        self.orders: list[Order] = []
        direct = [
            (self.placed("ann", Side.BUY, 300), 300),
            (self.placed("bob", Side.SELL, 300, anchor=sha256(SECRETS[0])), 300),
        ]
        pooled_buys = [
            (self.placed(name, Side.BUY, wh), wh) for name, wh in (("amy", 401), ("abe", 299))
        ]
        pooled_sells = [
            (self.placed(name, Side.SELL, wh), wh) for name, wh in (("ben", 350), ("bea", 350))
        ]
        local_buys = [(self.placed(name, Side.BUY, 150), 150) for name in ("ann", "amy")]
        local_sells = [(self.placed("sol", Side.SELL, 300), 300)]
        self.positions: list[Position] = [
            world.position(direct[:1], direct[1:], SECRETS[0]),
            world.position(pooled_buys, pooled_sells, SECRETS[1]),
        ]
        self.local = world.local_position(local_buys, local_sells, preimage=LOCAL_SECRET)
        for each in self.positions:
            for ledger in (world.a, world.b):
                ledger.must("relayer", world.post_clearing(each.clearing))
        world.a.must("relayer", world.post_clearing(self.local.clearing))
        self.packets: dict[int, Packet] = {}
        self.answers: dict[int, Any] = {}
        self.ended: dict[bytes, LockRecord] = {}
        if stage >= 1:
            for place in (0, 1):
                self.send(place)
            self.open_local()
        if stage >= 2:
            for place in (0, 1):
                self.receive(place, True)
        if stage >= 3:
            self.apply_all(caps)
        if stage >= 4:
            for ledger in (world.a, world.b):
                ledger.now_s = E
                self.post_delivery("a" if ledger is world.a else "b", 299)

    def apply_all(self, caps: tuple[int, int, int]) -> None:
        world = self.world
        leaves = [
            world.leaf(
                self.positions[place], self.packets[place], cap_wh=caps[place], group=place + 1
            )
            for place in (0, 1)
        ]
        local = world.local_leaf(self.local, cap_wh=caps[2], group=3)
        world.a.now_s = world.b.now_s = TAU
        for place in (0, 1):
            message = world.apply_verdict([*leaves, local], [leaves[place]])
            self.note(place, self.run_on(world.b, "relayer", message))
        self.run_on(world.a, "relayer", world.apply_verdict([*leaves, local], [local]))

    def placed(self, name: str, side: Side, wh: int, **change: Any) -> Order:
        order = self.world.place(name, side, wh, **change)
        self.orders.append(order)
        return order

    def ledger(self, side: str) -> TradeLedger:
        return self.world.a if side == "a" else self.world.b

    def lock_ids(self) -> list[tuple[TradeLedger, bytes, bytes, bytes]]:
        """Ledger, lock, trade and secret of every lock there can be."""
        rows = []
        for position, secret in zip(self.positions, SECRETS, strict=True):
            trade_id = position.trade.trade_id
            rows.append((self.world.a, position.lock_in, trade_id, secret))
            rows.append((self.world.b, position.lock_out, trade_id, secret))
        rows.append((self.world.a, self.local.lock_id, self.local.trade.trade_id, LOCAL_SECRET))
        return rows

    def run_on(self, ledger: TradeLedger, name: str, *messages: object) -> TxResult:
        """Run, with conservation checked inside; a breakdown is never an answer."""
        result = ledger.run(name, *messages)
        assert result.codespace != PANIC_CODESPACE, result.log
        return result

    # --- time ---------------------------------------------------------------------------------

    @rule(steps=st.integers(1, 4))
    def time_goes_on(self, steps: int) -> None:
        for ledger in (self.world.a, self.world.b):
            later = [time for time in TIMES if time > ledger.now_s]
            if later:
                ledger.now_s = later[min(steps, len(later)) - 1]

    # --- sending and receiving ------------------------------------------------------------------

    @rule(place=places)
    def send(self, place: int) -> None:
        messages = self.world.send_messages(self.positions[place])
        for event in events(self.run_on(self.world.a, "cell a", *messages), "send_packet"):
            self.packets[place] = decode_packet(bytes.fromhex(event["encoded_packet_hex"]))

    @rule(place=places, is_evidence_true=st.booleans())
    def receive(self, place: int, is_evidence_true: bool) -> None:
        packet = self.packets.get(place)
        if packet is None or not self.is_committed(packet):
            return
        position = self.positions[place]
        if not is_evidence_true:
            position = replace(position, sells=())
        messages = self.world.receive_messages(position, packet)
        self.note(place, self.run_on(self.world.b, "relayer", *messages))

    def is_committed(self, packet: Packet) -> bool:
        from tieline.protocol.commitment import packet_commitment_key

        key = packet_commitment_key(packet.source_client, packet.sequence)
        return self.world.a.app.query(IBC, key) is not None

    def note(self, place: int, result: TxResult) -> None:
        if events(result, "write_acknowledgement"):
            self.world.note_answer(result)
            self.answers[place] = self.world.answer

    @rule()
    def open_local(self) -> None:
        cell = account("cell a")
        evidence = MsgTradeEvidence(cell, self.local.evidence)
        self.run_on(self.world.a, "cell a", evidence, MsgOpenLocal(cell, self.local.trade))

    @rule(place=places, cap=st.sampled_from([0, 1, 150, 300]))
    def verdict(self, place: int, cap: int) -> None:
        packet = self.packets.get(place)
        if packet is None:
            return
        change: dict[str, Any] = {"cap_wh": cap, "group": place + 1}
        if cap == 0:
            change = {"cap_wh": 0, "decision": 2, "reason": 2, "group": 0, "group_size": 0}
        leaves = [self.world.leaf(self.positions[place], packet, **change)]
        result = self.run_on(self.world.b, "relayer", self.world.apply_verdict(leaves))
        self.note(place, result)

    @rule(cap=st.sampled_from([1, 200, 300]))
    def local_verdict(self, cap: int) -> None:
        leaf = self.world.local_leaf(self.local, cap_wh=cap)
        self.run_on(self.world.a, "relayer", self.world.apply_verdict([leaf]))

    @rule(which=st.integers(0, 4))
    def expire(self, which: int) -> None:
        ledger, lock_id, _, _ = self.lock_ids()[which]
        result = self.run_on(ledger, "relayer", MsgExpirePending(RELAYER, lock_id))
        if which in (1, 3):
            self.note(which // 2, result)

    @rule(place=places)
    def acknowledge(self, place: int) -> None:
        answer, packet = self.answers.get(place), self.packets.get(place)
        if answer is not None and packet is not None:
            self.world.answer = answer
            self.world.acknowledge(packet, at=0)

    @rule(place=places)
    def time_out(self, place: int) -> None:
        packet = self.packets.get(place)
        if packet is None:
            return
        receipt = packet_receipt_key(packet.destination_client, packet.sequence)
        if self.world.b.app.query(IBC, receipt) is None:
            result = self.world.time_out(packet)
            assert result.codespace != PANIC_CODESPACE, result.log

    # --- exits ----------------------------------------------------------------------------------

    @rule(side=sides, wh=delivered_wh)
    def post_delivery(self, side: str, wh: int) -> None:
        rows = [(trade_id, wh) for _, _, trade_id, _ in self.lock_ids()[::2]]
        self.run_on(self.ledger(side), "relayer", self.world.delivery(rows))

    def leaf(self, trade_id: bytes, wh: int, index: int) -> Any:
        rows = [(each, wh) for _, _, each, _ in self.lock_ids()[::2]]
        return self.world.delivery_leaf(rows, trade_id, index)

    @rule(which=st.integers(0, 4), wh=delivered_wh, index=st.integers(0, 1), knows=st.booleans())
    def claim(self, which: int, wh: int, index: int, knows: bool) -> None:
        ledger, lock_id, trade_id, secret = self.lock_ids()[which]
        message = self.world.claim(lock_id, secret if knows else bytes(32), trade_id, wh)
        message = replace(message, delivery=self.leaf(trade_id, wh, index))
        result = self.run_on(ledger, "relayer", message)
        assert knows or not events(result, "claimed")

    @rule(which=st.integers(0, 4), wh=delivered_wh, name=st.sampled_from(["connector", "relayer"]))
    def waive(self, which: int, wh: int, name: str) -> None:
        ledger, lock_id, _, _ = self.lock_ids()[which]
        result = self.run_on(ledger, name, MsgWaive(account(name), lock_id, wh))
        assert name == "connector" or not events(result, "waived")

    @rule(which=st.integers(0, 4), leaves=st.lists(delivered_wh, max_size=2, unique=True))
    def refund(self, which: int, leaves: list[int]) -> None:
        ledger, lock_id, trade_id, _ = self.lock_ids()[which]
        proved = tuple(self.leaf(trade_id, wh, index) for index, wh in enumerate(leaves))
        self.run_on(ledger, "relayer", MsgRefund(RELAYER, lock_id, proved))

    @rule(which=st.integers(0, 2), start=st.integers(0, 1))
    def collect(self, which: int, start: int) -> None:
        ledger, lock_id, side, leaves = [
            (self.world.a, self.positions[1].lock_in, Side.BUY, self.positions[1].buys),
            (self.world.b, self.positions[1].lock_out, Side.SELL, self.positions[1].sells),
            (self.world.a, self.local.lock_id, Side.BUY, self.local.leaves),
        ][which]
        for own in leaves[start:]:
            message = MsgCollectShare(RELAYER, lock_id, side, own.allocation, own.proof)
            self.run_on(ledger, "relayer", message)

    @rule(which=st.integers(0, 8))
    def release(self, which: int) -> None:
        order = self.orders[which]
        ledger = self.world.ledger_of(order.chain_tag)
        self.run_on(ledger, "relayer", MsgReleaseOrder(RELAYER, order_id(order)))

    @rule(amount=st.sampled_from([1, 10**12, 10**15]))
    def withdraw(self, amount: int) -> None:
        connector = account("connector")
        self.run_on(self.world.b, "connector", MsgWithdraw(connector, amount))

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def locks_keep_their_word(self) -> None:
        if not hasattr(self, "positions"):
            return
        for ledger, lock_id, _, _ in self.lock_ids():
            value = ledger.app.query(TIELINE, lock_key(lock_id))
            if value is None:
                continue
            lock = decode_lock(value)
            assert lock.paid_wh + lock.refunded_wh + lock.open_wh == lock.energy_wh
            assert lock.paid_wh <= lock.cap_wh or lock.status is LockStatus.REFUSED
            if lock_id in self.ended:
                assert lock == self.ended[lock_id]
            if lock.status in TERMINAL:
                self.ended[lock_id] = lock

    @invariant()
    def money_is_conserved(self) -> None:
        if hasattr(self, "positions"):
            for ledger in (self.world.a, self.world.b):
                assert ledger.books().total == ledger.issued
