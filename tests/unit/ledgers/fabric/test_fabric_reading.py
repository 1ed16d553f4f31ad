"""What the adapter takes for blocks of its channel, and what it makes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.driven import finish
from fakes.microgrid import key, pay
from fakes.scripted_fabric import ScriptedFabric, ScriptedPort

from tieline.contract.chaincode import Invocation
from tieline.interfaces.errors import Contradicted, NotYet, Unavailable
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.port import InvocationRefused
from tieline.ledgers.fabric.refusals import refusal_of
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.wire.fabric.blocks import Block, data_hash
from tieline.wire.fabric.invocations import InvocationRefusal, encode_refusal


@pytest.fixture
def fabric():
    return ScriptedFabric()


def read(fabric):
    ledger = FabricLedger(ScriptedPort(fabric))
    finish(ledger.read_on())
    return ledger


def spoil(fabric, number, change):
    """Change a block, and nothing behind it."""
    fabric.blocks[number] = change(Block.decode(fabric.blocks[number])).encode()


def without_codes(block):
    metadata = (*block.metadata[:2], b"", *block.metadata[3:])
    return replace(block, metadata=metadata)


def of_another_chain(block):
    return replace(block, header=replace(block.header, previous_hash=bytes(32)))


def with_other_data(block):
    return replace(block, data=(*block.data, block.data[0]))


def out_of_turn(block):
    return replace(block, header=replace(block.header, number=block.header.number + 1))


def with_noise(block):
    data = (b"noise",)
    return replace(block, data=data, header=replace(block.header, data_hash=data_hash(data)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_codes, "the peer does not say what is valid: block=2.*ask a peer"),
        (of_another_chain, "block 2 of lab does not follow block 1.*another channel"),
        (with_other_data, "other transactions than the header names: block=2"),
        (out_of_turn, "block out of turn: number=3 expected=2"),
        (with_noise, "called valid, but no transaction: block=2 index=0"),
    ],
)
def test_a_block_that_cannot_be_is_not_taken(fabric, change, said):
    spoil(fabric, 2, change)
    with pytest.raises(Contradicted, match=said):
        read(fabric)


class Forger:
    """A chaincode that says whatever it is told to: a peer that lies, not ours."""

    def __init__(self, writes=(), event=b""):
        self.said = Invocation(200, writes=tuple(writes), event=event)

    def invoke(self, _args, _state, _wall_s):
        return self.said


@pytest.mark.parametrize(
    ("args", "forger"),
    [
        ((b"Submit",), Forger()),
        ((b"Submit", b"noise"), Forger()),
        ((b"Submit", b"", b""), Forger()),
        ((b"Submit", b"noise"), Forger(event=b"no list")),
        ((b"Init", b"genesis"), Forger()),
        ((b"Tick", b""), Forger()),
        ((b"Tick", b""), Forger([("clock", b"late")])),
        ((b"Tick", b""), Forger([("clock", b"\xff" * 8)])),
    ],
)
def test_what_our_chaincode_never_endorses_is_a_lie(fabric, args, forger):
    """Before, the observer ended by whatever error the reading of it met."""
    ledger = read(fabric)
    height = finish(ledger.latest_height())
    fabric.chaincode = forger
    fabric.run(args)
    for _ in range(2):
        with pytest.raises(Contradicted, match=f"called valid, but cannot be: block={height + 1}"):
            finish(ledger.read_on())
    assert ledger.history.height == height


def test_a_transaction_of_another_channel_is_not_taken(fabric):
    other = ScriptedFabric("yard")
    other.channel = "lab"

    class Renamed(ScriptedPort):
        @property
        def fabric_channel(self):
            return "lab"

    fabric.blocks = ScriptedFabric("yard").blocks
    with pytest.raises(Contradicted, match="is of channel 'yard', not 'lab': name a peer"):
        finish(FabricLedger(Renamed(fabric)).read_on())


def test_what_is_no_block_is_a_lie(fabric):
    fabric.blocks[1] = b"no block"
    with pytest.raises(Contradicted, match="no block"):
        read(fabric)


def test_blocks_in_order_without_gaps_whatever_the_limit(fabric):
    for _ in range(3):
        fabric.tick()
    ledger = read(fabric)
    blocks = finish(ledger.blocks_after(0))
    assert [one.height for one in blocks] == list(range(1, len(fabric.blocks)))
    assert [one.is_provable for one in blocks] == [False, False, True, True, True, True]
    assert finish(ledger.blocks_after(2, 2)) == blocks[2:4]
    with pytest.raises(Unavailable, match="was read up to 99"):
        finish(ledger.blocks_after(99))


class BusyPort(ScriptedPort):
    """While it looks for old blocks, another task reads a new one."""

    ledger = None

    async def blocks_after(self, number, limit):
        found = await super().blocks_after(number, limit)
        if self.ledger is not None:
            reader, self.ledger = self.ledger, None
            self.fabric.tick()
            await reader.read_on()
        return found


def test_old_blocks_are_told_without_gaps_while_new_ones_are_read(fabric):
    """A new block pushes the oldest remembered one out, between two looks at what is there."""
    port = BusyPort(fabric)
    ledger = FabricLedger(port, FabricSettings(events_kept=4))
    for _ in range(10):
        fabric.tick()
    height = finish(ledger.latest_height())
    port.ledger = ledger
    told = finish(ledger._events.after(0, 100))
    assert [one.height for one in told] == list(range(1, height + 1))


def test_before_the_contract_has_begun_nothing_is_there_yet():
    fabric = ScriptedFabric(is_begun=False)
    ledger = read(fabric)
    assert finish(ledger.latest_height()) == 1
    assert finish(ledger.latest_time_s()) == 0
    assert finish(ledger.query("tieline", b"z")) is None
    with pytest.raises(NotYet):
        finish(ledger.trust_at(2))


def test_the_state_is_that_of_the_valid_transactions_alone(fabric):
    ledger = read(fabric)
    ledger.add_lane("relayer", key("relayer"))
    before = dict(finish(ledger.scan("tieline", b"a")))
    finish(ledger.submit("relayer", [pay("relayer", "cell", 7)]))
    fabric.cut()
    spoil(fabric, -1, lambda block: replace(block, metadata=(*block.metadata[:2], b"\x0b")))
    finish(ledger.read_on())
    assert dict(finish(ledger.scan("tieline", b"a"))) == before


def test_prefixes_are_scanned_in_order_and_no_further(fabric):
    ledger = read(fabric)
    found = finish(ledger.scan("tieline", b"a"))
    assert found
    assert [one for one, _ in found] == sorted(one for one, _ in found)
    assert all(one.startswith(b"a") for one, _ in found)
    assert finish(ledger.query("tieline", found[0][0])) == found[0][1]


def test_a_refusal_keeps_its_numbers_and_a_breakdown_gets_one():
    words = encode_refusal(InvocationRefusal("ibc", 12, "why"))
    ours = refusal_of(InvocationRefused(500, words))
    assert (ours.codespace, ours.code, ours.log) == ("ibc", 12, "why")
    broken = refusal_of(InvocationRefused(500, "panic"))
    assert (broken.codespace, broken.code, broken.log) == ("fabric", 500, "panic")
