"""A ledger in real time gets its time from who waits for one, and two who do so do no harm."""

from __future__ import annotations

import logging

import pytest
from fakes.driven import finish
from fakes.microgrid import key, pay
from fakes.scripted_fabric import START_S, ScriptedFabric, ScriptedPort

from tieline.interfaces.errors import Rejected
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.port import InvocationRefused
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.protocol.errors import ClientRefused
from tieline.wire.fabric.invocations import InvocationRefusal, encode_refusal

IDLE_S = FabricSettings().idle_tick_s


class World:
    """A channel, and this computer's clock beside that of the peers."""

    def __init__(self):
        self.fabric = ScriptedFabric()
        self.ahead_s = 0
        """How far this computer's clock is ahead of the peers'."""

    def ledger(self):
        port = ScriptedPort(self.fabric)
        ledger = FabricLedger(port, wall_s=lambda: self.fabric.now_s + self.ahead_s)
        ledger.add_lane("relayer", key("relayer"))
        finish(ledger.read_on())
        return ledger, port

    def pass_s(self, seconds, *ledgers):
        self.fabric.now_s += seconds
        for ledger in ledgers:
            finish(ledger.read_on())
        self.fabric.cut()
        for ledger in ledgers:
            finish(ledger.read_on())


@pytest.fixture
def world():
    return World()


def ticks(port):
    return [args for args in port.asked if args[0] == b"Tick"]


def test_what_was_written_is_made_provable_once_fifteen_seconds_have_gone_by(world):
    ledger, port = world.ledger()
    finish(ledger.submit("relayer", [pay("relayer", "cell", 1)]))
    world.pass_s(10, ledger)
    assert ticks(port) == []
    assert not finish(ledger.is_idle())
    world.pass_s(5, ledger)
    assert len(ticks(port)) == 1
    assert finish(ledger.latest_time_s()) == START_S + 15
    assert finish(ledger.is_idle())
    newest = finish(ledger.blocks_after(0))[-1]
    assert newest.is_provable


def test_without_a_reason_the_clock_stands_still_for_a_while(world):
    ledger, port = world.ledger()
    world.pass_s(IDLE_S - 1, ledger)
    assert ticks(port) == []
    world.pass_s(1, ledger)
    assert len(ticks(port)) == 1


def test_the_clock_passes_an_instant_that_somebody_waits_for(world):
    ledger, port = world.ledger()
    ledger.want_time(START_S + 20)
    ledger.want_time(START_S + 21)
    world.pass_s(19, ledger)
    assert ticks(port) == []
    world.pass_s(1, ledger)
    assert finish(ledger.latest_time_s()) == START_S + 20
    world.pass_s(14, ledger)
    assert finish(ledger.latest_time_s()) == START_S + 20
    world.pass_s(1, ledger)
    assert finish(ledger.latest_time_s()) == START_S + 35
    assert len(ticks(port)) == 2


class RefusingPort(ScriptedPort):
    """Its contract's clients take no header: their clock has stood still for too long."""

    async def endorse(self, args):
        if args[0] != b"Submit":
            return await super().endorse(args)
        kind = (ClientRefused.codespace, ClientRefused.code)
        raise InvocationRefused(
            500, encode_refusal(InvocationRefusal(*kind, "header is from the future"))
        )


def test_a_header_from_a_clock_ahead_makes_the_own_clock_tick(world):
    port = RefusingPort(world.fabric)
    ledger = FabricLedger(port, wall_s=lambda: world.fabric.now_s)
    ledger.add_lane("relayer", key("relayer"))
    finish(ledger.read_on())
    world.pass_s(20, ledger)
    assert ticks(port) == []
    with pytest.raises(Rejected):
        finish(ledger.submit("relayer", [pay("relayer", "cell", 1)]))
    world.pass_s(1, ledger)
    assert finish(ledger.latest_time_s()) == START_S + 21
    assert len(ticks(port)) == 1


def test_of_two_that_hand_in_a_tick_one_wins_and_the_other_hears_nothing(world, caplog):
    (here, _), (there, _) = world.ledger(), world.ledger()
    for ledger in (here, there):
        ledger.want_time(START_S + 15)
    world.fabric.now_s += 15
    with caplog.at_level(logging.INFO):
        for ledger in (here, there):
            finish(ledger.read_on())
        assert len(world.fabric.waiting) == 2
        world.pass_s(1, here, there)
        world.pass_s(1, here, there)
    assert finish(here.latest_time_s()) == START_S + 15
    assert here.under_way == there.under_way == 0
    assert caplog.messages == []


@pytest.mark.parametrize("ahead_s", [300, -300])
def test_a_clock_that_is_off_by_minutes_is_said_with_the_cure(world, caplog, ahead_s):
    ledger, port = world.ledger()
    world.fabric.now_s += 600
    world.ahead_s = ahead_s
    finish(ledger.submit("relayer", [pay("relayer", "cell", 1)]))
    with caplog.at_level(logging.WARNING):
        finish(ledger.read_on())
    assert len(ticks(port)) == 1
    (said,) = caplog.messages
    assert "within 30 s of the endorser's clock" in said
    assert "set this computer's or theirs by NTP" in said
    assert ledger.under_way == 1, "the payment goes on; only time does not"


def test_a_ledger_on_somebody_elses_clock_hands_in_no_tick():
    fabric = ScriptedFabric()
    port = ScriptedPort(fabric)
    ledger = FabricLedger(port)
    ledger.want_time(START_S + 15)
    fabric.now_s += 1000
    finish(ledger.read_on())
    assert ticks(port) == []


def test_one_tick_waits_for_orderers_that_are_down_for_long(world):
    """One a second was under way before, and each was looked at again when they were back."""
    ledger, port = world.ledger()
    finish(ledger.submit("relayer", [pay("relayer", "cell", 1)]))
    world.pass_s(1, ledger)
    port.loses = [False] * 1000
    for _ in range(120):
        world.pass_s(1, ledger)
    assert ledger.under_way == 1
    assert len(ticks(port)) == 1
    port.loses = []
    ledger._submitter._monotonic = lambda: 1e12
    world.pass_s(1, ledger)
    world.pass_s(1, ledger)
    assert finish(ledger.latest_time_s()) >= world.fabric.now_s - 1
    assert ledger.under_way == 0
