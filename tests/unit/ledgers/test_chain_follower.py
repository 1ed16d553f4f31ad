"""A chain that is read again after a start: one that is behind, one that left its blocks."""

import asyncio

import pytest
from fakes.header_node import HeaderNode, chain_of

from tieline.interfaces.errors import ConfigError, NotYet, Reorganised, Unavailable
from tieline.ledgers.ethereum.endpoints import EvmEndpoints
from tieline.ledgers.ethereum.fees import Fees
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.follower import REORG_DEPTH_MAX, ChainFollower
from tieline.ledgers.ethereum.transaction_journal import BLOCKS_KEPT, Form, TransactionJournal

LENGTH = 400


@pytest.fixture
def journal():
    journal = TransactionJournal()
    yield journal
    journal.close()


def follower(journal, *nodes):
    """As after a start; every block is final."""
    rule = FinalityRule(confirmations=0)
    return ChainFollower("eth-1", EvmEndpoints("eth-1", nodes), [b"\1" * 20], rule, journal, 1)


async def read_all(following):
    head = await following.look()
    while blocks := await following.read_on(head):
        following.take([one.block for one in blocks])
    return following.height


@pytest.fixture
def read_before(journal):
    headers = chain_of(LENGTH)
    assert asyncio.run(read_all(follower(journal, HeaderNode(headers)))) == LENGTH
    return headers


@pytest.mark.parametrize("lag", [1, REORG_DEPTH_MAX, REORG_DEPTH_MAX + 1, BLOCKS_KEPT, LENGTH - 1])
def test_a_node_that_is_still_catching_up_at_the_start_is_waited_for(journal, read_before, lag):
    """It is neither a re-organisation nor a chain that was begun anew."""
    node = HeaderNode(read_before[: LENGTH + 1 - lag])
    following = follower(journal, node)
    with pytest.raises(Unavailable, match=f"was read up to {LENGTH}: its nodes are behind") as told:
        asyncio.run(read_all(following))
    assert not isinstance(told.value, Reorganised)
    assert max(journal.blocks()) == LENGTH
    node.headers = chain_of(LENGTH + 3, on=read_before)
    assert asyncio.run(read_all(following)) == LENGTH + 3


def test_a_second_node_that_is_behind_is_not_taken_for_a_chain_that_lost_its_blocks(
    journal, read_before
):
    """The first showed the head and fell silent; there was a re-organisation of one block."""
    branch = chain_of(LENGTH + 1, 1, on=read_before[:LENGTH])
    first, second = HeaderNode(branch), HeaderNode(branch[: LENGTH - REORG_DEPTH_MAX - 9])
    following = follower(journal, first, second)
    honest = first.batch
    asked = []

    async def batch(calls):
        asked.append(calls)
        if len(asked) > 2:
            raise Unavailable("no answer")
        return await honest(calls)

    first.batch = batch

    async def run():
        with pytest.raises((NotYet, Unavailable)) as told:
            await following.read_on(await following.look())
        return told.value

    assert not isinstance(asyncio.run(run()), Reorganised)
    assert max(journal.blocks()) == LENGTH
    with pytest.raises(Reorganised) as told:
        asyncio.run(read_all(follower(journal, HeaderNode(branch))))
    assert (told.value.height, told.value.depth) == (LENGTH - 1, 1)


@pytest.mark.parametrize("depth", [1, 12, REORG_DEPTH_MAX])
@pytest.mark.parametrize("growth", [-1, 0, 5])
def test_blocks_that_were_left_while_nobody_looked_are_told(journal, read_before, depth, growth):
    branch = chain_of(LENGTH + growth, 1, on=read_before[: LENGTH + 1 - depth])
    following = follower(journal, HeaderNode(branch))
    if len(branch) - 1 == LENGTH - depth:  # nothing of the other branch is there yet
        with pytest.raises(Unavailable, match="nodes are behind"):
            asyncio.run(read_all(following))
        return
    with pytest.raises(Reorganised) as told:
        asyncio.run(read_all(following))
    assert (told.value.height, told.value.depth) == (LENGTH - depth, depth)
    assert asyncio.run(read_all(following)) == LENGTH + growth


@pytest.mark.parametrize("depth", [REORG_DEPTH_MAX + 1, BLOCKS_KEPT + 1])
def test_a_chain_that_left_more_than_a_re_organisation_stops(journal, read_before, depth):
    branch = chain_of(LENGTH, 1, on=read_before[: LENGTH + 1 - depth])
    with pytest.raises(ConfigError, match="has lost its blocks"):
        asyncio.run(read_all(follower(journal, HeaderNode(branch))))


def test_a_transaction_so_old_that_the_node_forgot_how_it_ended_holds_nothing_up(journal):
    """Geth keeps an index of some weeks; after a start all blocks are read again."""
    tx_hash = b"\x0a" * 32
    journal.write(b"\2" * 20, [(0, 0, Form(tx_hash, b"", Fees(1, 1)))])
    node = HeaderNode(chain_of(LENGTH))
    node.transactions = {LENGTH - BLOCKS_KEPT: (tx_hash,)}
    assert asyncio.run(read_all(follower(journal, node))) == LENGTH
    node.transactions = {LENGTH - BLOCKS_KEPT + 1: (tx_hash,)}
    with pytest.raises(NotYet, match="changed while it was read"):
        asyncio.run(read_all(follower(journal, node)))
