"""
No hot keys: thirty-two disjoint orders, then receives, then claims, each a transaction of its own
in one block, are all valid and touch no common key. On ledgers that run transactions side by side
(Fabric) that is the difference between all and one of them.
"""

from __future__ import annotations

from fakes.disjoint_trades import trade_side_by_side
from fakes.fabric_world import FabricLedger
from fakes.wide_world import WideWorld


class WideFabricWorld(WideWorld):
    """The same on both hosts."""

    ledger_type = FabricLedger


def test_orders_receives_and_claims_of_disjoint_trades_share_no_key() -> None:
    trade_side_by_side(WideWorld())


def test_on_fabric_all_of_them_are_valid_in_one_block_by_their_real_read_sets() -> None:
    """The chaincode's own read and write sets under MVCC, markers and the clock among them."""
    world = WideFabricWorld()
    for ledger in (world.a, world.b):
        assert isinstance(ledger, FabricLedger)
        ledger.is_side_by_side = True
    trade_side_by_side(world)
    for ledger in (world.a, world.b):
        assert isinstance(ledger, FabricLedger)
        assert len(ledger.watched) > 64
