"""Blocks of a real node that are taken back, at every step of a packet's life."""

from __future__ import annotations

import pytest
from fakes.driven import finish
from fakes.evm_engine import EvmChain, settle, shown
from fakes.reorg_world import ETH, OTHER, ReorgWorld

from tieline.contract.accounts import pay_balance
from tieline.interfaces.errors import Contradicted, Reorganised
from tieline.ledgers.ethereum.looking_after import SendingPace

pytestmark = pytest.mark.native

DEPTHS = range(1, 13)
AT_ONCE = SendingPace(again_s=0.0, replace_after_s=3600)
STEPS = (
    "sent and in a block",
    "sent and final",
    "at the other end",
    "answered in a block",
    "over",
)


@pytest.fixture
def chain(tmp_path):
    chain = EvmChain("anvil", tmp_path / "anvil", is_mining=False)
    yield chain
    chain.stop()


def balance(ledger, account):
    return pay_balance(dict(finish(ledger.scan("tieline", b""))), account)


def mine_until_idle(chain, ledger):
    for _ in range(60):
        if finish(ledger.is_idle()):
            return
        chain.mine()
    raise AssertionError("the ledger does not come to rest")


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_is_above_the_final_block_may_change_and_nobody_sees_it(chain, depth):
    """The payment comes back by itself, under the hash it was given, once."""
    ledger = chain.open(confirmations=12, pace=AT_ONCE)
    chain.mine(13)
    start = settle(ledger)
    sent = finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 5)]))
    chain.mine(depth)
    seen = shown(ledger, start)
    chain.call("anvil_reorg", depth, [])
    assert shown(ledger, start)[: len(seen)] == seen
    mine_until_idle(chain, ledger)
    assert [(tx, code) for _, tx, code in shown(ledger, start)] == [(sent.tx_hash, 0)]
    assert balance(ledger, chain.account("household 1")) == 10**12 + 5


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_was_final_and_is_gone_is_said_once_and_read_again(chain, depth):
    """With fewer confirmations than the re-organisation is deep."""
    ledger = chain.open(confirmations=0, pace=AT_ONCE)
    chain.mine(3)
    start = settle(ledger)
    sent = finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 5)]))
    chain.mine(depth)
    cursor = settle(ledger)
    assert [tx for _, tx, _ in shown(ledger, start)] == [sent.tx_hash]
    chain.call("anvil_reorg", depth, [])
    with pytest.raises(Reorganised) as told:
        finish(ledger.blocks_after(cursor))
    assert (told.value.height, told.value.depth) == (cursor - depth, depth)
    assert shown(ledger, start) == [], "the branch that stands has no payment"
    assert balance(ledger, chain.account("household 1")) == 10**12
    mine_until_idle(chain, ledger)
    assert [(tx, code) for _, tx, code in shown(ledger, start)] == [(sent.tx_hash, 0)]
    assert balance(ledger, chain.account("household 1")) == 10**12 + 5


def test_a_re_organisation_while_nobody_looked_is_found_by_the_next_process(chain):
    ledger = chain.open("own.db", confirmations=0, pace=AT_ONCE)
    start = settle(ledger)
    sent = finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 5)]))
    chain.mine(4)
    settle(ledger)
    chain.call("anvil_reorg", 4, [])
    again = chain.open("own.db", confirmations=0, pace=AT_ONCE)
    with pytest.raises(Reorganised):
        finish(again.blocks_after(start))
    mine_until_idle(chain, again)
    assert [(tx, code) for _, tx, code in shown(again, start)] == [(sent.tx_hash, 0)]


def test_no_key_seals_two_blocks_at_a_height(chain):
    """The other branch is refused for ever; higher up the chain goes on."""
    ledger = chain.open(confirmations=0, pace=AT_ONCE)
    chain.mine(5)
    height = settle(ledger)
    first = finish(ledger.header(height, 1))
    assert finish(ledger.header(height, 1)) == first, "the same again"
    chain.call("anvil_reorg", 3, [])
    settle(ledger)
    with pytest.raises(Contradicted, match="another block is sealed"):
        finish(ledger.header(height, 1))
    chain.mine(3)
    settle(ledger)
    with pytest.raises(Contradicted, match="another block is sealed"):
        finish(ledger.header(height + 1, 1))
    assert finish(ledger.header(height + 2, 1)) != first


@pytest.fixture(scope="module", params=DEPTHS, ids="depth {}".format)
def hidden(request, tmp_path_factory):
    """
    Twelve confirmations: no re-organisation here is seen. A chain a depth: anvil keeps some
    hundred states in memory, and on a chain of 2,000 blocks its re-organisation loses all code.
    """
    world = ReorgWorld(tmp_path_factory.mktemp("hidden"), confirmations=12)
    yield world, request.param
    world.stop()


@pytest.fixture(scope="module", params=[1, 3, 7, 12], ids="depth {}".format)
def acted_on(request, tmp_path_factory):
    """Two confirmations: what goes deeper was acted on."""
    world = ReorgWorld(tmp_path_factory.mktemp("shown"), confirmations=2)
    yield world, request.param
    world.stop()


def live_through(world, source, depth, step):
    """One packet from end to end with a re-organisation at one step of its life."""
    destination = OTHER if source == ETH else ETH
    before = {
        (end, name): world.count(end, name)
        for end in (ETH, OTHER)
        for name in ("send_packet", "recv_packet", "write_acknowledgement", "acknowledge_packet")
    }
    sequence = before[source, "send_packet"] + 1
    world.send(source)
    reached = {
        STEPS[0]: lambda: True,
        STEPS[1]: lambda: world.count(source, "send_packet") >= sequence,
        STEPS[2]: lambda: (
            world.count(destination, "recv_packet") > before[destination, "recv_packet"]
        ),
        STEPS[3]: lambda: (
            not world.stored(source, sequence)[0] or world.runner.lanes[source]._by_hash
        ),
        STEPS[4]: lambda: (
            world.count(source, "acknowledge_packet") > before[source, "acknowledge_packet"]
        ),
    }[step]
    for _ in range(80):
        world.step()
        if reached():
            break
    else:
        raise AssertionError(f"never {step}")
    world.reorganise(depth)
    world.settle()
    assert world.stored(source, sequence) == (False, True, True)
    after = {one: world.count(*one) - count for one, count in before.items()}
    assert after == {
        (source, "send_packet"): 1,
        (source, "recv_packet"): 0,
        (source, "write_acknowledgement"): 0,
        (source, "acknowledge_packet"): 1,
        (destination, "send_packet"): 0,
        (destination, "recv_packet"): 1,
        (destination, "write_acknowledgement"): 1,
        (destination, "acknowledge_packet"): 0,
    }


def signed_twice(world):
    """Of what a cell has said two things: the chain at a height, or a key of it there."""
    for attestor in world.attestors:
        assert attestor.said, "cells sign here"
    return [
        subject
        for attestor in world.attestors
        for subject, words in attestor.said.items()
        if len(words) > 1
    ]


@pytest.mark.parametrize("step", STEPS)
def test_a_packet_lives_through_a_re_organisation_that_nobody_sees(hidden, step):
    world, depth = hidden
    live_through(world, (ETH, OTHER)[depth % 2], depth, step)
    assert signed_twice(world) == []


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("source", [ETH, OTHER])
def test_a_packet_lives_through_one_that_was_acted_on(acted_on, source, step):
    """Cells have signed blocks that are gone: they sign no other ones in their place."""
    world, depth = acted_on
    live_through(world, source, depth, step)
    assert signed_twice(world) == []
