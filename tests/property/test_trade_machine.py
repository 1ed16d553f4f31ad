"""Random messages of the trade application, as ``fakes.trade_machine`` has them."""

from __future__ import annotations

from fakes.trade_machine import TradeMachine
from hypothesis import settings

TradeMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
test_random_messages_conserve_money = TradeMachine.TestCase
