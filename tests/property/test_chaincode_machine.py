"""
The same random messages on two hosts: blocks of the Application, and invocations of the chaincode
one after another. After each step balances, locks, events and refusals are the same.
"""

from __future__ import annotations

from fakes.fabric_world import FabricWorld
from fakes.trade_machine import TradeMachine
from hypothesis import settings


class ChaincodeMachine(TradeMachine):
    """The trade machine in a world whose ledgers are on both hosts."""

    def open_world(self) -> FabricWorld:
        return FabricWorld()


ChaincodeMachine.TestCase.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None
)
test_chaincode_and_blocks_come_to_the_same = ChaincodeMachine.TestCase
