"""
Transfers and trades with stock chains in any order, with clients that die and chains that refuse
for reasons of their own: every token is somewhere, every voucher has its escrow, and what is owed
is owed to the one it was meant for.

Whoever runs it says in which world.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fakes.light_client import prove
from fakes.trade_records import T_A, T_B, TAU, D, E
from fakes.trade_world import TradeLedger, account, events
from fakes.transfer_world import (
    HOME,
    RELAYER,
    SECRET,
    TransferWorld,
    escrowed,
    owed_on,
    sent_packets,
    supply_of,
    text,
    written_answer,
)
from tieline.contract.keys import lock_key
from tieline.contract.records import LockRecord, decode_lock
from tieline.contract.results import TxResult
from tieline.contract.runner import PANIC_CODESPACE
from tieline.contract.store import IBC, TIELINE
from tieline.contract.transfer_moves import MODULE_TEXT
from tieline.protocol import commitment
from tieline.protocol.messages import AcknowledgePacket
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.lock import LockStatus
from tieline.swap.messages import (
    MsgExpirePending,
    MsgRefund,
    MsgRetryOwed,
    MsgTakeOwed,
    MsgTradeEvidence,
    MsgWaive,
)
from tieline.swap.records import Side
from tieline.wire.transfer_data import decode_transfer_data

ANN, BOB = account("ann"), account("bob")
SENTINEL = Acknowledgement((commitment.ERROR_ACKNOWLEDGEMENT,))
WH = 300
TIMES = sorted(
    {TAU - 60, *(t + d for t in (TAU, D, E, T_B, T_A, T_A + 3600) for d in (-1, 0, 1)), T_A + 9000}
)
DELIVERED = (0, 150, 299, 700)
sides = st.sampled_from(["a", "b"])
wishes = st.sampled_from(["ann", "bob", "relayer", "ben", "amy", "cell a", "cell b"])


def data_of(packet: Packet) -> Any:
    return decode_transfer_data(packet.payloads[0].value, packet.payloads[0].encoding)


class TransferMachine(RuleBasedStateMachine):
    """X1 with ann on a paying bob on b, X2 with ann on a paying bob on b, and plain transfers."""

    def open_world(self) -> TransferWorld:
        """The world to send messages in."""
        return TransferWorld()

    @initialize(stage=st.integers(0, 6), cap=st.sampled_from([1, 150, WH]))
    def open_markets(self, stage: int, cap: int) -> None:
        """Begin anywhere: nothing paid, pending, locked, claimed, ended, owed, sent again."""
        world = self.world = self.open_world()
        self.home = world.buyer_abroad(wh=WH)
        self.away = world.seller_abroad(wh=WH)
        self.flying: dict[str, list[Packet]] = {"a": [], "b": []}
        self.answers: dict[tuple[str, int], Acknowledgement] = {}
        self.kept: dict[int, Packet] = {}
        self.arrived = {"a": 0, "b": 0}
        """What exits brought to their owners: bob on b (sent by a), ann on a (sent by b)."""
        self.taken = {"a": 0, "b": 0}
        self.posted: dict[str, list[int]] = {"a": [], "b": []}
        self.dead: set[str] = set()
        """Ledgers whose client is frozen: nothing can be proved to them any more."""
        for ledger in (world.a, world.b):
            ledger.now_s = TAU - 60
            for position in (self.home, self.away):
                ledger.must("relayer", world.post_clearing(position.clearing))
        steps = (
            self.make_pending,
            lambda: self.make_locked(cap),
            self.make_claimed,
            lambda: self.make_ended(T_A),
            lambda: self.both(lambda side: self.refuse_by_force(side, 0)),
            lambda: self.both(lambda side: self.retry(side, "relayer")),
        )
        for step in steps[:stage]:
            step()

    def both(self, act: Callable[[str], None]) -> None:
        for side in ("a", "b"):
            act(side)

    def make_pending(self) -> None:
        self.pay()
        self.receive_payment(is_evidence_true=True)
        self.open_abroad()

    def make_locked(self, cap: int) -> None:
        self.world.a.now_s = self.world.b.now_s = TAU
        self.both(lambda side: self.verdict(side, cap))

    def make_claimed(self) -> None:
        self.world.a.now_s = self.world.b.now_s = E
        self.both(lambda side: self.post_delivery(side, 140))
        self.both(lambda side: self.claim(side, 0))

    def make_ended(self, at: int) -> None:
        self.world.a.now_s = self.world.b.now_s = at
        self.both(self.refund)

    # --- what is where ----------------------------------------------------------------------------

    def ledger(self, side: str) -> TradeLedger:
        return self.world.a if side == "a" else self.world.b

    def lock_id(self, side: str) -> bytes:
        world = self.world
        return world.abroad_lock(self.away) if side == "a" else world.home_lock(self.home)

    def trade_id(self, side: str) -> bytes:
        return (self.away if side == "a" else self.home).trade.trade_id

    def lock(self, side: str) -> LockRecord | None:
        value = self.ledger(side).app.query(TIELINE, lock_key(self.lock_id(side)))
        return None if value is None else decode_lock(value)

    def run_on(self, side: str, name: str, *messages: object) -> TxResult:
        """Run, with conservation checked inside; note packets and answers."""
        result = self.ledger(side).run(name, *messages)
        assert result.codespace != PANIC_CODESPACE, result.log
        if result.code == 0:
            self.flying[side] += sent_packets(result)
            for event in events(result, "write_acknowledgement"):
                sequence = int(event["packet_sequence"])
                self.answers[side, sequence] = written_answer(result)
        return result

    # --- time and transfers -----------------------------------------------------------------------

    @rule(steps=st.integers(1, 5))
    def time_goes_on(self, steps: int) -> None:
        later = [time for time in TIMES if time > self.world.a.now_s]
        if later:
            self.world.a.now_s = self.world.b.now_s = later[min(steps, len(later)) - 1]

    @rule(side=sides, amount=st.sampled_from([1, 10**6]), is_home=st.booleans())
    def transfer(self, side: str, amount: int, is_home: bool) -> None:
        name, receiver = ("ann", text("bob")) if side == "a" else ("bob", text("ann"))
        denom = HOME.name if is_home else "neur"
        message = self.world.transfer(self.ledger(side), name, amount, receiver, denom=denom)
        self.run_on(side, name, message)

    @rule(side=sides, place=st.integers(0, 3))
    def deliver(self, side: str, place: int) -> None:
        """Bring a packet that *side* sent to the other; a conditional one without evidence."""
        packets = self.flying[side]
        if place < len(packets) and self.is_committed(side, packets[place]):
            self.receive("b" if side == "a" else "a", packets[place])

    def receive(self, side: str, packet: Packet, *before: object) -> None:
        if side in self.dead:
            return
        known = (side, packet.sequence) in self.answers
        message = self.world.recv_message(self.ledger(side), packet)
        result = self.run_on(side, "relayer", *before, message)
        answer = self.answers.get((side, packet.sequence))
        if result.code or known or answer is None or answer == SENTINEL:
            return
        data = data_of(packet)
        if data.sender == MODULE_TEXT:
            self.arrived[side] += data.amount

    def is_committed(self, side: str, packet: Packet) -> bool:
        key = commitment.packet_commitment_key(packet.source_client, packet.sequence)
        return self.ledger(side).app.query(IBC, key) is not None

    @rule(side=sides, place=st.integers(0, 3))
    def acknowledge(self, side: str, place: int) -> None:
        packets = self.flying[side]
        if place >= len(packets) or side in self.dead:
            return
        packet = packets[place]
        answer = self.answers.get(("b" if side == "a" else "a", packet.sequence))
        if answer is not None:
            result = self.world.answer_to(self.ledger(side), packet, answer)
            assert result.codespace != PANIC_CODESPACE, result.log

    @rule(side=sides, place=st.integers(0, 3))
    def refuse_by_force(self, side: str, place: int) -> None:
        """The chain at the other end refuses an exit for a reason of its own."""
        packets = [each for each in self.flying[side] if data_of(each).sender == MODULE_TEXT]
        other = "b" if side == "a" else "a"
        if place >= len(packets) or (other, packets[place].sequence) in self.answers:
            return
        if side in self.dead:
            return
        packet, ledger = packets[place], self.ledger(side)
        height = ledger.update_client(self.ledger(other))
        key = commitment.acknowledgement_key(packet.destination_client, packet.sequence)
        value = commitment.commit_acknowledgement(SENTINEL)
        proof = prove(height.revision_height, (b"ibc", key), value)
        message = AcknowledgePacket(RELAYER, packet, SENTINEL, proof, height)
        self.run_on(side, "relayer", message)

    @rule(side=sides, place=st.integers(0, 3))
    def time_out(self, side: str, place: int) -> None:
        packets, other = self.flying[side], self.ledger("b" if side == "a" else "a")
        if place >= len(packets) or side in self.dead:
            return
        packet = packets[place]
        receipt = commitment.packet_receipt_key(packet.destination_client, packet.sequence)
        if other.app.query(IBC, receipt) is None and other.now_s >= packet.timeout_s:
            result = self.world.expire(self.ledger(side), packet)
            assert result.codespace != PANIC_CODESPACE, result.log

    @rule(side=sides)
    def freeze(self, side: str) -> None:
        """Only late: a dead client stops nearly all else."""
        if self.world.a.now_s > T_B and side not in self.dead:
            self.world.freeze(self.ledger(side))
            self.dead.add(side)

    # --- the trades -------------------------------------------------------------------------------

    @rule()
    def pay(self) -> None:
        if self.world.a.now_s < TAU:
            result = self.run_on("a", "ann", self.world.payment(self.home))
            for packet in sent_packets(result):
                self.kept[packet.sequence] = packet

    @rule(is_evidence_true=st.booleans())
    def receive_payment(self, is_evidence_true: bool) -> None:
        for packet in self.kept.values():
            if self.is_committed("a", packet):
                evidence = self.home.evidence(Side.SELL if is_evidence_true else Side.BUY)
                self.receive("b", packet, MsgTradeEvidence(RELAYER, evidence))

    @rule()
    def open_abroad(self) -> None:
        now_s = self.world.a.now_s
        self.world.open_abroad(self.away, at=now_s)

    @rule(side=sides, cap=st.sampled_from([0, 1, 150, WH]))
    def verdict(self, side: str, cap: int) -> None:
        change: dict[str, Any] = {"cap_wh": cap}
        if cap == 0:
            change = {"cap_wh": 0, "decision": 2, "reason": 2, "group": 0, "group_size": 0}
        if side == "a":
            leaves = [self.world.abroad_leaf(self.away, **change)]
        elif self.kept:
            packet = next(iter(self.kept.values()))
            leaves = [self.world.leaf(self.home, packet, **change)]
        else:
            return
        self.run_on(side, "relayer", self.world.apply_verdict(leaves))

    @rule(side=sides)
    def expire_pending(self, side: str) -> None:
        self.run_on(side, "relayer", MsgExpirePending(RELAYER, self.lock_id(side)))

    @rule(side=sides, wh=st.sampled_from(DELIVERED))
    def post_delivery(self, side: str, wh: int) -> None:
        result = self.run_on(side, "relayer", self.world.delivery([(self.trade_id(side), wh)]))
        if events(result, "delivery_posted"):
            self.posted[side].append(wh)

    @rule(side=sides, index=st.integers(0, 2))
    def claim(self, side: str, index: int) -> None:
        trade_id, posted = self.trade_id(side), self.posted[side]
        wh = posted[index] if index < len(posted) else 299
        leaf = self.world.delivery_leaf([(trade_id, wh)], trade_id, index)
        self.run_on(side, "relayer", self.world.claim_of(self.lock_id(side), SECRET, leaf))

    @rule(side=sides)
    def refund(self, side: str) -> None:
        self.run_on(side, "relayer", MsgRefund(RELAYER, self.lock_id(side)))

    @rule(wh=st.sampled_from([0, 100]))
    def waive(self, wh: int) -> None:
        self.run_on("b", "bob", MsgWaive(BOB, self.lock_id("b"), wh))

    @rule(side=sides, name=wishes)
    def retry(self, side: str, name: str) -> None:
        for who, owed_id in owed_on(self.ledger(side)):
            self.run_on(side, name, MsgRetryOwed(account(name), who, owed_id))

    @rule(side=sides, name=wishes)
    def take(self, side: str, name: str) -> None:
        for (who, owed_id), record in owed_on(self.ledger(side)).items():
            self.run_on(side, name, MsgTakeOwed(account(name), owed_id))
            if (who, owed_id) not in owed_on(self.ledger(side)):
                assert account(name) == who
                self.taken[side] += record.amount

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def what_is_owed_is_owed_to_its_owner(self) -> None:
        if not hasattr(self, "home"):
            return
        for side, owner in (("a", BOB), ("b", ANN)):
            assert {who for who, _ in owed_on(self.ledger(side))} <= {owner}

    @invariant()
    def every_wh_that_ended_is_on_its_way_to_its_owner(self) -> None:
        """Paid on a is bob's, refunded on b is ann's: arrived, flying, owed or taken; no more."""
        if not hasattr(self, "home"):
            return
        for side, other in (("a", "b"), ("b", "a")):
            lock = self.lock(side)
            due = 0
            if lock is not None and lock.status is not LockStatus.REFUSED:
                due = (lock.paid_wh if side == "a" else lock.refunded_wh) * lock.price
            flying = sum(
                data_of(each).amount
                for each in self.flying[side]
                if data_of(each).sender == MODULE_TEXT
                and self.is_committed(side, each)
                and (other, each.sequence) not in self.answers
            )
            owed = sum(record.amount for record in owed_on(self.ledger(side)).values())
            # An exit that was refused is in flight until the answer is here.
            refused = sum(
                data_of(each).amount
                for each in self.flying[side]
                if data_of(each).sender == MODULE_TEXT
                and self.answers.get((other, each.sequence)) == SENTINEL
                and self.is_committed(side, each)
            )
            assert due == self.arrived[other] + flying + refused + owed + self.taken[side]

    @invariant()
    def every_voucher_has_its_escrow(self) -> None:
        if hasattr(self, "home"):
            world = self.world
            assert escrowed(world.a) >= supply_of(world.b)
            assert escrowed(world.b) >= supply_of(world.a)

    @invariant()
    def tokens_are_conserved(self) -> None:
        if hasattr(self, "home"):
            for ledger in (self.world.a, self.world.b):
                books = ledger.books()
                assert books.total == ledger.issued
                assert books.are_vouchers_conserved
