"""
An operator that seals two branches of its EVM ledger: a cell signs what it saw first, never both,
also after a restart.
"""

import asyncio

import pytest
from fakes.evm_chain import START_S, EvmChain

from tieline.interfaces.ledger import Capabilities, Finality, StoredValue
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.protocol.height import Height
from tieline.utility.attestor import CellAttestor, FollowedLedger
from tieline.utility.journal import SigningJournal
from tieline.wire.keys import SecpKey

KEY = SecpKey(b"\x0a" * 32)
PATH = b"07-tendermint-0\x01" + bytes(7) + b"\x01"
HEIGHT = 7
CHAIN = EvmChain()
STATES = CHAIN.client_state().as_any(), CHAIN.consensus_state().as_any()


class Branch:
    """A ledger that holds one value at the path, from one time on."""

    ledger_id = "branching-1"
    capabilities = Capabilities("evm", "evm-sealed", (b"",), Finality.PROBABILISTIC, 0)

    def __init__(self, value, time_s=START_S + HEIGHT):
        chain = EvmChain()
        chain.commit(PATH, value)
        self.message = chain.header(HEIGHT, time_s).as_any()
        self.entry = StoredValue(PATH, value, Height(0, HEIGHT), chain.prove(PATH))

    async def header(self, height, trusted_height):
        return self.message


class Clock:
    def now_s(self):
        return START_S + 30


class Cell:
    """An attestor that was just started; its journal is older."""

    def __init__(self, branch, path):
        self.branch = branch
        self.attestor = CellAttestor(b"\1" * 20, SigningJournal(path), Clock())
        tag = CHAIN.client_state().chain_tag
        self.attestor.follow(FollowedLedger(branch, tag, EvmSealedClient(), KEY), *STATES)

    def state(self):
        name = self.branch.ledger_id
        return asyncio.run(self.attestor.attest_state(name, self.branch.message, HEIGHT))

    def packets(self):
        entries = [self.branch.entry]
        return asyncio.run(self.attestor.attest_packets(self.branch.ledger_id, HEIGHT, entries))


ONE, OTHER = Branch(b"\1" * 32), Branch(b"\2" * 32)
LATER = Branch(b"\1" * 32, START_S + HEIGHT + 1)


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "signing.sqlite"


def test_the_other_branchs_value_is_refused_also_after_a_restart(journal):
    first = Cell(ONE, journal)
    assert first.state()
    assert first.packets()
    for _ in range(2):
        again = Cell(OTHER, journal)
        assert again.packets() is None
        assert "already signed" in again.attestor.last_reason


def test_the_other_branchs_time_is_refused_also_after_a_restart(journal):
    assert Cell(ONE, journal).state()
    again = Cell(LATER, journal)
    assert again.state() is None
    assert "already signed" in again.attestor.last_reason


def test_a_cell_that_sees_both_branches_signs_nothing_of_that_ledger_any_more(journal):
    cell = Cell(ONE, journal)
    assert cell.state()
    cell.branch.message, honest = OTHER.message, cell.branch.message
    try:
        assert cell.state() is None
        assert "not active" in cell.attestor.last_reason
        cell.branch.message = honest
        assert cell.state() is None
    finally:
        cell.branch.message = honest
