"""What the one observer of an Ethereum ledger is told of blocks that are gone."""

import asyncio

import pytest
from fakes.driven import genesis_of
from fakes.evm_node import HonestNode
from fakes.microgrid import key

from tieline.interfaces.errors import Reorganised
from tieline.ledgers.ethereum.embedded import EmbeddedEthereum
from tieline.ledgers.ethereum.final_view import EvmLedgerPlan
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.ledger import EthereumLedger
from tieline.ledgers.ethereum.settings import EvmSettings

LEDGER = "eth-1"


@pytest.fixture
def ledger():
    genesis = genesis_of(LEDGER, "evm")
    embedded = EmbeddedEthereum(genesis, key("deployer"), [key("operator")])
    embedded.resume()
    embedded.produce_block(1_800_000_000)
    plan = EvmLedgerPlan(genesis, embedded.deployment)
    ledger = EthereumLedger(
        plan, [HonestNode(embedded)], EvmSettings(FinalityRule(confirmations=0))
    )
    yield ledger
    ledger.close()


@pytest.mark.parametrize("are_in_one_reading", [True, False])
def test_two_that_nobody_was_told_of_are_told_as_one(ledger, monkeypatch, are_in_one_reading):
    """The second is less deep: what the first took is not forgotten for it."""
    gone = [Reorganised(LEDGER, 50, 9), Reorganised(LEDGER, 57, 4)]
    read_on = ledger._view.read_on
    script = [*gone] if are_in_one_reading else [gone[0], None, gone[1], None]

    async def scripted():
        if script and (error := script.pop(0)) is not None:
            raise error
        return await read_on()

    monkeypatch.setattr(ledger._view, "read_on", scripted)

    async def run():
        for _ in range(2):
            try:
                await ledger.latest_height()
            except Reorganised:
                assert are_in_one_reading
        with pytest.raises(Reorganised) as told:
            await ledger.blocks_after(0)
        assert await ledger.blocks_after(0), "said once"
        return told.value

    told = asyncio.run(run())
    assert (told.height, told.depth) == (50, 11)
