"""Several peers of a channel: who is asked, who is not, and what an operator is told."""

from __future__ import annotations

import asyncio

import pytest
from fakes.driven import finish
from fakes.microgrid import key, pay
from fakes.scripted_fabric import ScriptedFabric, ScriptedPort

from tieline.interfaces.errors import ConfigError, Contradicted, Unavailable
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.peer_look import look_at
from tieline.ledgers.fabric.peers import PeerPorts
from tieline.ledgers.fabric.port import EndorsementsDiffer


@pytest.fixture
def fabric():
    return ScriptedFabric()


def two(fabric):
    one, other = ScriptedPort(fabric, "one"), ScriptedPort(fabric, "other")
    return one, other, PeerPorts([one, other])


def aside(ports):
    return {one.address: one.reason for one in ports.states() if one.is_aside}


def begun_anew():
    """A channel of the same name, with another block 0."""
    reset = ScriptedFabric(is_begun=False)
    reset.blocks.clear()
    reset._append([b"another genesis"], b"\0")
    reset._define(1)
    return reset


def test_another_peer_is_asked_when_one_is_down(fabric):
    one, _, ports = two(fabric)
    ledger = FabricLedger(ports)
    ledger.add_lane("relayer", key("relayer"))
    height = finish(ledger.latest_height())
    one.is_down = True
    finish(ledger.submit("relayer", [pay("relayer", "cell", 1)]))
    fabric.cut()
    assert finish(ledger.latest_height()) == height + 1
    assert ports.name == "other"


def test_a_peer_that_is_behind_is_not_asked_first(fabric):
    one, _, ports = two(fabric)
    one.lag = 3
    finish(ports.look_round())
    assert finish(ports.height()) == len(fabric.blocks) - 1


def test_all_down_is_said_and_nobody_is_put_aside(fabric):
    one, other, ports = two(fabric)
    one.is_down = other.is_down = True
    with pytest.raises(Unavailable, match="no answer"):
        finish(ports.height())
    other.is_down = False
    assert finish(ports.height()) == len(fabric.blocks) - 1


def test_a_peer_of_another_channel_of_that_name_is_put_aside(fabric):
    ports = PeerPorts([ScriptedPort(fabric, "right"), ScriptedPort(begun_anew(), "wrong")])
    finish(ports.height())
    finish(ports.look_round())
    assert "begun anew" in aside(ports)["wrong"]
    assert "name a peer" in aside(ports)["wrong"]


class FarPort(ScriptedPort):
    """An answer takes a while, so that peers are asked side by side."""

    async def evaluate(self, args):
        await asyncio.sleep(0)
        return await super().evaluate(args)

    async def blocks_after(self, number, limit):
        await asyncio.sleep(0)
        return await super().blocks_after(number, limit)


def test_peers_that_answer_side_by_side_at_the_start_are_of_one_channel_all_the_same(fabric):
    """The first look at all peers is the one at which nobody has said yet which channel it is."""
    ports = PeerPorts([FarPort(fabric, "right"), FarPort(begun_anew(), "wrong")])
    asyncio.run(ports.look_round())
    assert list(aside(ports)) == ["wrong"]
    assert "begun anew" in aside(ports)["wrong"]


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (b'{"chaincode":"tieline","genesis":"","version":2}', "in version 2, this program knows"),
        (b'{"chaincode":"toy","genesis":"","version":1}', "runs chaincode toy"),
        (b"hello", "is not ours"),
        (b"[" * 100_000, "is not ours"),
        (b"\xff", "is not ours"),
        (b"[]", "is not ours"),
    ],
)
def test_a_peer_with_another_chaincode_is_not_used(fabric, version, said):
    port = ScriptedPort(fabric, "peer0")
    port.version = version
    with pytest.raises(ConfigError, match=said) as caught:
        finish(FabricLedger(PeerPorts([port])).latest_height())
    assert caught.value.instead
    assert "peer0" in str(caught.value)


def test_peers_that_disagree_are_no_reason_to_ask_elsewhere(fabric):
    one, other, ports = two(fabric)
    finish(ports.height())
    one.differs = 1
    with pytest.raises(EndorsementsDiffer):
        finish(ports.endorse((b"Version",)))
    assert other.asked == []
    assert ports.name == "one"


def test_peers_of_several_channels_are_no_ledger(fabric):
    with pytest.raises(ConfigError, match="lab, yard"):
        PeerPorts([ScriptedPort(fabric), ScriptedPort(ScriptedFabric("yard"))])


def test_a_peer_that_shows_no_block_0_is_passed_over(fabric):
    noise = ScriptedFabric()
    noise.blocks[0] = b"no block"
    ports = PeerPorts([ScriptedPort(noise, "odd"), ScriptedPort(fabric, "right")])
    assert finish(ports.height()) == len(fabric.blocks) - 1
    assert ports.name == "right"


def test_a_peer_that_reads_back_noise_is_said_to_contradict(fabric):
    class Odd(ScriptedPort):
        async def evaluate(self, args):
            return b"noise" if args[0] == b"ReadBack" else await super().evaluate(args)

    with pytest.raises(Contradicted, match="no read-back: odd"):
        finish(look_at(Odd(fabric, "odd")))
