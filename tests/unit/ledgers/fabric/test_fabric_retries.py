"""Which end of a proposal is the end of a transaction on Fabric, and which one is none."""

from __future__ import annotations

import math

import pytest
from fakes.driven import finish
from fakes.microgrid import key, pay
from fakes.scripted_fabric import ScriptedFabric, ScriptedPort

from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.port import Validation
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.wire.codec import build_transaction
from tieline.wire.fabric.blocks import Block

QUICK = FabricSettings(tries_max=4, differ_max=4, poll_s=0.0, again_s=math.inf)
LOST = Validation.MVCC_READ_CONFLICT


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def fabric():
    return ScriptedFabric()


@pytest.fixture
def clock():
    return Clock()


def ledger_on(port, settings=QUICK, clock=None):
    """A process of its own on the channel."""
    ledger = FabricLedger(port, settings, monotonic=clock or Clock())
    for name in ("relayer", "cell", *(f"household {n}" for n in range(1, 4))):
        ledger.add_lane(name, key(name))
    finish(ledger.read_on())
    return ledger


def send(ledger, sender, recipient, amount=5):
    return finish(ledger.submit(sender, [pay(sender, recipient, amount)])).tx_hash


def overtake(fabric, there, amount):
    """Let a payment of another process come first that what waits conflicts with."""
    ours, fabric.waiting = fabric.waiting, []
    send(there, "household 1", "cell", amount)
    fabric.waiting += ours
    fabric.cut()
    finish(there.read_on())


def codes_in(fabric):
    return [list(Block.decode(raw).transactions_filter) for raw in fabric.blocks]


def told_of(fabric, ledger, tx_hash):
    """What observers are told of one transaction, a block later."""
    fabric.tick()
    return [
        (one.codespace, one.code)
        for block in finish(ledger.blocks_after(0))
        for one in block.transactions
        if one.tx_hash == tx_hash
    ]


def test_a_second_copy_of_an_envelope_that_lost_does_not_end_its_transaction(fabric, clock):
    """Its code says that it is a duplicate; the transaction lost, and goes on."""
    port = ScriptedPort(fabric)
    here = ledger_on(port, FabricSettings(again_s=3.0), clock)
    there = ledger_on(ScriptedPort(fabric))
    port.loses = [True, True]
    sent = send(here, "relayer", "cell")
    clock.now += 4
    finish(here.read_on())
    overtake(fabric, there, 1)
    assert codes_in(fabric)[-1] == [0, LOST, Validation.DUPLICATE_TXID]
    finish(here.read_on())
    fabric.cut()
    assert told_of(fabric, here, sent) == [("", 0)]
    assert here.under_way == 0


def test_what_no_other_proposal_could_mend_fails_at_once(fabric):
    port = ScriptedPort(fabric)
    ledger = ledger_on(port)
    sent = send(ledger, "relayer", "cell")
    asked = len(port.asked)
    fabric.cut()
    block = Block.decode(fabric.blocks[-1])
    codes = bytes([Validation.BAD_CREATOR_SIGNATURE])
    metadata = (*block.metadata[:2], codes, *block.metadata[3:])
    fabric.blocks[-1] = Block(block.header, block.data, metadata).encode()
    finish(ledger.read_on())
    assert len(port.asked) == asked
    assert ledger.under_way == 0
    assert told_of(fabric, ledger, sent) == [("fabric", Validation.BAD_CREATOR_SIGNATURE)]


def test_who_loses_while_others_of_the_same_process_land_keeps_its_tries(fabric):
    """The process gets on; it is they who are in the way, one after the other."""
    here, there = ledger_on(ScriptedPort(fabric)), ledger_on(ScriptedPort(fabric))
    lost = send(here, "relayer", "cell", 1)
    for amount in range(1, QUICK.tries_max + 3):
        send(here, "household 2", "household 2", amount)
        overtake(fabric, there, amount)
        assert codes_in(fabric)[-1].count(LOST) == 1
        finish(here.read_on())
    assert here.under_way == 1
    fabric.cut()
    assert told_of(fabric, here, lost) == [("", 0)]


def raw_payment():
    """A transaction that any process can hand in."""
    payer = key("relayer")
    return build_transaction([pay("relayer", "cell", 3)], payer, "lab", 0, 7, gas_limit=10**8)


def test_a_proposal_of_somebody_else_for_the_same_transaction_may_lose_and_ours_still_waits(fabric):
    port = ScriptedPort(fabric)
    here, there = ledger_on(port), ledger_on(ScriptedPort(fabric))
    port.loses = [False]
    finish(here.broadcast(raw_payment()))
    finish(there.broadcast(raw_payment()))
    asked = len(port.asked)
    overtake(fabric, ledger_on(ScriptedPort(fabric)), 1)
    assert codes_in(fabric)[-1] == [0, LOST]
    finish(here.read_on())
    assert len(port.asked) == asked, "nothing is known of ours, so no other takes its place"
    assert here.under_way == 1


class ScriptedWithMore(ScriptedPort):
    """Does something before it answers the next proposal."""

    before = None

    async def endorse(self, args):
        do, self.before = self.before, None
        if do:
            do()
        return await super().endorse(args)


def test_what_somebody_else_carried_into_a_block_meanwhile_has_landed(fabric):
    """The peer knows more than we have read; what it refuses as done is no refusal."""
    port = ScriptedWithMore(fabric)
    here, there = ledger_on(port), ledger_on(ScriptedPort(fabric))
    sent = finish(here.broadcast(raw_payment())).tx_hash
    overtake(fabric, ledger_on(ScriptedPort(fabric)), 1)
    finish(there.read_on())
    finish(there.broadcast(raw_payment()))
    port.before = fabric.cut
    finish(here.read_on())
    assert codes_in(fabric)[-2:] == [[0, LOST], [0]]
    assert told_of(fabric, here, sent) == [("", 0)]
    assert here.under_way == 0


def test_a_taken_nonce_is_passed_over_though_others_are_under_way(fabric):
    """The same payment of two processes of one account is two payments."""
    here, there = ledger_on(ScriptedPort(fabric)), ledger_on(ScriptedPort(fabric))
    first = send(here, "relayer", "cell", 7)
    fabric.cut()
    send(there, "household 2", "household 2", 1)
    second = send(there, "relayer", "cell", 7)
    assert second != first
    fabric.cut()
    finish(there.read_on())
    fabric.cut()
    assert [told_of(fabric, there, one) for one in (first, second)] == [[("", 0)]] * 2


def test_peers_that_keep_disagreeing_on_what_lost_have_some_time_and_then_it_fails(fabric, clock):
    """However often they are asked in it: a peer that is a block behind may need a moment."""
    settings = FabricSettings(differ_max=4, poll_s=10.0, again_s=math.inf)
    port = ScriptedPort(fabric)
    here, there = ledger_on(port, settings, clock), ledger_on(ScriptedPort(fabric))
    sent = send(here, "relayer", "cell")
    overtake(fabric, there, 1)
    port.differs = 10**6
    for _ in range(settings.differ_max):
        assert here.under_way == 1
        clock.now += 10
        for _ in range(5):
            finish(here.read_on())
    assert here.under_way == 0
    assert told_of(fabric, here, sent) == [("fabric", LOST)]
