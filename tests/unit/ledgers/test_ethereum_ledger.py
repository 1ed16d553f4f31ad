"""What an Ethereum ledger makes of nodes that are behind, and tells of blocks that are gone."""

import asyncio
from dataclasses import replace

import pytest
from fakes.driven import genesis_of
from fakes.evm_node import HonestNode
from fakes.microgrid import key

from tieline.interfaces.errors import ConfigError, Reorganised, Unavailable
from tieline.ledgers.ethereum.embedded import EmbeddedEthereum
from tieline.ledgers.ethereum.final_view import EvmLedgerPlan
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.ledger import EthereumLedger
from tieline.ledgers.ethereum.settings import EvmSettings

LEDGER = "eth-1"


@pytest.fixture
def embedded():
    embedded = EmbeddedEthereum(genesis_of(LEDGER, "evm"), key("deployer"), [key("operator")])
    embedded.resume()
    embedded.produce_block(1_800_000_000)
    return embedded


@pytest.fixture
def ledger(embedded):
    plan = EvmLedgerPlan(embedded._genesis, embedded.deployment)
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


class Syncing(HonestNode):
    """It has the chain's first block only, and catches up when it is told to."""

    height = 0

    def _eth_blockNumber(self):
        return hex(self.height)

    def _eth_getCode(self, address, place):
        return super()._eth_getCode(address, place) if self.height else "0x"


def test_a_node_that_has_not_reached_the_contracts_yet_is_behind_and_not_of_another_ledger(
    embedded,
):
    node = Syncing(embedded)
    plan = EvmLedgerPlan(embedded._genesis, embedded.deployment)
    ledger = EthereumLedger(plan, [node], EvmSettings(FinalityRule(confirmations=0)))

    async def run():
        with pytest.raises(Unavailable, match="is behind: it ends at block 0, the contracts"):
            await ledger.latest_height()
        node.height = 1
        ledger.endpoints._endpoints[0].silent_until = 0.0
        return await ledger.latest_height()

    assert asyncio.run(run()) == 1
    ledger.close()


def test_a_node_of_another_chain_is_put_aside_even_if_it_is_short(embedded):
    plan = EvmLedgerPlan(embedded._genesis, replace(embedded.deployment, chain_id=1))
    ledger = EthereumLedger(plan, [Syncing(embedded)], EvmSettings(FinalityRule(confirmations=0)))
    with pytest.raises(ConfigError, match="another chain answers"):
        asyncio.run(ledger.latest_height())
    ledger.close()


def test_what_was_read_while_the_journal_did_not_answer_is_read_again(
    ledger, embedded, monkeypatch
):
    def silent(_hashes):
        raise Unavailable("the journal of transactions does not answer: disk full")

    async def run():
        with monkeypatch.context() as broken:
            broken.setattr(ledger._journal, "note_blocks", silent)
            with pytest.raises(Unavailable, match="disk full"):
                await ledger.latest_height()
        assert await ledger.latest_height() == await embedded.latest_height()
        assert await ledger.latest_time_s() == await embedded.latest_time_s()
        told = [await one.blocks_after(0) for one in (ledger, embedded)]
        assert [one.height for one in told[0]] == [one.height for one in told[1]]
        stored = [await one.scan("tieline", b"") for one in (ledger, embedded)]
        assert stored[0] == stored[1]

    asyncio.run(run())


def test_blocks_that_are_gone_are_told_even_if_the_journal_does_not_answer_just_then(
    ledger, monkeypatch
):
    read_on = ledger._view.read_on
    script = [Reorganised(LEDGER, 50, 9)]

    async def scripted():
        if script:
            raise script.pop()
        return await read_on()

    def silent(_height):
        raise Unavailable("disk full")

    async def run():
        ledger.add_lane("relayer", key("relayer"))
        monkeypatch.setattr(ledger._view, "read_on", scripted)
        with monkeypatch.context() as broken:
            broken.setattr(ledger._journal, "reopen_above", silent)
            with pytest.raises(Unavailable, match="disk full"):
                await ledger.latest_height()
        with pytest.raises(Reorganised) as told:
            await ledger.blocks_after(0)
        assert (told.value.height, told.value.depth) == (50, 9)
        assert await ledger.blocks_after(0), "said once"

    asyncio.run(run())
