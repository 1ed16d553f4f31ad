"""The trade world on an embedded network: what is disjoint is valid side by side, in one block."""

from __future__ import annotations

import pytest
from fakes.disjoint_trades import COUNT, trade_side_by_side
from fakes.embedded_fabric import FIRST, finish, planned
from fakes.fabric_world import FabricLedger
from fakes.wide_world import WideWorld

from tieline.contract.chaincode import Chaincode
from tieline.contract.results import TxResult
from tieline.ledgers.fabric.embedded.channel_plan import CLIENT, BatchLimits, Consensus
from tieline.ledgers.fabric.embedded.embedded_port import EmbeddedPort
from tieline.ledgers.fabric.embedded.network import Network
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.port import CHAINCODE
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.invocations import init_args, submit_args, tick_args
from tieline.wire.hashes import sha256

LARGE = BatchLimits(preferred_bytes_max=4 << 20, absolute_bytes_max=8 << 20)


class EmbeddedTradeLedger(FabricLedger):
    """A trade world's ledger whose blocks an embedded network commits as well."""

    def __post_init__(self) -> None:
        self.network = None
        super().__post_init__()
        genesis = self.genesis.to_bytes()
        plan = planned("lab", Consensus.RAFT, LARGE)
        installed = self.installed
        self.network = Network(
            plan,
            lambda: {CHAINCODE: Chaincode(sha256(genesis), installed)},
            lambda: self.channel.now_s,
        )
        carrier = Signatory.of(plan.organisations[0].member(CLIENT))
        self.port = EmbeddedPort(self.network, carrier)
        self.port.define(FIRST)
        self.filters: list[list[int]] = []
        self.commit([init_args(genesis, self.header_hash(1))])

    def commit(self, calls):
        """Endorse all on one state, and commit them in one block."""
        for args in calls:
            self.network.order(finish(self.port.endorse(args)).envelope)
        assert self.network.cut() == 1
        block = Block.decode(self.network.block(self.network.height))
        self.filters.append(list(block.transactions_filter))

    def block(self, *transactions: bytes) -> tuple[TxResult, ...]:
        """Run a block here and there."""
        before = None if self.channel is None else self.channel.now_s
        results = super().block(*transactions)
        if self.network is not None:
            assert not self.channel.has_jumped
            if self.channel.now_s != before:
                self.commit([tick_args(self.channel.now_s)])
            calls = [
                submit_args(raw)
                for raw, result in zip(transactions, results, strict=True)
                if not result.code
            ]
            if calls:
                self.commit(calls)
        return results


class WideEmbeddedWorld(WideWorld):
    """Two of them."""

    ledger_type = EmbeddedTradeLedger


@pytest.mark.slow
def test_thirty_two_orders_receives_and_claims_are_each_valid_in_one_block():
    """Nothing is lost or doubled, and both peers hold what the contract holds elsewhere."""
    world = WideEmbeddedWorld()
    for ledger in (world.a, world.b):
        ledger.is_side_by_side = True
    trade_side_by_side(world)
    for ledger, count in ((world.a, 1), (world.b, 3)):
        wide = [codes for codes in ledger.filters if len(codes) == COUNT]
        assert wide == [[0] * COUNT] * count
        assert {code for codes in ledger.filters for code in codes} == {0}
        expected = ledger.channel.state.values
        held = {key: peer_value(ledger, key) for key in expected}
        assert held == expected
        assert ledger.network.state_root() == ledger.network.peers[1].state.digest()


def peer_value(ledger, key):
    """What a peer holds of a key."""
    found = ledger.network.peers[0].state.get(CHAINCODE, key)
    return None if found is None else found.value
