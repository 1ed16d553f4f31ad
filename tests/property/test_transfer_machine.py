"""Random transfers and trades with stock chains, as ``fakes.transfer_machine`` has them."""

from __future__ import annotations

from fakes.transfer_machine import TransferMachine
from hypothesis import settings

TransferMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
test_random_transfers_conserve_tokens = TransferMachine.TestCase
