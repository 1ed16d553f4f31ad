"""Contracts put on a chain by a run that is killed, and by the next one."""

import asyncio

import pytest
from fakes.driven import finish, genesis_of
from fakes.microgrid import key
from fakes.pool_node import PoolNode

from tieline.interfaces.errors import Unavailable
from tieline.ledgers.ethereum import deploying
from tieline.ledgers.ethereum.deployment import plan_deployment

DEPLOYER = key("deployer")
CHAIN_ID = 5
PLAN = plan_deployment(genesis_of("eth-1", "evm"), CHAIN_ID, b"\7" * 32, DEPLOYER.address)
STEPS = [one.data for one in PLAN.steps]


@pytest.fixture
def node(monkeypatch):
    monkeypatch.setattr(deploying, "WAIT_S", 0.3)
    return PoolNode()


def run(node, *, mines):
    """One run over a chain that makes blocks, or none."""

    async def go():
        carrying = asyncio.ensure_future(deploying._carry_out(node, PLAN, DEPLOYER))
        while not carrying.done():
            await asyncio.sleep(0.01)
            if mines:
                node.mine()
        return await carrying

    return finish(go())


def test_steps_that_wait_for_a_block_are_not_sent_again(node):
    """The node made no blocks for a while; the next run takes up what it has in its pool."""
    with pytest.raises(Unavailable):
        run(node, mines=False)
    with pytest.raises(Unavailable, match="wait for a block"):
        run(node, mines=False)
    run(node, mines=True)
    assert node.calls_mined() == STEPS


@pytest.mark.parametrize("done", [1, 4, len(STEPS)])
@pytest.mark.parametrize("later", [0, 1, 50])
def test_blocks_are_read_from_the_first_step_on_whichever_run_took_it(node, done, later):
    """Else the money of genesis, which the first run may have deposited, is never seen."""
    node.first_height = 30
    with pytest.raises(Unavailable):
        run(node, mines=False)
    for nonce in range(done):
        node.mined.append(node.pool.pop(nonce))
    node.pool.clear()
    node.blocks_on_top = later
    heights = run(node, mines=True)
    assert node.calls_mined() == STEPS
    assert 1 <= min(heights) <= node.first_height
    assert min(heights) >= node.first_height - 2 * (done + later)
