"""
The same random messages on two hosts: blocks of the Application, and invocations of the chaincode
one after another. After each step balances, locks, events and refusals are the same.
"""

from __future__ import annotations

import pytest
from fakes.fabric_world import FabricTransferWorld, FabricWorld
from fakes.trade_machine import TradeMachine
from fakes.transfer_machine import TransferMachine
from hypothesis import settings


class ChaincodeMachine(TradeMachine):
    """The trade machine in a world whose ledgers are on both hosts."""

    def open_world(self) -> FabricWorld:
        return FabricWorld()


class LongChaincodeMachine(ChaincodeMachine):
    """More of it."""


class ChaincodeTransferMachine(TransferMachine):
    """Transfers and trades with stock chains on both hosts."""

    def open_world(self) -> FabricTransferWorld:
        return FabricTransferWorld()


ChaincodeMachine.TestCase.settings = settings(max_examples=8, stateful_step_count=25, deadline=None)
LONG = settings(max_examples=60, stateful_step_count=40, deadline=None)
LongChaincodeMachine.TestCase.settings = LONG
ChaincodeTransferMachine.TestCase.settings = LONG
test_chaincode_and_blocks_come_to_the_same = ChaincodeMachine.TestCase
test_many_messages_come_to_the_same = pytest.mark.slow(LongChaincodeMachine.TestCase)
test_transfers_come_to_the_same = pytest.mark.slow(ChaincodeTransferMachine.TestCase)
