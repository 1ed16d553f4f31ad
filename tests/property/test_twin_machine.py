"""
Random messages in random order at the edges of every deadline, to ledger x in both languages:
after each they have answered alike and hold the same. From any stage of a slot on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
from fakes.trade_records import T_A, T_B, TAU, D, E, S
from fakes.twin.decisions import REFUSE
from fakes.twin.neighbour import SENTINEL, accepted
from fakes.twin.parties import CELL, account
from fakes.twin.rows import C, cancel, make_stages
from fakes.twin.scene import open_world
from fakes.twin.world import RELAYER, TwinWorld
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tieline.protocol.packet import Acknowledgement
from tieline.swap.messages import MsgDeposit, MsgReleaseOrder, MsgWithdraw
from tieline.swap.records import Side
from tieline.wire.typed_data import order_id

GATE, LOCK_DEADLINE = S - 900, TAU - 160
EDGES = (GATE, LOCK_DEADLINE, TAU, D, E, C, T_B, T_A)
TIMES = sorted({edge + offset for edge in EDGES for offset in (-1, 0, 1)})
STAGES = (
    "founded",
    "ordered",
    "sealed",
    "sent",
    "sent, reported",
    "locked",
    "delivered",
    "refused",
)
SOURCE, DEST, LOCAL = ("out", "out pooled"), ("in", "in pooled"), ("local", "local direct")
POOLS = (
    ("out pooled", Side.BUY),
    ("in pooled", Side.SELL),
    ("local", Side.BUY),
    ("local", Side.SELL),
    ("local direct", Side.SELL),
)
CAPS = (1, 150, 200)
DELIVERED = (0, 150, 199, 700)

sources, dests, locals_ = st.sampled_from(SOURCE), st.sampled_from(DEST), st.sampled_from(LOCAL)
judged = st.sampled_from((*DEST, *LOCAL))
deals = st.sampled_from((*SOURCE, *DEST, *LOCAL))
delivered_wh = st.sampled_from(DELIVERED)
caps = st.sampled_from(CAPS)
senders = st.sampled_from(("connector", "bob", "sue", CELL, "mallory"))


class TwinMachine(RuleBasedStateMachine):
    """What anyone may send, in any order."""

    scene: ClassVar[tuple[TwinWorld, dict[str, Any]] | None] = None

    @initialize(stage=st.sampled_from(STAGES))
    def begin(self, stage: str) -> None:
        """The scene is opened once; every example begins at one of its stages."""
        if TwinMachine.scene is None:
            world = open_world()
            TwinMachine.scene = world, make_stages(world)
        self.world, stages = TwinMachine.scene
        self.world.restore(stages[stage])

    # --- time ---------------------------------------------------------------------------------

    @rule(steps=st.integers(1, 4))
    def time_goes_on(self, steps: int) -> None:
        later = [time for time in TIMES if time > self.world.now_s]
        if later:
            self.world.now_s = later[min(steps, len(later)) - 1]

    # --- book ---------------------------------------------------------------------------------

    @rule(name=deals)
    def place(self, name: str) -> None:
        self.world.run("relayer", self.world.place(*self.world.orders[name]))

    @rule(name=deals, place=st.integers(0, 2), is_own=st.booleans())
    def cancel(self, name: str, place: int, is_own: bool) -> None:
        orders = self.world.orders[name]
        order = orders[place % len(orders)]
        signer = self.world.owners[order] if is_own else "mallory"
        self.world.run("relayer", cancel(self.world, order, signer))

    @rule(name=deals, place=st.integers(0, 2))
    def release(self, name: str, place: int) -> None:
        orders = self.world.orders[name]
        message = MsgReleaseOrder(RELAYER, order_id(orders[place % len(orders)]))
        self.world.run("relayer", message)

    @rule(name=deals)
    def seal(self, name: str) -> None:
        self.world.run("relayer", self.world.post_clearing(name))

    @rule(amount=st.sampled_from([1, 10**12, 10**15]), is_deposit=st.booleans())
    def move_money(self, amount: int, is_deposit: bool) -> None:
        kind = MsgDeposit if is_deposit else MsgWithdraw
        self.world.run("connector", kind(account("connector"), amount))

    @rule(nonce=st.integers(1, 3), expiry=st.sampled_from([0, TAU, T_A * 2]))
    def mandate(self, nonce: int, expiry: int) -> None:
        self.world.run("connector", self.world.book.mandate(nonce=nonce, expiry=expiry))

    # --- packets ------------------------------------------------------------------------------

    @rule(name=sources, timeout=st.sampled_from([TAU, TAU, TAU, TAU + 1]))
    def send(self, name: str, timeout: int) -> None:
        self.world.run(CELL, *self.world.send(name, timeout))

    @rule(name=locals_)
    def open_local(self, name: str) -> None:
        self.world.run(CELL, *self.world.open(name))

    @rule(name=dests, is_true=st.booleans())
    def receive(self, name: str, is_true: bool) -> None:
        messages = self.world.receive(name)
        if not is_true:
            spoiled = replace(messages[1].evidence, own_leaves=())
            messages[1] = replace(messages[1], evidence=spoiled)
        self.world.run("relayer", *messages)

    @rule(name=sources, cap=st.sampled_from([0, 1, 150, 700]), kind=st.sampled_from("sgx"))
    def acknowledge(self, name: str, cap: int, kind: str) -> None:
        if name not in self.world.memory.packets:
            return
        answers = {"s": accepted(self.world.deals[name].wire, cap), "g": Acknowledgement((b"?",))}
        self.world.run("relayer", *self.world.acknowledge(name, answers.get(kind, SENTINEL)))

    @rule(name=sources, offset=st.integers(-1, 1))
    def time_out(self, name: str, offset: int) -> None:
        packet = self.world.memory.packets.get(name)
        neighbour = self.world.neighbour
        if packet is not None and neighbour.time_s <= TAU + offset <= self.world.now_s + 15:
            self.world.run("relayer", *neighbour.time_out(packet, TAU + offset))

    # --- decisions ----------------------------------------------------------------------------

    def leaf(self, name: str, cap: int, group: int) -> Any:
        packet = self.world.memory.packets.get(name)
        if packet is None and name in DEST:
            return None
        change = REFUSE if cap == 0 else {"cap_wh": cap, "group": group}
        return self.world.council.leaf(self.world.deals[name], packet, **change)

    @rule(name=judged, cap=st.sampled_from([0, 1, 200, 701]), signers=st.integers(2, 4))
    def judge(self, name: str, cap: int, signers: int) -> None:
        leaf = self.leaf(name, cap, 1)
        if leaf is not None:
            names = self.world.cells.names[:signers]
            self.world.run("relayer", self.world.council.apply([leaf], names=names))

    @rule(first=judged, second=judged, cap=caps, is_brought=st.booleans())
    def judge_a_group(self, first: str, second: str, cap: int, is_brought: bool) -> None:
        leaves = [self.leaf(name, cap, 2) for name in dict.fromkeys((first, second))]
        if all(leaves):
            whole = [replace(leaf, group_size=len(leaves)) for leaf in leaves]
            message = self.world.council.apply(whole, is_brought=is_brought)
            self.world.run("relayer", message)

    @rule(name=deals)
    def expire(self, name: str) -> None:
        self.world.run("relayer", self.world.council.expire(self.world.deals[name]))

    # --- exits --------------------------------------------------------------------------------

    def report(self, wh: int) -> list[tuple[Any, int]]:
        return [(deal, wh) for deal in self.world.deals.values()]

    @rule(wh=delivered_wh, signers=st.integers(2, 4))
    def state(self, wh: int, signers: int) -> None:
        names = self.world.cells.names[-signers:]
        self.world.run("relayer", self.world.council.statement(self.report(wh), names=names))

    @rule(name=deals, wh=delivered_wh, index=st.integers(0, 1), knows=st.booleans())
    def claim(self, name: str, wh: int, index: int, knows: bool) -> None:
        deal, council = self.world.deals[name], self.world.council
        leaf = council.delivered(self.report(wh), deal, index)
        self.world.run("relayer", council.claim(deal, leaf, deal.preimage if knows else bytes(32)))

    @rule(name=deals, wh=st.sampled_from([0, 1, 150, 200]), sender=senders, is_own=st.booleans())
    def waive(self, name: str, wh: int, sender: str, is_own: bool) -> None:
        deal, council = self.world.deals[name], self.world.council
        payee = council.payee_of(deal) if is_own else sender
        self.world.run(payee, council.waive(deal, wh, payee))

    @rule(name=deals, shown=st.lists(delivered_wh, max_size=2, unique=True))
    def refund(self, name: str, shown: list[int]) -> None:
        deal, council = self.world.deals[name], self.world.council
        leaves = [council.delivered(self.report(wh), deal, index) for index, wh in enumerate(shown)]
        self.world.run("relayer", council.refund(deal, leaves))

    @rule(pool=st.sampled_from(POOLS), start=st.integers(0, 1))
    def collect(self, pool: tuple[str, Side], start: int) -> None:
        name, side = pool
        deal, council = self.world.deals[name], self.world.council
        for place in range(start, len(council.leaves_of(deal, side))):
            self.world.run("relayer", council.share(deal, side, place))


class LongTwinMachine(TwinMachine):
    """The same for longer."""


WITHOUT_SHRINKING = [Phase.explicit, Phase.reuse, Phase.generate]
"""A step takes milliseconds, and shrinking takes thousands of them."""
TwinMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, phases=WITHOUT_SHRINKING
)
LongTwinMachine.TestCase.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, phases=WITHOUT_SHRINKING
)
test_random_messages_meet_the_same_end_in_both_languages = TwinMachine.TestCase
test_many_random_messages_meet_the_same_end = pytest.mark.slow(LongTwinMachine.TestCase)


def test_a_claim_that_ends_its_lock_brings_its_bond_once() -> None:
    """The end of the lock is told before the claim; an index must not return the bond for both."""
    machine = TwinMachine()
    machine.begin(stage="locked")
    machine.state(signers=3, wh=700)
    machine.claim(index=0, knows=True, name="in", wh=700)
