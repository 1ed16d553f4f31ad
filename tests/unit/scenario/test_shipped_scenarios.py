"""The shipped scenarios have something to show: trades at every level in nearly every slot."""

import hashlib

import pytest

from tieline.market.clearing import ClearingRules, clear_slot
from tieline.market.order import BookOrder
from tieline.scenario.households import Households, OrderIntent, RatedLoad
from tieline.scenario.reading import load_scenario, shipped_scenario
from tieline.swap.records import Level

LOADS = {bus: RatedLoad(500_000_000, 120_000_000) for bus in range(1, 12)}


def _order(intent: OrderIntent, index: int) -> BookOrder:
    return BookOrder(
        order_id=hashlib.sha256(f"{intent.cell} {intent.side}".encode()).digest(),
        account=hashlib.sha256(intent.cell.encode()).digest()[:20],
        microgrid=hashlib.sha256(intent.chain_id.encode()).digest(),
        bus=intent.bus,
        side=intent.side,
        levels=intent.levels,
        delivery=intent.delivery,
        energy_wh=intent.energy_wh,
        price_min=intent.price_min,
        price_max=intent.price_max,
        time=index,
    )


@pytest.mark.parametrize(("name", "slots_with_all_levels"), [("evening", 24), ("day", 64)])
def test_nearly_every_slot_trades_at_all_three_levels(
    name: str, slots_with_all_levels: int
) -> None:
    config = load_scenario(shipped_scenario(name))
    households = Households(config, LOADS)
    fee = config.connector.fee_micro_eur_per_kwh
    grid = hashlib.sha256(config.operator.chain_id.encode()).digest()
    rules = ClearingRules(grid=grid, inter_fee=fee, grid_fee=fee)
    whole = 0
    for index in range(config.slot_count):
        intents = households.orders(config.slot_start_s(index))
        orders = [_order(intent, place) for place, intent in enumerate(intents)]
        clearing = clear_slot(orders, rules, bytes(32))
        whole += {position.level for position in clearing.positions} == set(Level)
    assert whole >= slots_with_all_levels
